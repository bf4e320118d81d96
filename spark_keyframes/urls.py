"""URLs as text: their scheme, their host, their length, and what is usually wrong with them."""

import ipaddress
import re
from urllib.parse import urlsplit

from spark_keyframes.errors import SourceReadError
from spark_keyframes.redaction import redact_url

LONGEST_URL = 8192
"""Characters. Web servers accept about as many, and no path of Linux is longer than 4,096 bytes."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://|(file):/|(data):(?=[^,\s]{0,200},)", re.I)
# After the user info: a name or an address in brackets, and a port.
_HOST_AND_PORT = re.compile(r"(?:\[([^\[\]]+)\]|([^\[\]:]+))(?::[0-9]*)?")
_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")

# What is wrong with a URL that could not be opened, and what to write instead.
_OFTEN_WRONG = [
    (re.compile(pattern, re.I | re.S), advice)
    for pattern, advice in (
        (r"\s|.*\s\Z", "it begins or ends with white space: remove it, in SQL with trim(…)"),
        (r".*[\r\n]", "it contains a line end: give one video per row"),
        (r"([\"'`]).*\1\Z|[<“‘].*[>”’]\Z", "it stands in quotes or brackets: remove them"),
        (r"~[\w.-]*/|~\Z", "~ is not expanded, as each machine has its own: write the whole path"),
        (r"dbfs:/+Volumes/", "write /Volumes/… for dbfs:/Volumes/…: each machine has it there"),
        (r"dbfs:/", "write /dbfs/… for dbfs:/…: that is where Databricks mounts it"),
        (r"(hdfs|viewfs|webhdfs):/(?!/)", "write hdfs:///path, or hdfs://name-node/path"),
        (
            r"(?!file:)[a-z][a-z0-9+.-]+:/(?!/)",
            "write two slashes after the scheme: tos://bucket/key",
        ),
    )
]


def scheme_of(url: str) -> str:
    """Return the scheme in lower case, or "" for a plain path.

    Hadoop writes local files as `file:/path`, with one slash. This form has a scheme too, and so
    has `data:video/mp4;base64,…`.
    """
    match = _SCHEME.match(url)
    return match[match.lastindex or 0].lower() if match else ""


def is_local(url: str) -> bool:
    """Return whether this is a plain path or the URL of a local file."""
    return scheme_of(url) in ("", "file", "local")  # local:// is a scheme of fsspec


def advice_on_url(url: str) -> str:
    """Return how to correct what people often get wrong in a URL or path, or ""."""
    return next((advice for wrong, advice in _OFTEN_WRONG if wrong.match(url)), "")


def check_length(url: str) -> None:
    """Raise SourceReadError if this is longer than a URL or path can be, base64 for example.

    Call it before a URL is parsed: parsers keep what they have parsed, and normalising some texts
    takes them time that grows with the square of the length.
    """
    if len(url) > LONGEST_URL and scheme_of(url) != "data":
        raise SourceReadError(
            f"{redact_url(url)} is not read: it has {len(url):,} characters, and a URL or path at "
            f"most {LONGEST_URL:,}; use video_src_type='video_base64' for base64"
        )


def host_of(url: str) -> str:
    """Return the host or bucket in lower case, or "" where different parsers could disagree."""
    authority = re.split("[/?#]", url.partition("://")[2], maxsplit=1)[0]
    match = _HOST_AND_PORT.fullmatch(authority.rpartition("@")[2])
    host = (match[1] or match[2]).lower() if match and "\\" not in authority else ""
    try:
        agreed = is_host(host.removesuffix(".")) and urlsplit(url).hostname == host
    except ValueError:
        agreed = False
    return host.removesuffix(".") if agreed else ""


def is_host(text: str) -> bool:
    """Return whether this is a host or bucket name in ASCII, or an IPv6 address."""
    if _NAME.fullmatch(text):
        return True
    try:
        return bool(ipaddress.IPv6Address(text))
    except ValueError:
        return False
