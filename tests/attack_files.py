"""Files that refer to other files, and a watch that tells whether those were opened."""

import ctypes
import os
import struct
from pathlib import Path
from typing import Self

_IN_OPEN = 0x20  # of <sys/inotify.h>


class Watch:
    """Tells whether any process has opened a file, with inotify."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Self:
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = libc.inotify_init1(os.O_NONBLOCK)
        added = libc.inotify_add_watch(self._descriptor, os.fsencode(self._path), _IN_OPEN)
        assert self._descriptor >= 0, os.strerror(ctypes.get_errno())
        assert added >= 0, os.strerror(ctypes.get_errno())
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self._descriptor)

    def was_opened(self) -> bool:
        """Return whether the file was opened since the last call."""
        try:
            return bool(os.read(self._descriptor, 4096))
        except BlockingIOError:
            return False


def playlists(file: Path, url: str) -> dict[str, bytes]:
    """Kind of playlist → its text, which refers to `file` and to `url`."""
    return {
        "hls": (
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n"
            f"#EXTINF:10,\nfile://{file}\n#EXTINF:10,\n{url}\n#EXT-X-ENDLIST\n"
        ).encode(),
        "hls with a key": (
            "#EXTM3U\n#EXT-X-TARGETDURATION:10\n"
            f'#EXT-X-KEY:METHOD=AES-128,URI="file://{file}"\n#EXTINF:10,\n{url}\n#EXT-X-ENDLIST\n'
        ).encode(),
        "ffconcat": f"ffconcat version 1.0\nfile '{file}'\nfile '{url}'\n".encode(),
        "sdp": (
            "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=a\nc=IN IP4 127.0.0.1\nt=0 0\n"
            f"u={url}\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
        ).encode(),
        "dash": (
            '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
            'mediaPresentationDuration="PT10S"><Period><AdaptationSet mimeType="video/mp4">'
            f'<Representation id="1" bandwidth="1"><BaseURL>{url}</BaseURL></Representation>'
            "</AdaptationSet></Period></MPD>"
        ).encode(),
    }


def with_data_reference(mp4: bytes, kind: str, target: Path) -> bytes:
    """Return an MP4 that refers to another file for its data. Its index must be at its end."""
    if kind == "url ":
        entry = b"\0\0\0\0" + f"file://{target}\0".encode()
    else:
        # A Macintosh "alias record", as FFmpeg reads it; names and folders are empty.
        path = os.fsencode(target)
        path += b"\0" * (len(path) % 2)
        alias = b"\0" * 10 + b"\0" * 28 + b"\0" * 12 + b"\0" * 64 + b"\0" * 16
        alias += b"\0" * 4 + b"\0" * 16  # no relative path, so that the absolute path counts
        entry = b"\0\0\0\0" + alias + struct.pack(">HH", 2, len(path)) + path + b"\xff\xff\0\0"
    entry = struct.pack(">I", len(entry) + 8) + kind.encode() + entry
    return _replaced(
        mp4, [b"moov", b"trak", b"mdia", b"minf", b"dinf"], b"\0\0\0\0\0\0\0\1" + entry
    )


def _replaced(boxes: bytes, path: list[bytes], content: bytes) -> bytes:
    result, position = b"", 0
    while position < len(boxes):
        size, kind = struct.unpack_from(">I4s", boxes, position)
        inner = boxes[position + 8 : position + size]
        if kind == b"dref" and not path:
            inner = content
        elif path and kind == path[0]:
            inner = _replaced(inner, path[1:], content)
        result += struct.pack(">I4s", len(inner) + 8, kind) + inner
        position += size
    return result


def with_linked_segment(mkv: bytes, name: str, uid: bytes) -> bytes:
    """Return a Matroska file that says that it continues in another, with a chapter of that.

    The addition replaces the void element that FFmpeg writes after the first index.
    """
    added = _ebml("1549A966", _ebml("3EB923", uid) + _ebml("3E83BB", name.encode()))
    chapter = _ebml("73C4", b"\1") + _ebml("91", b"\0") + _ebml("6E67", uid)
    added += _ebml("1043A770", _ebml("45B9", _ebml("45DD", b"\1") + _ebml("B6", chapter)))
    start = mkv.index(b"\xec\x01\0\0\0\0\0\0")
    size = 9 + mkv[start + 8]
    added += _ebml("EC", bytes(size - len(added) - 2))
    assert len(added) == size
    return mkv[:start] + added + mkv[start + size :]


def _ebml(identifier: str, content: bytes) -> bytes:
    assert len(content) < 127
    return bytes.fromhex(identifier) + bytes([0x80 | len(content)]) + content
