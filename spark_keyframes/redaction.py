"""What messages, results and logs may show of strings from outside.

No user info, query or signature, no character that acts on a terminal or begins a line, and no more
than a page. `redact_url` is for one value, such as the video of a row. `redact_text` is for texts
that may quote one, such as the errors of other packages. Both take any string, also one that is no
valid URL, in time linear in its length. Where a secret and a name cannot be told apart, they hide
both.
"""

import re
import unicodedata

_HIDDEN = "***"
_LONGEST_URL = 500  # characters: base64 given in place of a URL must not fill a log
_LONGEST_TEXT = 10_000

# Each also as its full-width form, which some parsers normalise, and percent-encoded, once or more.
_COLON = r"(?:[:：]|%(?:25)*3a)"
_AT = r"(?:[@＠]|%(?:25)*40)"
_EQUALS = r"(?:[=＝]|%(?:25)*3d)"
_SLASH = r"(?:[/\\]|%(?:25)*(?:2f|5c))"


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


# "://" and what people write in its place: ":/", "//", ":\\", "%3A%2F%2F".
_START = _compiled(rf"{_COLON}{_SLASH}+|(?:/|%(?:25)*2f){{2,}}")
_ANY_COLON, _ANY_AT, _ANY_EQUALS = _compiled(_COLON), _compiled(_AT), _compiled(_EQUALS)
_CODED_COLON = _compiled(r"：|%(?:25)*3a")
# A query or parameters begin here: always in a URL, or only where a "=" follows.
_QUERY = re.compile("[?#]")
_PARAMETERS = _compiled(r"[?？#;&]|%(?:25)*(?:3f|23|3b|26)")
_SLASHES = re.compile(r"[/\\]")
_HOST_AND_PORT = re.compile(r"(?:\[[\w:.%~-]*\]|[^:\[\]]*)(?::\d+)?")

# Names whose values are secret, wherever they stand: X-Tos-Signature=…, \"token\": \"…\". Those of
# Hadoop end with a host: fs.azure.account.key.HOST=…
_BEGIN = r"(?:(?<![a-z])|(?-i:(?<=[a-z])(?=[A-Z])))"  # of a word, also in camel case
_QUOTE = r"(?:\\{0,4}[\"'])"
_NAME = (
    r"(?:signature|token|passw(?:or)?d|passphrase|passcode|secret|credential|hmac|hdnt[ls]|"
    r"(?:api|access|account|auth|private)[._-]?key|authorization|cookie|"
    rf"{_BEGIN}(?:sign?|pwd?|jwt|sas|creds?))"
    r"(?:s|id)?(?:[._-]?(?:key|id))?(?:[_-][\w-]{0,40}+)?"
)
_ASSIGNED = rf"(?:{_QUOTE}?\s{{0,20}}+{_EQUALS}|{_QUOTE}\s{{0,20}}+{_COLON})"
_DOTTED = r"(?:\.[\w-]{1,40}+)"
_NAMED = (
    rf"(?:{_NAME}(?:{_QUOTE}?\s{{0,20}}+(?:{_EQUALS}|{_COLON})"
    # Not the names of files: '/secrets/token.json': not found
    rf"|{_DOTTED}{{1,8}}+\s{{0,20}}+{_EQUALS}|{_DOTTED}{{3,8}}+{_ASSIGNED})"
    rf"|{_BEGIN}(?:pass|auth){_ASSIGNED})"
)
_REST = _compiled(rf"({_NAMED}).*")
_QUOTED = r"(?:b?\"(?:[^\"\\\r\n]|\\.)++\"|b?'(?:[^'\\\r\n]|\\.)++'|\\{1,4}\"[^\"\r\n]++\")"
_IN_QUOTES = _compiled(rf"({_NAMED})[\s\[(]{{0,20}}{_QUOTED}\S*")
_WORD = _compiled(rf"({_NAMED})[\s\"'=:<>()\[\]{{}},\\]{{0,20}}(?:(?:basic|bearer)\s{{1,20}})?\S*")
# Headers whose values have blanks: to the closing quote or the end of the line.
_HEADER = _compiled(
    rf"((?:authorization|cookie){_QUOTE}?\s{{0,20}}+(?:{_EQUALS}|{_COLON}))"
    r"(?!\s{0,20}(?:basic|bearer)\s|\*\*\*)\s{0,20}+"
    rf"(?:{_QUOTED}|[^\r\n]*)"
)
# JSON Web Tokens, and access keys as the clouds make them.
_TOKEN = re.compile(
    r"(?<![\w-])eyJ[\w-]{8,}+\.[\w-]{8,}+(?:\.[\w-]*+)?"
    r"|(?<![A-Za-z0-9])(?:AKIA|ASIA|AKLT|AKTP|LTAI)[A-Za-z0-9]{12,}+"
)

# What would be several words: user info with blanks, up to the first "@" after its colon, and a
# query with blanks, up to its next "&name=". Neither goes on in another URL or quoted text.
_SPACED_USER = _compiled(
    r"((?<!/)//++|:[/\\]++)\s*+(?:[^\s/\\@:]*+\s*+:(?:(?!//|:\\|[\"'][\s,;:)])[^@]){0,200}+|"
    r"[^\s/\\@:]++\s{1,20}+[^\s/@]{0,200}+)@"
)
_SPACED_QUERY = _compiled(
    rf"(?:{_PARAMETERS.pattern})[^\s=?]{{1,100}}+=\S{{0,200}}+"
    r"(?:\s{1,20}+[^\s?&]{0,200}+){1,4}+&[\w.-]{1,40}+=\S*"
)
_SUSPICIOUS = _compiled(r"[@＠?？#;&%=＝]")

_DATA = _compiled(r"data:(?:[\w.+-]{1,40}/[\w.+-]{1,40})?(?=[^,\s]{0,200},)")


def redact_url(url: str) -> str:
    """Return a URL, or whatever stands in its place, as messages may show it.

    A URL loses its user info, query and fragment. A plain path keeps `?`, `#` and `@`, unless they
    look like a query (`?x=1`) or user info (`user:password@host`). Control characters and invisible
    ones are escaped, and very long values are cut.
    """
    if data := _DATA.match(url):
        return f"{data[0]}… ({len(url):,} characters)"
    shown = escape_invisible(_without_secrets(url)[: _LONGEST_URL + 1])
    return shown if len(shown) <= _LONGEST_URL else f"{shown[:_LONGEST_URL]}…"


def redact_text(text: str, *, lines: bool = False) -> str:
    """Return a text with each of its words redacted as by `redact_url`.

    Args:
        text: such as the error of another package, which may quote its arguments.
        lines: keep line ends, for tracebacks; otherwise they are escaped too.
    """
    text = _SPACED_USER.sub(_without_spaced_user, text)
    text = _SPACED_QUERY.sub(f"?{_HIDDEN}", text)
    text = _HEADER.sub(_without_value, text)
    text = _IN_QUOTES.sub(_without_value, text)
    text = _WORD.sub(_without_value, text)
    text = re.sub(r"\S+", _redacted_word, text)
    shown = "\n".join(map(escape_invisible, text.split("\n"))) if lines else escape_invisible(text)
    if len(shown) <= _LONGEST_TEXT:
        return shown
    half = _LONGEST_TEXT // 2 - 1
    return f"{shown[:half]}…{shown[-half:]}"  # a traceback ends with the error


def _without_spaced_user(found: re.Match[str]) -> str:
    return f"{found[1]}{_HIDDEN}@" if len(found[0].split()) > 1 else found[0]


def _without_value(found: re.Match[str]) -> str:
    # An "@" is kept: the name may stand in a password, as in "u:my-token:x@host".
    at = "@" if _ANY_AT.search(found[0], found.end(1) - found.start()) else ""
    return f"{found[1]}{_HIDDEN}{at}"


def _redacted_word(found: re.Match[str]) -> str:
    word = found[0]
    if not _SUSPICIOUS.search(word):
        return _TOKEN.sub(_HIDDEN, word)
    # "http://host:80: refused": the second colon belongs to the sentence.
    url = word.rstrip(":,.;)")
    return _without_secrets(url) + word[len(url) :]


def _without_secrets(value: str) -> str:
    start = _START.search(value)
    if start and start.start() < _parameters(value):
        shown = _url(value[: start.start()], start[0], value[start.end() :])
    else:
        shown = _plain(value)
    return _TOKEN.sub(_HIDDEN, _REST.sub(rf"\1{_HIDDEN}", shown))


def _url(scheme: str, slashes: str, rest: str) -> str:
    """Return a URL without user info and query; `rest` is what follows its slashes."""
    if _ANY_COLON.search(scheme) and _ANY_AT.search(rest):  # "u:pass//word@host"
        scheme = _HIDDEN
    scheme = _plain(scheme)
    query = _QUERY.search(rest)
    end = min(query.start() if query else len(rest), _parameters(rest))
    rest, tail = rest[:end], rest[end:]
    slash = _SLASHES.search(rest)
    authority, path = (rest[: slash.start()], rest[slash.start() :]) if slash else (rest, "")
    user, at = _end_of_last(_ANY_AT, authority), _end_of_last(_ANY_AT, path)
    host = authority[user:]
    is_well_formed = slashes.startswith("://") or (scheme.lower(), slashes) == ("file", ":/")
    if (
        not _HOST_AND_PORT.fullmatch(host)
        or _CODED_COLON.search(host)
        # A password with an unescaped "/", "?" or "#", or a path that looks like one.
        or (at and (user or not is_well_formed))
        or (at and _ANY_COLON.search(rest, 0, len(authority) + at))
        or (_ANY_AT.search(tail) and (user or not path or not is_well_formed))
        or (_ANY_AT.search(tail) and _ANY_COLON.search(path))
    ):
        return f"{scheme}{slashes}{_HIDDEN}"
    return f"{scheme}{slashes}{host or _HIDDEN * bool(user)}{path}"


def _plain(value: str) -> str:
    """Return a path without what looks like user info or parameters."""
    end = _end_of_last(_ANY_AT, value)
    colon = _ANY_COLON.search(value, 0, end)
    if colon:
        begin = value.rfind("/", 0, colon.start()) + 1
        value = f"{value[:begin]}{_HIDDEN}@{value[end:]}"
    parameters = _parameters(value)
    return value if parameters == len(value) else f"{value[:parameters]}?{_HIDDEN}"


def _parameters(value: str) -> int:
    """Return where parameters such as `?x=1` or `;x=1` begin; the length if there are none."""
    end = _end_of_last(_ANY_EQUALS, value)
    found = _PARAMETERS.search(value, 0, end)
    return found.start() if found else len(value)


def _end_of_last(pattern: re.Pattern[str], text: str) -> int:
    """Return where the last match ends; 0 if there is none."""
    end = 0
    for found in pattern.finditer(text):
        end = found.end()
    return end


def escape_invisible(text: str) -> str:
    """Return a text in which each control or invisible character is escaped, such as `\\x1b`.

    They would move the cursor, begin a line that looks like one of the log, or reverse the order of
    what follows. Spaces of other scripts stay. A lone surrogate could not be stored.
    """
    if text.isprintable():
        return text
    return "".join(
        each
        if each.isprintable() or unicodedata.category(each) == "Zs"
        else each.encode("unicode_escape").decode()
        for each in text
    )
