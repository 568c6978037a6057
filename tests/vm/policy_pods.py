# SPDX-License-Identifier: Apache-2.0
"""The pods of policy.test.py: static pods, each a case of guest/pod.c."""

import json
import subprocess
import tempfile
from pathlib import Path

from harness import oci
from harness.image import BUILD

IMAGE = "localhost/keelson/pod:1"
PORT, HOST_PORT = 8080, 30080
CAP_NET_RAW = 13


def program(name):
    """A program of the tests' build, stripped."""
    with tempfile.NamedTemporaryFile() as stripped:
        subprocess.run(["strip", "-o", stripped.name, BUILD / f"tests/{name}"], check=True)
        return Path(stripped.name).read_bytes()


def pod_image():
    pod = program("vm-pod")
    directories = {name: (mode, None, {}) for name, mode in
                   (("mnt", 0o755), ("tmp", 0o1777), ("proc", 0o755), ("dev", 0o755),
                    ("sys", 0o755), ("etc", 0o755))}
    return oci.image(IMAGE, {
        **directories,
        "pod": (0o755, pod, {}),
        "pod-setuid": (0o4755, pod, {}),
        "pod-netraw": (0o755, pod, {"security.capability": oci.file_capability(CAP_NET_RAW)}),
        "pod32": (0o755, program("vm-pod32"), {}),
        "attack": (0o755, program("vm-attack"), {})})


def pod(name, *command, security=None, mounts=(), volumes=(), spec=None, container=None):
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "automountServiceAccountToken": False, "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 2,
            "containers": [{"name": "c", "image": IMAGE, "imagePullPolicy": "Never",
                            "command": list(command), "securityContext": security or {},
                            "volumeMounts": list(mounts), **(container or {})}],
            "volumes": list(volumes), **(spec or {})}}


def pods():
    """{name: pod}"""
    empty = {"name": "empty", "emptyDir": {}}
    made = [
        pod("ordinary", "/pod", "serve", str(PORT),
            mounts=[{"name": "empty", "mountPath": "/volumes/empty"},
                    {"name": "empty", "mountPath": "/volumes/part", "subPath": "part"},
                    {"name": "memory", "mountPath": "/volumes/memory"},
                    {"name": "facts", "mountPath": "/volumes/facts"}],
            volumes=[empty, {"name": "memory", "emptyDir": {"medium": "Memory"}},
                     {"name": "facts", "downwardAPI": {"items": [
                         {"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}}],
            spec={"securityContext": {"fsGroup": 2000}},
            container={"ports": [{"containerPort": PORT, "hostPort": HOST_PORT}],
                       "livenessProbe": {"exec": {"command": ["/pod", "alive"]},
                                         "periodSeconds": 5, "timeoutSeconds": 20},
                       "readinessProbe": {"httpGet": {"path": "/", "port": PORT},
                                          "periodSeconds": 2, "timeoutSeconds": 20}}),
        pod("bare", "/pod", "bare", security={"capabilities": {"drop": ["ALL"]}}),
        pod("privileged", "/pod", "privileged", security={"privileged": True},
            mounts=[{"name": "shared", "mountPath": "/shared",
                     "mountPropagation": "Bidirectional"}],
            volumes=[{"name": "shared", "hostPath": {"path": "/var/lib/policy/shared",
                                                     "type": "Directory"}}],
            spec={"hostPID": True}),
        pod("filtered", "/pod", "filtered",
            security={"seccompProfile": {"type": "RuntimeDefault"}}),
        pod("setuid", "/pod", "setuid", security={"runAsUser": 1000}),
        pod("no-gain", "/pod", "no-gain",
            security={"runAsUser": 1000, "allowPrivilegeEscalation": False}),
        pod("program32", "/pod32"),
        pod("crash", "/pod", "crash", "/keep/mark",
            mounts=[{"name": "empty", "mountPath": "/keep"}], volumes=[empty]),
    ]
    return {one["metadata"]["name"]: one for one in made}


def write_manifests(directory):
    """Where kubelet looks for them, nothing yet; beside it all of them, to be moved there."""
    (directory / "manifests").mkdir(parents=True)
    (directory / "pods").mkdir()
    for name, one in pods().items():
        (directory / f"pods/{name}.json").write_text(json.dumps(one))
