"""Names what a file is that is not a video, by its first bytes.

Messages show this name and never the content: a path may be that of a file of passwords.
"""

HEAD = 512
"""Bytes that `kind_of` needs."""

_JPEG_XL = (
    "a JPEG XL picture or animation, which this FFmpeg cannot decode; convert an animation to APNG "
    "with: djxl in.jxl out.apng"
)
_ANIMATED_WEBP = (
    "an animated WebP picture, which this FFmpeg cannot decode; convert it to MP4, for example "
    "with ImageMagick: magick in.webp out.mp4"
)
_MAGIC = (
    (b"#EXTM3U", "an HLS playlist (m3u8); give the video that it names"),
    (b"ffconcat", "an FFmpeg concat script; give the videos that it names"),
    (b"[playlist]", "a playlist (pls); give the video that it names"),
    (b"v=0", "an SDP session description"),
    (b"<?xml", "an XML document, a DASH manifest for example"),
    (b"<MPD", "a DASH manifest; give the video that it names"),
    (b"<!doctype html", "an HTML page, perhaps a server's error page"),
    (b"<html", "an HTML page, perhaps a server's error page"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\xff\x0a", _JPEG_XL),
    (b"\0\0\0\x0cJXL \r\n\x87\n", _JPEG_XL),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x1f\x8b", "gzip data"),
    (b"BZh", "bzip2 data"),
    (b"\xfd7zXZ\0", "xz data"),
    (b"\x28\xb5\x2f\xfd", "Zstandard data"),
    (b"%PDF", "a PDF document"),
    (b"PAR1", "a Parquet table"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\x7fELF", "a program"),
    (b"#!", "a script"),
    (b"{", "JSON text"),
)


def kind_of(head: bytes) -> str:
    """Return what the file is, such as "a PDF document", by its first bytes; "" if unknown."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    for magic, kind in _MAGIC:
        if text[: len(magic)].lower() == magic.lower():
            return kind
    if head[257:262] == b"ustar":
        return "a tar archive"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP" and len(head) > 20:
        is_animated = head[12:16] == b"VP8X" and head[20] & 2
        return _ANIMATED_WEBP if is_animated else "a WebP picture"
    if head.strip(b"\0") == b"":
        return "a file that begins with zeros, so that it may not have been written completely"
    return "a text file" if _is_text(head) else ""


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data":  # a character is cut at the end of the head
            return False
        text = head[: error.start].decode()
    return all(each.isprintable() or each in "\t\r\n\f" for each in text)
