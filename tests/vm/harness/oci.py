# SPDX-License-Identifier: Apache-2.0
"""Container images with more in them than one program: modes, owners, file capabilities.

An OCI image layout (image-spec v1) in a tar archive, which `ctr images import` reads. Extended
attributes of a layer's files are pax records SCHILY.xattr.NAME.
"""

import hashlib
import io
import json
import struct
import tarfile

TYPE = "application/vnd.oci.image."


def file_capability(number):
    """The value of security.capability that makes capability NUMBER permitted and effective."""
    return struct.pack("<5I", 0x02000001, 1 << number, 0, 0, 0)


def _tar(files):
    """`files`: {name: (mode, bytes, {xattr: bytes})}; bytes None is a directory."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, (mode, data, xattrs) in files.items():
            entry = tarfile.TarInfo(name)
            entry.mode = mode
            entry.pax_headers = {f"SCHILY.xattr.{key}": value.decode("ascii")
                                 for key, value in xattrs.items()}
            if data is None:
                entry.type = tarfile.DIRTYPE
                tar.addfile(entry)
            else:
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def image(name, files):
    """The archive of an image `name` (a full reference with a tag) with one layer of `files`."""
    blobs = {}

    def blob(kind, data):
        digest = hashlib.sha256(data).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = (0o644, data, {})
        return {"mediaType": TYPE + kind, "digest": f"sha256:{digest}", "size": len(data)}

    layer = blob("layer.v1.tar", _tar(files))
    config = blob("config.v1+json", json.dumps({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}).encode())
    manifest = blob("manifest.v1+json", json.dumps({
        "schemaVersion": 2, "mediaType": TYPE + "manifest.v1+json", "config": config,
        "layers": [layer]}).encode())
    manifest["platform"] = {"architecture": "amd64", "os": "linux"}
    manifest["annotations"] = {"io.containerd.image.name": name,
                               "org.opencontainers.image.ref.name": name.rsplit(":", 1)[1]}
    index = json.dumps({"schemaVersion": 2, "mediaType": TYPE + "index.v1+json",
                        "manifests": [manifest]}).encode()
    return _tar({**blobs, "index.json": (0o644, index, {}),
                 "oci-layout": (0o644, b'{"imageLayoutVersion":"1.0.0"}', {})})
