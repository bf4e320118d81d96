"""What a text that others wrote may show of a URL."""

import re

from spark_keyframes.storage.base import redact_url

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
# urllib3 tells only the path: "Max retries exceeded with url: /a.mp4?X-Tos-Signature=…".
_QUERY = re.compile(r"\?[\w.%~+-]+=\S*")


def redact_text(text: str) -> str:
    """Return `text` with each URL in it as `redact_url` shows it, and without queries.

    For errors of other packages, whose messages hold whatever they were called with.
    """
    return _QUERY.sub("", _URL.sub(lambda found: redact_url(found[0]), text))
