"""URLs of stored images: the same video and frame always get the same URL."""

import re
import unicodedata

_MAX_STEM = 100  # bytes; file systems allow 255 for a name, TOS allows 1024 for a key


def image_url(output_dir: str, *, stem: str, identity: str, frame_id: int, img_type: str) -> str:
    """Return `<output_dir>/<stem>-<16 hex digits of identity>/<frame id, 8 digits><img_type>`.

    Args:
        output_dir: folder, as a URL or a local path, with or without a trailing slash.
        stem: the video's file name without its extension. Characters that are not safe in a key,
            a file name and a URL are replaced.
        identity: hash of the video's source, at least 16 hex digits; it distinguishes videos of
            the same name.
        frame_id: number of the frame in presentation order, from 0.
        img_type: ".jpg" or ".png".

    Raises:
        ValueError: output_dir is empty, identity is not a hash, or frame_id is negative.
    """
    if not output_dir:
        raise ValueError("output_dir must not be empty")
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
    """Return `stem` as one component of a key: 1 to 100 bytes, without unsafe characters.

    Letters, marks and digits of all scripts are kept, and so are `-`, `_` and `.` except a dot at
    either end. Each run of other characters becomes one `_`.
    """
    # macOS decomposes letters such as é in file names, other systems do not.
    composed = unicodedata.normalize("NFC", stem)
    kept = [c if c in "-_." or unicodedata.category(c)[0] in "LMN" else " " for c in composed]
    safe = re.sub(r"\.{2,}", ".", re.sub(r" +", "_", "".join(kept).strip()))
    # A leading dot hides the file, ".." is the parent folder, and Windows drops a trailing dot.
    cut = safe.strip(".").encode()[:_MAX_STEM].decode(errors="ignore").strip(".")
    return cut or "video"
