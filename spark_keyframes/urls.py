"""URLs as text: their scheme and host, and the form that is safe to show."""

import ipaddress
import re

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://|(file):/", re.IGNORECASE)
# Between "://" and the path: user info, a name or an address in brackets, a port.
_AUTHORITY = re.compile(r"(?:[^\\]*@)?(?:\[([^\[\]]+)\]|([^\[\]:]+))(?::[0-9]*)?")
_HOST_AND_PORT = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(:\d*)?")
_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_LONGEST_SHOWN = 500  # characters: base64 given in place of a URL must not fill a log
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
# urllib3 shows only the path: "Max retries exceeded with url: /a.mp4?X-Tos-Signature=…".
_QUERY = re.compile(r"\?[\w.%~+-]+=\S*")


def scheme_of(url: str) -> str:
    """Return the scheme in lower case, or "" for a plain path.

    Hadoop writes local files as `file:/path`, with one slash. This form has a scheme too.
    """
    match = _SCHEME.match(url)
    return (match[1] or match[2]).lower() if match else ""


def is_local(url: str) -> bool:
    """Return whether this is a plain path or the URL of a local file."""
    return scheme_of(url) in ("", "file", "local")  # local:// is a scheme of fsspec


def host_of(url: str) -> str:
    """Return the host or bucket in lower case, or "" where different parsers could disagree."""
    authority = re.split("[/?#]", url.partition("://")[2], maxsplit=1)[0]
    match = _AUTHORITY.fullmatch(authority)
    host = (match[1] or match[2]).lower().removesuffix(".") if match else ""
    return host if is_host(host) else ""


def is_host(text: str) -> bool:
    """Return whether this is a host or bucket name in ASCII, or an IPv6 address."""
    if _NAME.fullmatch(text):
        return True
    try:
        return bool(ipaddress.IPv6Address(text))
    except ValueError:
        return False


def redact_url(url: str) -> str:
    """Return the URL without query, fragment and user info, for messages and logs.

    These parts hold signatures and passwords. A plain path stays as it is: `?` and `#` are ordinary
    characters there. Very long values are cut.
    """
    scheme, separator, rest = url.partition("://")
    if separator and scheme_of(url):
        rest = re.split(r"[?#]", rest, maxsplit=1)[0]
        authority, slash, path = rest.partition("/")
        authority = authority.rpartition("@")[2]
        if not _HOST_AND_PORT.fullmatch(authority):
            # A password with an unescaped "/" or "?": the host cannot be told from the password.
            authority, slash, path = "***", "", ""
        url = f"{scheme}://{authority}{slash}{path}"
    return url if len(url) <= _LONGEST_SHOWN else f"{url[:_LONGEST_SHOWN]}…"


def redact_text(text: str) -> str:
    """Return the text with every URL redacted as by `redact_url`, and without other queries.

    Use it for the errors of other packages, which may quote their arguments.
    """
    return _QUERY.sub("", _URL.sub(lambda found: redact_url(found[0]), text))
