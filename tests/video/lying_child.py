"""A decode process that lies: the real one, whose answers or reads of the file are changed.

The first argument is the lie, as JSON: its kind, at which answer or read, and what the kind needs.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from spark_keyframes.video.process import file_server, serve
from spark_keyframes.video.process.link import Link
from spark_keyframes.video.process.shared_thread_slots import ThreadCounts

_DEAF = socket.create_server(("127.0.0.1", 0), backlog=1000)
_DEAF.setblocking(False)
_DEAF_ADDRESS = _DEAF.getsockname()
"""A server that reads nothing. It is the engine's in a child that was forked."""
_LINGER_SECONDS = 200

_PLACEHOLDER = "a value that the lie replaces"


def main() -> None:
    """Run the decode process with the lie."""
    lie = json.loads(sys.argv.pop(1))
    if lie["kind"] in READS:
        _change_reads(lie)
    else:
        serve.Link = _LyingLink  # type: ignore[misc]
        _LyingLink.lie = lie
        _LyingLink.counts_descriptor = int(sys.argv[3])
    serve.main()


class _LyingLink(Link):
    lie: dict[str, Any]
    counts_descriptor: int
    answers = 0
    sent = b""
    picture: dict[str, Any]

    def send(self, message: dict[str, Any], *, descriptor: int | None = None) -> None:
        body = json.dumps(message).encode()
        if self.answers == self.lie["at"]:
            ANSWERS[self.lie["kind"]](self, message, descriptor)
        else:
            self.raw(framed(body), descriptor)
        self.answers += 1
        self.sent = framed(body)

    def raw(self, data: bytes, *descriptors: int | None) -> None:
        """Send bytes, and wait until they are sent."""
        rights = [each for each in descriptors if each is not None]
        self._socket.settimeout(60)
        try:
            if rights:
                socket.send_fds(self._socket, [data[:1]], rights)
                data = data[1:]
            self._socket.sendall(data)
        finally:
            self._socket.setblocking(False)


def framed(body: bytes) -> bytes:
    """Return a message with its length."""
    return struct.pack("!i", len(body)) + body


def hang() -> None:
    """Do nothing until the engine kills this process."""
    while True:
        time.sleep(60)


def replaced(message: dict[str, Any], leaf: int, source: str | None) -> bytes:
    """Return the message with one of its values, or keys and values, replaced.

    Args:
        message: its values are counted depth first; an object counts too.
        leaf: number of the value, modulo their number.
        source: the new value as JSON; None removes the value with its key.
    """
    places: list[tuple[dict[str, Any], str]] = []

    def visit(node: dict[str, Any]) -> None:
        for key, value in node.items():
            places.append((node, key))
            for inner in value if isinstance(value, list) else [value]:
                if isinstance(inner, dict):
                    visit(inner)

    visit(message)
    node, key = places[leaf % len(places)]
    if source is None:
        del node[key]
        return json.dumps(message).encode()
    node[key] = _PLACEHOLDER
    return json.dumps(message).replace(f'"{_PLACEHOLDER}"', source).encode()


def lingering() -> int:
    """Return a socket whose last descriptor takes minutes to close."""
    connection = socket.create_connection(_DEAF_ADDRESS)
    connection.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            connection.send(b"x" * 65536)
    linger = struct.pack("ii", 1, _LINGER_SECONDS)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    return connection.detach()


def close_lingering() -> None:
    """Close the other ends of the lingering sockets."""
    with suppress(BlockingIOError):
        while True:
            _DEAF.accept()[0].close()


def _descriptor(kind: str) -> int:
    if kind == "pipe":
        return os.pipe()[0]
    if kind == "file":
        return tempfile.TemporaryFile().detach().fileno()  # type: ignore[no-any-return]
    if kind == "folder":
        return os.open("/", os.O_RDONLY)
    if kind == "zero":
        return os.open("/dev/zero", os.O_RDONLY)
    if kind == "linger":
        return lingering()
    memory = os.memfd_create("lie", os.MFD_ALLOW_SEALING)
    os.ftruncate(memory, 1 << 30 if kind == "unsealed" else 16)
    return memory


def _add(link: _LyingLink, message: dict[str, Any], descriptor: int | None) -> None:
    message["result"] = {**message.get("result", {}), link.lie["key"]: 1}
    link.raw(framed(json.dumps(message).encode()), descriptor)


def _first_or_all(message: dict[str, Any]) -> dict[str, Any]:
    """Return the pictures of an answer, also those that come with the opening of the video."""
    result: dict[str, Any] = message.get("result", {})
    return result.get("first") or result


def _cut(link: _LyingLink, message: dict[str, Any], descriptor: int | None) -> None:
    data = framed(json.dumps(message).encode())
    link.raw(data[: link.lie["size"] % len(data)], descriptor)
    if link.lie["hangs"]:
        hang()


def _replay(link: _LyingLink, message: dict[str, Any], descriptor: int | None) -> None:
    if link.sent:
        link.raw(link.sent)
    link.raw(framed(json.dumps(message).encode()), descriptor)


def _early(link: _LyingLink, message: dict[str, Any], descriptor: int | None) -> None:
    """Answer, and then answer the next command before it was received."""
    link.raw(framed(json.dumps(message).encode()), descriptor)
    message["number"] += 1
    link.raw(framed(json.dumps(message).encode()))


def _flood(link: _LyingLink, message: dict[str, Any], _: int | None) -> None:
    body = framed(json.dumps(message).encode()) if link.lie["messages"] else b"\0\0\xff\xff" * 9999
    while True:
        link.raw(body)


def _trickle(link: _LyingLink, message: dict[str, Any], descriptor: int | None) -> None:
    data = framed(json.dumps(message).encode())
    for start in range(len(data)):
        link.raw(data[start : start + 1], descriptor if link.lie["floods"] or not start else None)
        time.sleep(0.001)


def _more(link: _LyingLink, message: dict[str, Any], descriptor: int | None) -> None:
    """Send other pictures where there is none, without end."""
    link.answers -= 1  # lie again at the next answer
    result = _first_or_all(message)
    pictures = result.get("pictures")
    if pictures:
        link.picture = pictures[-1]
    if result.pop("end", None) and not pictures:
        link.picture["frame_id"] += 1
        pictures.append(link.picture)
    link.raw(framed(json.dumps(message).encode()), descriptor)


def _count(link: _LyingLink, message: dict[str, Any], descriptor: int | None) -> None:
    ThreadCounts(link.counts_descriptor).counts[:] = link.lie["count"]
    link.raw(framed(json.dumps(message).encode()), descriptor)


def _late(link: _LyingLink, message: dict[str, Any], descriptor: int | None) -> None:
    time.sleep(link.lie["seconds"])
    link.raw(framed(json.dumps(message).encode()), descriptor)


def _write(link: _LyingLink, *_: Any) -> None:
    """Write to the standard error, and end."""
    with suppress(OSError):
        for _ in range(link.lie["times"]):
            os.write(2, link.lie["text"].encode())
    os._exit(3)


def _close(link: _LyingLink, *_: Any) -> None:
    link._socket.shutdown(socket.SHUT_RDWR)
    hang()


def _message(link: _LyingLink, message: dict[str, Any], descriptor: int | None) -> None:
    link.raw(framed(replaced(message, link.lie["leaf"], link.lie["source"])), descriptor)


def _whole(link: _LyingLink, _: dict[str, Any], descriptor: int | None) -> None:
    link.raw(framed(link.lie["source"].encode()), descriptor)


def _length(link: _LyingLink, message: dict[str, Any], descriptor: int | None) -> None:
    body = json.dumps(message).encode()
    link.raw(struct.pack("!i", link.lie["length"]) + body, descriptor)


def _repeat(link: _LyingLink, message: dict[str, Any], descriptor: int | None) -> None:
    link.raw(framed(json.dumps(message).encode()), descriptor)
    for _ in range(link.lie["times"]):
        link.raw(framed(json.dumps(message).encode()))


def _with_descriptors(link: _LyingLink, message: dict[str, Any], descriptor: int | None) -> None:
    kinds = link.lie["descriptors"]
    own = [descriptor] if link.lie["keeps"] else []
    others = [_descriptor(kind) for kind in kinds]
    data = framed(json.dumps(message).encode())
    link.raw(data[:1], *own, *others)
    for each in others:
        os.close(each)  # so that the engine has the last one
    link.raw(data[1:])


def _pixels(link: _LyingLink, message: dict[str, Any], descriptor: int | None) -> None:
    """Memory of the right size, and a picture that claims to be larger."""
    for picture in _first_or_all(message).get("pictures", ()):
        picture["height"], picture["width"] = link.lie["height"], link.lie["width"]
    link.raw(framed(json.dumps(message).encode()), descriptor)


ANSWERS: dict[str, Callable[[_LyingLink, dict[str, Any], int | None], None]] = {
    "value": _message,
    "whole": _whole,
    "add": _add,
    "cut": _cut,
    "length": _length,
    "repeat": _repeat,
    "replay": _replay,
    "early": _early,
    "withhold": lambda *_: None,
    "flood": _flood,
    "trickle": _trickle,
    "descriptors": _with_descriptors,
    "pixels": _pixels,
    "more": _more,
    "count": _count,
    "late": _late,
    "hang": lambda *_: hang(),
    "stop": lambda *_: os.kill(os.getpid(), signal.SIGSTOP),
    "close": _close,
    "write": _write,
    "exit": lambda link, *_: os._exit(link.lie["code"]),
    "signal": lambda link, *_: os.kill(os.getpid(), link.lie["number"]),
}
"""Lies about answers. `at` counts the answers."""

READS = ("request", "endless", "deaf", "half", "linger")
"""Lies about reads of a served file. `at` counts the reads."""


def _change_reads(lie: dict[str, Any]) -> None:
    read, reads = file_server.ServedFile.readinto, 0

    def readinto(file: file_server.ServedFile, buffer: Any) -> int:
        nonlocal reads
        reads += 1
        connection, request = file._socket, struct.Struct("<qq")
        if reads - 1 == lie["at"]:
            if lie["kind"] == "request":
                connection.sendall(request.pack(lie["position"], lie["size"]))
            elif lie["kind"] == "half":
                connection.sendall(b"\0" * 7)
                hang()
            elif lie["kind"] == "linger":
                descriptor = lingering()
                socket.send_fds(connection, [b"\0"], [descriptor])
                os.close(descriptor)
            while lie["kind"] in ("endless", "deaf"):
                connection.sendall(request.pack(0, lie["size"]))
                if lie["kind"] == "endless":
                    connection.recv(1 << 20)
        return read(file, buffer)

    file_server.ServedFile.readinto = readinto  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
