"""Pages in Chinese have the content of the English ones, line by line."""

import re
from typing import NamedTuple

import pytest

from docs.texts import CHINESE, IN_WORDS, chinese_texts, tables
from tests.conftest import REPO

PAIRS = {
    REPO / "README.zh.md": REPO / "README.md",
    **{page: REPO / "docs" / page.name for page in sorted(CHINESE.glob("*.md"))},
}
"""The English page of each Chinese one."""
TRANSLATED = {english.relative_to(REPO).as_posix() for english in PAIRS.values()}


class Line(NamedTuple):
    """What both languages must have in a line."""

    kind: str
    code: list[str]
    numbers: list[str]
    links: list[str]


def lines_of(page, text):
    """Each line of a page but empty ones: code as it is, others by what is the same in both."""
    in_code = False
    for line in text.splitlines():
        if line.startswith("```"):
            in_code = not in_code
        if in_code or line.startswith(("```", "<!--")):
            yield line
        elif line and not line.startswith(("[中文](", "[English](")):
            yield facts_of(page, line)


def facts_of(page, line):
    prose = re.sub(r"`[^`]*`|\]\([^)]*\)", " ", line)
    code = re.findall(r"`[^`]*`", line)
    kind = re.match(r"#+ |- |\||!\[|", line)[0]
    if kind == "|":
        kind += str(line.count("|") - sum(span.count("|") for span in code))
    numbers = re.findall(r"\d+(?:[.,]\d+)*", prose)
    links = [english_target(page, link) for link in re.findall(r"\]\(([^)]*)\)", line)]
    return Line(kind, sorted(code), sorted(numbers), links)


def english_target(page, link):
    """The page that a link leads to, seen from the repository; of a Chinese one, the English."""
    path, _, anchor = link.partition("#")
    if not path:
        return "#"  # headings have other anchors
    target = (page.parent / path).resolve()
    english = PAIRS.get(target, target).relative_to(REPO).as_posix()
    return english if english in TRANSLATED else f"{english}#{anchor}"


@pytest.mark.parametrize("chinese", PAIRS, ids=lambda page: page.relative_to(REPO).as_posix())
def test_a_chinese_page_has_the_content_of_the_english_one(chinese):
    english = PAIRS[chinese]
    ours = list(lines_of(chinese, chinese.read_text()))
    theirs = list(lines_of(english, english.read_text()))
    for one, other in zip(ours, theirs, strict=False):
        assert one == other
    assert len(ours) == len(theirs)


@pytest.mark.parametrize("chinese", PAIRS, ids=lambda page: page.relative_to(REPO).as_posix())
def test_both_pages_lead_to_each_other(chinese):
    english = PAIRS[chinese]
    for page, other, name in ((chinese, english, "English"), (english, chinese, "中文")):
        link = re.search(rf"^\[{name}\]\(([^)]*)\)", page.read_text(), re.MULTILINE)
        assert (page.parent / link[1]).resolve() == other


def test_a_chinese_page_leads_to_chinese_pages_where_there_are_some():
    for page in PAIRS:
        for link in re.findall(r"(?<!\[English\])\(([^)\s#]*\.md)", page.read_text()):
            target = (page.parent / link).resolve()
            assert target not in PAIRS.values(), f"{page.name}: {link} is there in Chinese"


def test_the_pages_that_users_of_the_documented_operator_need_are_there():
    needed = {"migration.md", "parameters.md", "result.md", "tos.md", "errors.md"}
    assert needed <= {page.name for page in PAIRS}


def test_every_chinese_text_is_in_a_table():
    cells = {cell for rows in tables().values() for cell in re.split(r" \| |\| | \|", rows) if cell}
    assert chinese_texts().keys() - cells == set()


@pytest.mark.parametrize("english", [text for text in chinese_texts() if text not in IN_WORDS])
def test_a_chinese_text_has_the_code_and_the_figures_of_the_english_one(english):
    page, translated = REPO / "docs" / "parameters.md", CHINESE / "parameters.md"
    assert facts_of(translated, chinese_texts()[english]) == facts_of(page, english)


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("Above 0.5 s.", "大于 0.6 s。"),
        ("See `fps`.", "见 `fp`。"),
        ("## Above", "### 以上"),
        ("- Above", "以上"),
        ("See [tos](docs/tos.md).", "见 [tos](docs/s3.md)。"),
        ("| `a` | b |", "| `a` |"),
        ("```\n1\n```", "```\n2\n```"),
    ],
)
def test_a_difference_is_noticed(english, chinese):
    assert list(lines_of(REPO / "README.md", english)) != list(
        lines_of(REPO / "README.zh.md", chinese)
    )


def test_words_may_differ():
    english = "Above 0.5, see `fps` in [tos](docs/tos.md#credentials)."
    chinese = "大于 0.5，见 [tos](docs/zh/tos.md#凭证) 中的 `fps`。"
    assert list(lines_of(REPO / "README.md", english)) == list(
        lines_of(REPO / "README.zh.md", chinese)
    )
