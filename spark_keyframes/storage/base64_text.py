"""Decodes base64, in the forms in which programs hand it on."""

import base64
import binascii
import re

from spark_keyframes.errors import InvalidBase64Error

# What people paste: a Python or JSON literal, and the header of a data URL.
_QUOTES = re.compile(rb"b?'([^']*)'|b?\"([^\"]*)\"")
_HEADER = re.compile(rb"data:[^,]*;base64,", re.IGNORECASE)
# Line ends, also as a literal's "\n" and percent-encoded; "\/" is JSON's "/".
_GAP = rb"\s++|\\[nrt]|%0[9AaDd]|%20"
_DIGIT = rb"[A-Za-z0-9+/_-]++|\\/|%2[BbFfDd]|%5[Ff]"
_PAD = rb"=|%3[Dd]"
_TEXT = re.compile(rb"(?:%b|%b)*+(?:(?:%b)(?:%b)*+){0,2}" % (_DIGIT, _GAP, _PAD, _GAP))
_BLANK = re.compile(rb"(?<!\s) +(?!\s|$)")  # not the indentation of a line
_CODED = re.compile(rb"%([0-9A-Fa-f]{2})")
_BLANK = re.compile(rb"(?<!\s)(?<!\\[nrt]) +(?!\s|\\[nrt])")  # not the indentation of a line
# The characters that differ, plain and percent-encoded.
_ALPHABETS = (
    (b"+", b"/", b"%2b", b"%2B", b"%2f", b"%2F"),
    (b"-", b"_", b"%2d", b"%2D", b"%5f", b"%5F"),
)
_STANDARD = bytes.maketrans(b"-_", b"+/")


def decode_base64(value: str | bytes) -> bytes:
    """Return the bytes of a base64 text.

    Taken are the standard and the URL-safe alphabet, with or without padding, with line ends, as a
    data URL, percent-encoded, and in quotes as Python and JSON print it (`b'…'`).

    Raises:
        InvalidBase64Error: it is no base64, or could mean several things. The message has the
            position of the first wrong character, counted from 0.
    """
    # Each character becomes one byte, so that positions stay. "?" is in no base64.
    text = value.encode("latin-1", "replace") if isinstance(value, str) else value
    start, end = _stripped(text, 0, len(text))
    if quoted := _QUOTES.fullmatch(text, start, end):
        start, end = _stripped(text, *quoted.span(quoted.lastindex or 0))
    if header := _HEADER.match(text, start, end):
        start, end = _stripped(text, header.end(), end)
    elif text[start : start + 5].lower() == b"data:":
        raise InvalidBase64Error(
            "the video is a data URL without base64; give data:video/mp4;base64,…"
        )
    digits = b"".join(text[start:end].split())
    if b"+" not in digits and b"/" not in digits:
        digits = digits.translate(_STANDARD)
    try:
        return base64.b64decode(digits, validate=True)
    except binascii.Error:
        return _unusual(value, text, start, end)


def _stripped(text: bytes, start: int, end: int) -> tuple[int, int]:
    """Return where a part begins and ends without the white space around it."""
    part = text[start:end]
    return end - len(part.lstrip()), start + len(part.rstrip())


def _unusual(value: str | bytes, text: bytes, start: int, end: int) -> bytes:
    """Decode a text without padding, percent-encoded, or with escapes; or say what is wrong."""
    found = _TEXT.match(text, start, end)
    wrong = found.end() if found else start
    if wrong < end:
        character = value[wrong : wrong + 1]
        shown = ascii(character if isinstance(character, str) else character.decode("latin-1"))
        raise _error(value, wrong, f"character {shown} is not of its alphabet")
    both = [
        min(places)
        for alphabet in _ALPHABETS
        if (places := [at for form in alphabet if (at := text.find(form, start, end)) >= 0])
    ]
    if len(both) == 2:
        raise _error(value, max(both), "the standard and the URL-safe alphabet are mixed")
    plain = _CODED.sub(lambda coded: bytes([int(coded[1], 16)]), text[start:end])
    plain = b"".join(re.sub(rb"\\[nrt]", b"", plain).replace(b"\\", b"").split())
    digits = plain.rstrip(b"=").translate(_STANDARD)
    if len(plain) % 4 and (blank := _BLANK.search(text, start, end)):
        raise _error(value, blank.start(), "its padding is wrong, and a blank may have been a '+'")
    if len(digits) % 4 == 1:
        raise _error(value, end, "something is missing")
    return base64.b64decode(digits + b"=" * (-len(digits) % 4))


def _error(value: str | bytes, wrong: int, reason: str) -> InvalidBase64Error:
    # At most one character is shown: the value may be a URL with its signature.
    return InvalidBase64Error(
        f"the video is not base64: {reason}, at position {wrong:,} of {len(value):,}; give base64, "
        "or use video_src_type='video_url' for URLs and paths"
    )
