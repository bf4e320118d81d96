"""Strings with a secret planted where a URL has one, as people and attackers write them.

A secret is user info, the value of a query, or the value of a name such as token=. Around it, and
before the URL, are blanks, quotes, brackets, escape characters and characters without a width.
"""

import functools
import re
from typing import NamedTuple

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

_LETTERS = "QZXJKVW"  # rare ones, so that no message has a piece of a secret by chance
_PIECE = 5  # characters: no piece of a secret of this length may be shown

SIGNS = (*"\"'<>()[]{}`|^*!,~$", "\u200b", "\ufeff", "\u202e", "\x1b[2J", "\0", "\\")
BLANKS = (" ", "\t", "\n", "\r\n", "\x85", "\xa0", "\u2028", "\u3000")

# All of these have slashes, so that what stands before an "@" is user info.
_WITH_SLASHES = (
    *(
        "http://",
        "http://",
        "http://",
        "http://",
        "https://",
        "HTTP://",
        "tos://",
        "s3://",
        "gs://",
        "hdfs://",
        "gopher://",
    ),
    *("https:/", "http//", "://", "//", "///", "http:///", "http:\\\\", "http:/\\", "http:\\/"),
    *("http%3A%2F%2F", "http%253a%252f%252f", "http：//", "file://", "file:/", "zip://a::http://"),
    *("http://proxy.example/http://", "get http://", "url=https://", "https: //", "x/https://"),
)
_WITHOUT_SLASHES = ("", "http:", "folder/", "/data/", "a b/", "C:\\")
_COLONS = (":", ":", ":", "%3A", "%3a", "%253A", "：")
_ATS = ("@", "@", "@", "%40", "%2540", "＠", "@@", "@x@")
_HOSTS = ("127.0.0.1:1", "127.0.0.1:1", "127.0.0.1", "[::1]:1", "host", "", "ex℀mple.com", "[bad")
_PATHS = ("/a.mp4", "/a.mp4", "", "/", "/photo@2x/勺 子.mp4", "/dt=2024-01-01/a;b.mp4", "/%2e%2e/a")
_NAMES = (
    *("X-Amz-Signature", "X-Tos-Signature", "Signature", "signature", "token", "TOKEN", "password"),
    *("sig", "x", "q", "a%20b", "access_token", "X-Tos-Security-Token", "AWSAccessKeyId", "[x]"),
)
_SECRET_NAMES = (
    *("X-Amz-Signature", "X-Tos-Signature", "Signature", "signatures", "sig", "token", "tokens"),
    *("exp=1~acl=/*~hmac", "hdnts=exp=1~hmac", "hdntl", "auth_key", "auth-key", "auth", "hmac"),
    *("secretKey", "fs.s3a.secret.key", "AccountKey", "fs.azure.account.key.a.windows.net"),
    *("password", "passwords", "pass", "db_pass", "dbPass", "passwd", "jwt", "secrets", "api.key"),
)
_QUERIES = (
    "?",
    "?",
    "?",
    "?x=1&",
    "%3F",
    "%3f",
    "%253F",
    "#",
    "%23",
    ";",
    "%3B",
    "&",
    "/?",
    "&amp;",
)
_EQUALS = ("=", "=", "=", "%3D", "%253d", "＝")

# Of the texts of other packages. "{}" is the secret.
_AFTER_NAMES = (
    *("={}", "='{}'", '="a {}"', "      =   {}", "\t=\t{}", "': '{}'", "': b'{}'", "': ['{}']"),
    *('": "{}"', '\\": \\"{}\\"', '\\\\\\": \\\\\\"{}\\\\\\"', '"   :  "a b {}"'),
)
_HEADERS = ("Authorization", "authorization", "Proxy-Authorization", "Cookie", "Set-Cookie")
_AFTER_HEADERS = (
    *(": AWS AKID:{}", ": Basic {}", ": Bearer  {}", ": Token {}", ": ApiKey\t{}", "={}"),
    *(': Digest username="u", response="{}"', "': b'Basic {}'", "': 'AWS a:{}', 'x': 'y'"),
    *('": "Digest a=\\"b\\", c=\\"{}\\""', '\\": \\"AWS a:{}\\"', ": a=b; c=d; {}"),
)
_WITH_BLANKS = (
    *("u:pw{1}{0}", "u:{1}{0}", "u:a/b{1}{0}", "u{1}:{1}{0}", "u:a?b{1}c{1}{0}", "u:{0}{1}b"),
    *("{0}{1}", "u{1}{0}", "u:{1}{0}{1}a{1}b"),
)


class Planted(NamedTuple):
    """A string with a secret."""

    text: str
    secret: str

    def shown_in(self, *texts: object) -> bool:
        """Return whether a piece of the secret is in one of the texts, or of their reprs."""
        return bool(shown([self], *texts))


def shown(values: list[Planted], *texts: object) -> set[str]:
    """Return the pieces of secrets that are in one of the texts, or of their reprs."""
    secret = {piece for value in values for piece in _pieces(value.secret)}
    return secret & {
        piece
        for text in texts
        for word in re.findall(f"[{_LETTERS}]{{{_PIECE},}}", str(text).upper())
        for piece in _pieces(word)
    }


def _pieces(word: str) -> set[str]:
    return {word[i : i + _PIECE] for i in range(len(word) - _PIECE + 1)}


@st.composite
def planted(draw: st.DrawFn, *, blanks: bool = True) -> Planted:
    """Draw a string.

    Args:
        draw: of hypothesis.
        blanks: whether blanks may stand within it. In the middle of a sentence, they end a URL.
    """
    signs = st.sampled_from(SIGNS + BLANKS * blanks)
    junk = st.lists(signs, max_size=3).map("".join)
    unescaped = st.lists(st.one_of(signs, st.sampled_from((*"/?#:@=&;", "pw"))), max_size=3).map(
        "".join
    )
    secret = draw(st.text(_LETTERS, min_size=10, max_size=16))
    place = draw(st.sampled_from(("user", "password", "password", "query", "query", "name")))
    slashes = draw(st.sampled_from((True, True, False)))
    scheme = draw(st.sampled_from(_WITH_SLASHES if slashes else _WITHOUT_SLASHES))
    if not blanks:
        scheme = scheme.replace(" ", "")
    colon, at = draw(st.sampled_from(_COLONS)), draw(st.sampled_from(_ATS))
    host, path = draw(st.sampled_from(_HOSTS)), draw(st.sampled_from(_PATHS))
    if not blanks:
        path = path.replace(" ", "")
    user = ""
    if place == "user":
        user = f"{secret}{colon}pw{at}" if draw(st.booleans()) or not slashes else f"{secret}{at}"
    elif place == "password":
        first = draw(unescaped)
        if not slashes:
            first = first.lstrip("/\\")  # "u://" would be the scheme of a valid URL
        user = f"u{colon}{first}{secret}{draw(unescaped)}{at}"
    elif draw(st.booleans()):
        user = "me:pw@"
    tail = ""
    if place == "query":
        name, equals = draw(st.sampled_from(_NAMES)), draw(st.sampled_from(_EQUALS))
        tail = f"{draw(st.sampled_from(_QUERIES))}{name}{equals}{draw(junk)}{secret}{draw(junk)}"
        tail += draw(st.sampled_from(("", "&y=2", "#t=1")))
    elif place == "name":
        tail = f"{draw(st.sampled_from('/,|'))}{draw(st.sampled_from(_SECRET_NAMES))}={secret}"
    before = draw(st.one_of(st.just(""), junk))
    return Planted(f"{before}{scheme}{user}{host}{path}{tail}{draw(junk)}", secret)


@st.composite
def planted_in_texts(draw: st.DrawFn) -> Planted:
    """Draw a text of another package: names, headers, and URLs with blanks, in a sentence."""
    secret = draw(st.text(_LETTERS, min_size=10, max_size=16))
    blank = "".join(draw(st.lists(st.sampled_from(BLANKS), min_size=1, max_size=3)))
    slashes = draw(st.sampled_from(("http://", "s3://", "https:/", "http//", "http:\\\\")))
    place = draw(st.sampled_from(("name", "header", "user", "query")))
    if place == "name":
        names = [name for name in _SECRET_NAMES if "=" not in name]
        text = draw(st.sampled_from(names)) + draw(st.sampled_from(_AFTER_NAMES))
    elif place == "header":
        text = draw(st.sampled_from(_HEADERS)) + draw(st.sampled_from(_AFTER_HEADERS))
    elif place == "user":
        text = f"{slashes}{draw(st.sampled_from(_WITH_BLANKS))}@host/a.mp4"
    else:
        sign = draw(st.sampled_from(("?", "#", ";", "%3F", "?x=1&")))
        text = f"{slashes}host/a.mp4{sign}{draw(st.sampled_from(_NAMES))}=a{{1}}{{0}}&y=2"
    text = text.replace("{}", secret).replace("{0}", secret).replace("{1}", blank)
    before = draw(st.sampled_from(("", "error: ", "(", "a b=c ", "http://host:80/a.mp4: ")))
    return Planted(
        f"{before}{text}{draw(st.sampled_from(('', ' refused', ') x', '; gone')))}", secret
    )


@functools.cache
def examples(count: int) -> list[Planted]:
    """Return strings that are the same in each run."""
    found: list[Planted] = []

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(planted())
    def collect(each: Planted) -> None:
        found.append(each)

    collect()
    return found
