"""Addresses in TOS, `tos://bucket/key`. A key is not percent-encoded, and there is no query."""

from spark_keyframes.errors import KeyframesError
from spark_keyframes.redaction import redact_url

_BUCKET = "abcdefghijklmnopqrstuvwxyz0123456789-"
_LONGEST_KEY = 1024  # bytes; TOS refuses longer ones


def bucket_and_key(
    url: str, error: type[KeyframesError], *, shown: str | None = None
) -> tuple[str, str]:
    """Return the bucket and the key of an object.

    Args:
        url: the address.
        error: the class to raise where it cannot be one.
        shown: the address to show instead.
    """
    shown = redact_url(shown or url)
    bucket, key = bucket_and_prefix(url, error, shown=shown)
    # An HTTP client removes these parts from the path, and the signature becomes wrong.
    if not key or {".", ".."} & set(key.split("/")):
        raise error(f"a TOS key must not be empty or have a part '.' or '..', got {shown!r}")
    size = len(key.encode())
    if size > _LONGEST_KEY:
        raise error(
            f"a TOS key has at most {_LONGEST_KEY} bytes in UTF-8, got {size} in {shown!r}; use a "
            "shorter one"
        )
    return bucket, key


def bucket_and_prefix(
    url: str, error: type[KeyframesError], *, shown: str | None = None
) -> tuple[str, str]:
    """Return the bucket, and what follows it, which may be empty."""
    shown = shown or redact_url(url)
    bucket, _, key = url[len("tos://") :].partition("/")
    if not 3 <= len(bucket) <= 63 or bucket.strip(_BUCKET) or bucket.strip("-") != bucket:
        raise error(
            "a TOS address is tos://bucket/key, with a bucket of 3 to 63 lower-case letters, "
            f"digits and hyphens, got {shown!r}"
        )
    try:
        key.encode()
    except UnicodeEncodeError:
        raise error(f"a TOS key must be valid Unicode, got {shown!r}") from None
    return bucket, key
