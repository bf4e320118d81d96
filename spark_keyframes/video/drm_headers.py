"""Tells whether the header of an FLV or ASF file announces encryption."""

from __future__ import annotations

from spark_keyframes.video.header_parts import Window

_MOST_PARTS = 64  # before the first packet of a clear file there are about ten

_FLV_HEADER = 9  # bytes
_SCRIPT, _FILTERED = 0x12, 0x20  # the type of a tag, and its bit for encryption
_ADOBE_ACCESS = b"\x02\0\x11|AdditionalHeader"  # the name of a script tag, as an AMF string

_ASF_HEADER = 30  # bytes
_ASF_ENCRYPTION = {
    bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e"),  # content encryption
    bytes.fromhex("14e68a292226174cb935dae07ee9289c"),  # extended
    bytes.fromhex("338505438169e6499b74ad12cb86d58c"),  # advanced
}


def flv_encryption(file: Window) -> str:
    """Return how an FLV file is encrypted, by its tags up to the first packet; "" if it is not."""
    at = _FLV_HEADER + 4
    for _ in range(_MOST_PARTS):
        tag = file.read(at, at + 11 + len(_ADOBE_ACCESS))
        kind, name = tag[:1], tag[11:]
        if not kind:
            return ""
        if kind[0] & _FILTERED or (kind[0] == _SCRIPT and name == _ADOBE_ACCESS):
            return "its header announces encrypted tags"
        if kind[0] != _SCRIPT:
            return ""
        at += 11 + int.from_bytes(tag[1:4], "big") + 4
    return ""


def asf_encryption(file: Window) -> str:
    """Return how an ASF file is encrypted, by the objects of its header; "" if it is not."""
    stop = int.from_bytes(file.read(16, 24), "little")
    at = _ASF_HEADER
    for _ in range(_MOST_PARTS):
        head = file.read(at, min(at + 24, stop))
        if head[:16] in _ASF_ENCRYPTION:
            return "its header is that of Windows Media DRM"
        size = int.from_bytes(head[16:], "little")
        if size < 24:
            return ""
        at += size
    return ""
