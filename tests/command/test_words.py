"""Words of a command line, sorted into options and arguments."""

from dataclasses import dataclass

import pytest

from spark_keyframes.command.words import WordsError, hint_for, sort_words


@dataclass
class Takes:
    is_flag: bool = False
    many: bool = False


KNOWN = {"--text": Takes(), "--t2": Takes(), "--cols": Takes(many=True), "--flag": Takes(True)}


@pytest.mark.parametrize(
    ("words", "options", "arguments"),
    [
        (["a.mp4", "--text", "x"], [("--text", "x")], ["a.mp4"]),
        (["--text=x=y", "--text", ""], [("--text", "x=y"), ("--text", "")], []),
        (["--text=--flag"], [("--text", "--flag")], []),
        (["--t2", "-0.5", "--flag"], [("--t2", "-0.5"), ("--flag", None)], []),
        (["--text", "- a list", "--text", "-"], [("--text", "- a list"), ("--text", "-")], []),
        (["--cols", "a", "b", "--flag"], [("--cols", "a"), ("--cols", "b"), ("--flag", None)], []),
        (["--cols=a", "b"], [("--cols", "a")], ["b"]),
        (["--flag", "--", "--text", "x"], [("--flag", None)], ["--text", "x"]),
    ],
)  # fmt: skip
def test_options_and_arguments(words, options, arguments):
    found = sort_words(words, KNOWN)
    assert (found.options, found.arguments, found.unknown) == (options, arguments, [])


def test_what_is_unknown_is_kept_with_what_follows():
    found = sort_words(["--txet", "a b", "--flag", "--x=1"], KNOWN)
    assert found.unknown == ["--txet", "a b", "--x=1"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--text"], "argument --text: expected one argument"),
        (["--text", "--flag"], "and --flag follows; write --text=--flag if that is it"),
        (["--cols"], "argument --cols: expected at least one argument"),
        (["--cols", "--", "a"], "expected at least one argument"),
        (["--flag=yes"], "argument --flag: takes no value, got 'yes'"),
    ],
)
def test_a_value_that_is_missing_or_too_many(words, message):
    with pytest.raises(WordsError, match=message):
        sort_words(words, KNOWN)


@pytest.mark.parametrize(
    ("unknown", "missing", "hint"),
    [
        (["--txet", "x"], [], "; did you mean --text?"),
        (["--fl"], [], "; did you mean --flag?"),
        (["--nothing-like-it"], [], ""),
        (["spoon"], [], ""),
        (["a.mp4"], ["--input"], "; did you mean --input a.mp4?"),
        (["a.mp4"], [], "; quote a pattern, so that the shell does not expand it: 'videos/*.mp4'"),
    ],
)
def test_hints(unknown, missing, hint):
    assert hint_for(unknown, KNOWN, missing) == hint
