"""File descriptors that a decode process sends.

The sender decides how long closing them takes: a socket may wait for its peer (SO_LINGER), a file
for its server. So a thread that must not wait does not close them, nor have the kernel drop them.
"""

from __future__ import annotations

import array
import logging
import os
import socket
import struct
import threading
from contextlib import suppress

logger = logging.getLogger("spark_keyframes")

# As many as Linux allows in a message: it closes those without room in the thread that receives.
_ANCILLARY_BYTES = socket.CMSG_SPACE(253 * array.array("i").itemsize)
_CLOSE_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)  # not on macOS
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, for 0 s


def receive_with_descriptors(connection: socket.socket, size: int) -> tuple[bytes, list[int], bool]:
    """Return up to `size` bytes, the descriptors that came with them, and whether any is missing.

    Descriptors are missing if this process may open no more files.
    """
    data, ancillary, flags, _ = connection.recvmsg(size, _ANCILLARY_BYTES, _CLOSE_ON_EXEC)
    descriptors = array.array("i")
    for level, kind, value in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(
                value[: len(value) // descriptors.itemsize * descriptors.itemsize]
            )
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    return data, descriptors.tolist(), bool(flags & socket.MSG_CTRUNC)


def close_received(descriptors: list[int]) -> None:
    """Close descriptors, and those that wait unread in them, in a thread of their own."""
    thread = threading.Thread(
        target=_close, args=(list(descriptors),), name="close-received", daemon=True
    )
    try:
        thread.start()
    except RuntimeError as error:  # too many threads, or Python exits
        logger.warning("%d file descriptors stay open: %s", len(descriptors), error)


def _close(descriptors: list[int]) -> None:
    while descriptors:
        descriptor = descriptors.pop()
        try:
            connection = socket.socket(fileno=descriptor)
        except OSError:  # not a socket
            with suppress(OSError):  # an error of its file
                os.close(descriptor)
            continue
        with suppress(OSError), connection:  # the other end is gone
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            if connection.family == socket.AF_UNIX:
                connection.setblocking(False)
                connection.shutdown(socket.SHUT_RDWR)  # nothing more can arrive
                _take_unread(connection, descriptors)


def _take_unread(connection: socket.socket, descriptors: list[int]) -> None:
    data = b"more"
    while data:
        data, more, _ = receive_with_descriptors(connection, 1 << 16)
        descriptors += more
