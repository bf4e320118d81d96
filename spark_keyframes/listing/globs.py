"""Globs as Hadoop writes them, for Python: `*`, `?`, `[a-z]`, `[^a]`, `{a,b}` and a backslash."""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

_SPECIAL = re.compile(r"[*?\[\]{}\\]")


def is_glob(location: str) -> bool:
    """Return whether Spark takes this for a glob."""
    return bool(re.search(r"(?<!\\)[*?\[{]", location))


def escaped(location: str) -> str:
    """Return a glob that matches this location only."""
    return _SPECIAL.sub(r"\\\g<0>", location)


def unescaped(location: str) -> str:
    """Return the only location that this matches, which is no glob."""
    return re.sub(r"\\(.)", r"\1", location)


def alternatives(pattern: str) -> Iterator[str]:
    """Yield a pattern for each choice of its {a,b}; choices hold no braces themselves."""
    choice = re.search(r"(?<!\\)\{([^{}]*)(?<!\\)\}", pattern)
    if choice is None:
        yield pattern
        return
    for each in choice[1].split(","):
        yield from alternatives(f"{pattern[: choice.start()]}{each}{pattern[choice.end() :]}")


def for_python(pattern: str) -> str:
    """Return the pattern with "[^a]" as "[!a]", and "\\\\*" as "[*]"."""
    return re.sub(r"\\(.)", r"[\1]", pattern.replace("[^", "[!"))


def matches(name: str, pattern: str) -> bool:
    """Return whether a file's name matches; only a pattern that begins with a dot matches dots."""
    hidden = name.startswith(".") and not pattern.startswith(".")
    return not hidden and fnmatchcase(name, for_python(pattern))
