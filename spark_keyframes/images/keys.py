"""Where the image of a frame goes: the same video and frame always to the same place."""

import re
import unicodedata

_LONGEST_STEM = 100  # bytes: file systems end at 255 for a name, TOS at 1024 for a key


def image_url(output_dir: str, *, stem: str, identity: str, frame_id: int, img_type: str) -> str:
    """Return `<output_dir>/<stem>-<16 hex digits of identity>/<frame id, 8 digits><img_type>`.

    Args:
        output_dir: a folder, as a URL or a plain path, with or without a slash at its end.
        stem: the video's file name without its ending, for people; anything in it that is not
            safe in a key, a file name and a URL is replaced.
        identity: a hash of the video's source, at least 16 hex digits: it keeps videos of the
            same name apart.
        frame_id: of the frame in presentation order, from 0.
        img_type: ".jpg" or ".png".

    Raises:
        ValueError: no output_dir, an identity that is no hash, or a negative frame_id.
    """
    if not output_dir:
        raise ValueError("output_dir must not be empty; nothing is stored without one")
    if not re.match(r"[0-9a-f]{16}", identity):
        raise ValueError(f"identity must begin with 16 hex digits, got {identity!r}")
    if frame_id < 0:
        raise ValueError(f"frame_id must not be negative, got {frame_id}")
    scheme, separator, folder = output_dir.rpartition("://")
    return (
        f"{scheme}{separator}{folder.rstrip('/')}/{safe_stem(stem)}-{identity[:16]}/"
        f"{frame_id:08d}{img_type}"
    )


def safe_stem(stem: str) -> str:
    """Return `stem` as one part of a key, at most 100 bytes long, never empty.

    Letters, marks and digits of every script stay, and `-`, `_` and `.` inside; each run of
    anything else becomes one `_`.
    """
    # One form for letters that Unicode can write in two ways: macOS names files in the other.
    composed = unicodedata.normalize("NFC", stem)
    kept = [c if c in "-_." or unicodedata.category(c)[0] in "LMN" else " " for c in composed]
    safe = re.sub(r"\.{2,}", ".", re.sub(r" +", "_", "".join(kept).strip()))
    # Cut between characters, and without a dot at either end: hidden files, "..", and Windows.
    cut = safe.strip(".").encode()[:_LONGEST_STEM].decode(errors="ignore").strip(".")
    return cut or "video"
