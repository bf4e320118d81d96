"""Hints for words that were mistyped."""

import difflib
from collections.abc import Iterable


def close_to(word: str, words: Iterable[str]) -> str:
    """Return "; did you mean …?" with the word of `words` that is close to `word`, or ""."""
    close = difflib.get_close_matches(word, list(words), n=1)
    return f"; did you mean {close[0]}?" if close else ""
