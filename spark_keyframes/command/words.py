"""Sorts the words of a command line, by rules that click lacks.

- An option may take several values: `--partition-by year month`.
- An option's value is not the next option: `--text --limit 5` lacks a text.
- All words that are not understood are named at once, with a hint for the first.
"""

import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from spark_keyframes.command.hints import close_to

_NEGATIVE = re.compile(r"-\d+|-\d*\.\d+(?:e-?\d+)?", re.IGNORECASE)


class Taking(Protocol):
    """What must be known of an option."""

    @property
    def is_flag(self) -> bool:
        """Whether it takes no value."""

    @property
    def many(self) -> bool:
        """Whether it takes one value or more."""


@dataclass
class Words:
    """A sorted command line."""

    options: list[tuple[str, str | None]] = field(default_factory=list)
    """the name of each option that is given and its value, None for a flag"""
    arguments: list[str] = field(default_factory=list)
    """what is no option, nor the value of one"""
    unknown: list[str] = field(default_factory=list)
    """words that look like options, and are none; in order, with what follows each"""


class WordsError(ValueError):
    """An option lacks its value, or has one too many."""


def sort_words(words: Sequence[str], known: Mapping[str, Taking]) -> Words:
    """Sort the words of a command line.

    Args:
        words: without the program's name.
        known: the options by name, such as "--text".

    Raises:
        WordsError: an option lacks its value, or has one and takes none.
    """
    sorted_words, rest = Words(), deque(words)
    while rest:
        word = rest.popleft()
        if word == "--":
            sorted_words.arguments += rest
            break
        if not _is_option(word, known):
            sorted_words.arguments.append(word)
            continue
        name, equals, value = word.partition("=")
        option = known.get(name)
        if option is None:
            sorted_words.unknown.append(word)
            while rest and not _is_option(rest[0], known) and rest[0] != "--":
                sorted_words.unknown.append(rest.popleft())
        elif option.is_flag:
            if equals:
                raise WordsError(f"argument {name}: takes no value, got {value!r}")
            sorted_words.options.append((name, None))
        elif equals:
            sorted_words.options.append((name, value))
        else:
            sorted_words.options += [(name, each) for each in _values(name, option, rest, known)]
    return sorted_words


def _values(name: str, option: Taking, rest: deque[str], known: Mapping[str, Taking]) -> list[str]:
    values: list[str] = []
    while rest and (option.many or not values):
        if rest[0] == "--" or _is_option(rest[0], known):
            break
        values.append(rest.popleft())
    if not values:
        wanted = "at least one argument" if option.many else "one argument"
        instead = f", and {rest[0]} follows; write {name}={rest[0]} if that is it" if rest else ""
        raise WordsError(f"argument {name}: expected {wanted}{instead}")
    return values


def _is_option(word: str, known: Mapping[str, Taking]) -> bool:
    if not word.startswith("-") or word == "-":
        return False
    if word.partition("=")[0] in known:
        return True
    # A text such as "- a list" is a value, and so is a negative number.
    return not (_NEGATIVE.fullmatch(word) or " " in word)


def hint_for(unknown: Sequence[str], known: Mapping[str, Taking], missing: Sequence[str]) -> str:
    """Return what may have been meant by words that were not understood, or "".

    Args:
        unknown: the words.
        known: the options by name.
        missing: options that are required, and not given.
    """
    first = unknown[0]
    if not first.startswith("-"):
        if missing:
            return f"; did you mean {missing[0]} {first}?"
        is_path = "." in first or "/" in first
        return "; quote a pattern, so that the shell does not expand it: 'videos/*.mp4'" * is_path
    name = first.partition("=")[0]
    begins = [each for each in known if each.startswith(name)]
    return f"; did you mean {begins[0]}?" if len(begins) == 1 else close_to(name, known)
