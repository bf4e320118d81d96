"""URLs as text: their scheme, and what of them may be shown."""

import re

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://|(file):/", re.IGNORECASE)
_AUTHORITY = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(:\d*)?")
_LONGEST_SHOWN = 500  # characters: base64 passed where a URL was due should not fill a log
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
# urllib3 tells only the path: "Max retries exceeded with url: /a.mp4?X-Tos-Signature=…".
_QUERY = re.compile(r"\?[\w.%~+-]+=\S*")


def scheme_of(url: str) -> str:
    """Return the scheme in lower case; empty for a plain path.

    Hadoop writes local files as `file:/path`, with one slash; both forms are known here.
    """
    match = _SCHEME.match(url)
    return (match[1] or match[2]).lower() if match else ""


def redact_url(url: str) -> str:
    """Return `url` without query, fragment and user info: for messages and logs.

    These parts carry signatures and passwords. A plain path is returned as it is, since `?` and
    `#` are ordinary characters in it. Very long values are cut.
    """
    scheme, separator, rest = url.partition("://")
    if separator and scheme_of(url):
        rest = re.split(r"[?#]", rest, maxsplit=1)[0]
        authority, slash, path = rest.partition("/")
        authority = authority.rpartition("@")[2]
        if not _AUTHORITY.fullmatch(authority):
            # A password with an unescaped "/" or "?" in it: nothing here can be told apart.
            authority, slash, path = "***", "", ""
        url = f"{scheme}://{authority}{slash}{path}"
    return url if len(url) <= _LONGEST_SHOWN else f"{url[:_LONGEST_SHOWN]}…"


def redact_text(text: str) -> str:
    """Return `text` with each URL in it as `redact_url` shows it, and without queries.

    For errors of other packages, whose messages hold whatever they were called with.
    """
    return _QUERY.sub("", _URL.sub(lambda found: redact_url(found[0]), text))
