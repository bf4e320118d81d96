"""Finds the code of pages: fenced blocks, and the commands in them and in sentences."""

import re
import shlex
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

BLOCK = re.compile(
    r"(?:^ *<!-- not run: (?P<reason>[^>]+) -->\n)?"
    r"^(?P<indent> *)```(?P<language>\w+)[^\n]*\n(?P<code>.*?)^(?P=indent)```$"
    r"(?:\n\n(?P=indent)```(?P<varies>text)?\n(?P<output>.*?)^(?P=indent)```$)?",
    flags=re.DOTALL | re.MULTILINE,
)
SHELL = ("sh", "bash", "shell", "console")
SPAN = re.compile(r"`([^`\n]+)`")
ENDS = {"&&", "||", "|", "|&", ";", "&"}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page that says its language."""

    page: Path
    line: int
    language: str
    code: str
    reason: str | None
    """why it is not run; None: it is"""
    output: str | None
    """what the page shows below it"""
    varies: bool
    """the output differs from run to run"""

    def __str__(self):
        return f"{self.page.name}:{self.line}"


@dataclass(frozen=True)
class Command:
    """One command, without the variables before it."""

    place: str
    words: tuple[str, ...]
    variables: tuple[str, ...] = ()
    """names of those that are set for it"""
    elided: bool = False
    """some of its words are left out: … or ..."""

    def __str__(self):
        return f"{self.place} {' '.join(self.words)[:60]}"


def blocks_of(page):
    text = page.read_text()
    for found in BLOCK.finditer(text):
        line = text[: found.start("language")].count("\n") + 1
        code = re.sub(f"^{found['indent']}", "", found["code"], flags=re.MULTILINE)
        output, varies = found["output"], bool(found["varies"])
        yield Block(page, line, found["language"], code, found["reason"], output, varies)


def commands_of(page):
    """The commands of a page: those of its shell blocks, and those in backticks."""
    text = page.read_text()
    for block in blocks_of(page):
        if block.language in SHELL:
            code = block.code
            if block.language == "console":  # with what is printed
                code = "".join(re.findall(r"^\$ ((?:.*\\\n)*.*\n)", code, flags=re.MULTILINE))
            yield from split(code, str(block))
    prose = re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)
    for span in SPAN.findall(prose):
        if re.match(r"(\.venv/bin/)?(spark-submit|spark-keyframes|python3?|pip|pytest) \S", span):
            for command in split(span, page.name):
                yield replace(command, elided=True)  # a sentence names what matters to it


def split(code, place):
    """The commands of a piece of shell."""
    for line in code.replace("\\\n", " ").splitlines():
        words = words_of(re.sub(r"(^|\s)#.*|\s>\s*\S+", "", line))
        for ends, group in groupby(words, key=lambda word: word in ENDS):
            if not ends:
                yield from command_from(list(group), place)


def words_of(line):
    read = shlex.shlex(line, posix=True, punctuation_chars=";|&<>")
    read.whitespace_split, read.commenters = True, ""
    return list(read)


def command_from(words, place):
    variables = []
    while words and (words[0] == "export" or re.match(r"[A-Z_]+=", words[0])):
        variables.append(words.pop(0).partition("=")[0])
    shown = [word for word in words if word not in ("…", "...")]
    if shown:
        elided = len(shown) < len(words)
        yield Command(place, tuple(shown), tuple(set(variables) - {"export"}), elided)
