# SPDX-License-Identifier: Apache-2.0
"""kubelet's own server, as an API server uses it: exec and logs of the containers on a node.

`/run` is answered through the CRI's ExecSync; `/exec` opens a stream through the CRI's Exec, here
over a WebSocket (RFC 6455) with the subprotocol v4.channel.k8s.io: the first byte of a message says
which stream it is of (1 output, 2 errors, 3 the status at the end).
"""

import base64
import http.client
import json
import os
import socket
import ssl
import struct
import urllib.parse

from .machine import scale


class Kubelet:
    """kubelet on a port of this host; `certificate` is the only one that is trusted.

    Pods are static ones, by the names of their manifests: kubelet adds the node's.
    """

    def __init__(self, port, certificate, node="node"):
        self.port = port
        self.node = node
        self._tls = ssl.create_default_context(cafile=str(certificate))
        self._tls.check_hostname = False
        self._connection = None

    def _ask(self, method, path, timeout=60):
        """One connection for all: a slow guest spends long on a TLS handshake."""
        if self._connection is None:
            self._connection = http.client.HTTPSConnection(
                "127.0.0.1", self.port, context=self._tls, timeout=timeout * scale())
        try:
            self._connection.request(method, path)
            answer = self._connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            self._connection = None
            raise OSError(f"kubelet does not answer {path}: {error!r}") from error

    def _good(self, method, path):
        status, text = self._ask(method, path)
        if status != 200:
            raise RuntimeError(f"kubelet answers {path} with {status}: {text}")
        return text

    def pods(self):
        """Name to pod, as kubelet sees them."""
        return {pod["metadata"]["name"].removesuffix(f"-{self.node}"): pod
                for pod in json.loads(self._good("GET", "/pods"))["items"] or []}

    def states(self):
        """{pod: {container: (state, ready, restarts)}}"""
        return {name: {c["name"]: (next(iter(c["state"])), c["ready"], c["restartCount"])
                       for c in pod["status"].get("containerStatuses", [])}
                for name, pod in self.pods().items()}

    def logs(self, pod, container, previous=False):
        return self._good("GET", f"/containerLogs/default/{pod}-{self.node}/{container}"
                          + ("?previous=true" if previous else ""))

    def run(self, pod, container, *command):
        """The output of a command in a container, by one call."""
        words = urllib.parse.urlencode({"cmd": " ".join(command)})
        return self._good("POST", f"/run/default/{pod}-{self.node}/{container}?{words}")

    def execute(self, pod, container, *command):
        """(output, errors, status) of a command in a container, by a stream."""
        words = urllib.parse.urlencode([("command", word) for word in command]
                                       + [("output", "1"), ("error", "1")])
        with socket.create_connection(("127.0.0.1", self.port), 60 * scale()) as plain:
            with self._tls.wrap_socket(plain) as stream:
                return _session(stream, f"/exec/default/{pod}-{self.node}/{container}?{words}")


def _session(stream, path):
    key = base64.b64encode(os.urandom(16)).decode()
    stream.sendall((f"GET {path} HTTP/1.1\r\nHost: node\r\nConnection: Upgrade\r\n"
                    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                    f"Sec-WebSocket-Key: {key}\r\n"
                    "Sec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n").encode())
    reader = stream.makefile("rb")
    first = reader.readline().decode()
    head = iter(lambda: reader.readline().strip(), b"")
    told = list(head)
    if " 101 " not in first:
        raise RuntimeError(f"kubelet answers {path} with {first}{told}")
    streams = {1: b"", 2: b"", 3: b""}
    while True:
        begin = reader.read(2)
        if len(begin) < 2 or begin[0] & 15 == 8:
            break
        size = begin[1] & 127
        if size == 126:
            size = struct.unpack(">H", reader.read(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", reader.read(8))[0]
        data = reader.read(size)
        if begin[0] & 15 in (0, 1, 2) and data:
            streams[data[0]] = streams.get(data[0], b"") + data[1:]
    return tuple(streams[n].decode("utf-8", "replace") for n in (1, 2, 3))
