"""Addresses in S3, `s3://bucket/key`. A key is not percent-encoded, and there is no query.

`s3a://` and `s3n://` are what Hadoop calls the same addresses.
"""

import re

from spark_keyframes.errors import KeyframesError
from spark_keyframes.redaction import redact_url

# Old buckets have upper-case letters and "_".
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
_LONGEST_KEY = 1024  # bytes; S3 refuses longer ones


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
        raise error(f"a key of S3 must not be empty or have a part '.' or '..', got {shown!r}")
    size = len(key.encode())
    if size > _LONGEST_KEY:
        raise error(
            f"a key of S3 has at most {_LONGEST_KEY} bytes in UTF-8, got {size} in {shown!r}; use "
            "a shorter one"
        )
    return bucket, key


def bucket_and_prefix(
    url: str, error: type[KeyframesError], *, shown: str | None = None
) -> tuple[str, str]:
    """Return the bucket, and what follows it, which may be empty."""
    shown = shown or redact_url(url)
    bucket, _, key = url.partition("://")[2].partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise error(
            "an address in S3 is s3://bucket/key, with a bucket of 3 to 255 letters, digits, dots, "
            f"hyphens and underscores, got {shown!r}; keys belong into the environment"
        )
    try:
        key.encode()
    except UnicodeEncodeError:
        raise error(f"a key of S3 must be valid Unicode, got {shown!r}") from None
    return bucket, key
