"""Writes the texts of parameters, results and accounts into docstrings and pages.

    python docs/texts.py            # write
    python docs/texts.py --check    # exit with 1 where a text differs

The texts live in the fields of dataclasses, see spark_keyframes/fields.py. The command line and the
ML Params read them from there when they run. docs/zh/texts.toml has them in Chinese.
"""

import argparse
import inspect
import re
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from spark_keyframes import Access, Keyframes, Limits, VideoAdaptiveKeyframesSampling, errors
from spark_keyframes.account import account_columns
from spark_keyframes.fields import doc_of, spelled
from spark_keyframes.index_info import index_info_columns
from spark_keyframes.made_by import made_by_columns
from spark_keyframes.report import ReportOptions
from spark_keyframes.schema import KEYFRAMES_DDL
from spark_keyframes.spark.candidates_options import CandidatesOptions
from spark_keyframes.spark.transform_options import TRANSFORM_OPTIONS

ROOT = Path(__file__).parent.parent
CHINESE = ROOT / "docs" / "zh"
IN_WORDS = ("meaning", "what to do")
"""Heads of the columns that are translated."""


def main() -> int:
    """Write all texts, or check them; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 for a difference"
    )
    check = parser.parse_args().check
    different = [path for path, text in written() if path.read_text() != text]
    for path, text in written():
        if path in different and not check:
            path.write_text(text)
    for path in different:
        print(f"{path.relative_to(ROOT)}: {'differs; run make texts' if check else 'written'}")
    return int(check and bool(different))


def written() -> Iterator[tuple[Path, str]]:
    """Each file with generated texts, and its content as it must be."""
    for kind in (Limits, Access, ReportOptions):
        path = Path(inspect.getfile(kind))
        yield path, with_args(path.read_text(), f"class {kind.__name__}", texts_of(kind), 4)
    path = Path(inspect.getfile(VideoAdaptiveKeyframesSampling))
    source = with_args(
        path.read_text(),
        "class VideoAdaptiveKeyframesSampling",
        texts_of(VideoAdaptiveKeyframesSampling),
        4,
    )
    yield path, with_args(source, "    def transform(", TRANSFORM_OPTIONS, 8)
    english = tables()
    for path in sorted((ROOT / "docs").glob("*.md")):
        yield path, with_tables(path.read_text(), english)
    for path in sorted(CHINESE.glob("*.md")):
        page = path.read_text()
        names = re.findall(r"<!-- /(\w+) -->", page)
        yield path, with_tables(page, {name: in_chinese(english[name]) for name in names})


def with_tables(page: str, tables: dict[str, str]) -> str:
    """Replace each table between two comments, such as <!-- limits --> and <!-- /limits -->."""
    for name, rows in tables.items():
        parts = re.split(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", page, flags=re.DOTALL)
        page = parts[0] + "".join(
            f"{start}{rows}{end}{rest}"
            for start, end, rest in zip(parts[1::3], parts[2::3], parts[3::3], strict=True)
        )
    return page


def chinese_texts() -> dict[str, str]:
    """The texts of tables in Chinese, by the English text."""
    return tomllib.loads((CHINESE / "texts.toml").read_text())


def in_chinese(rows: str) -> str:
    """A table with its heads and texts in Chinese; names, types and defaults stay."""
    chinese = chinese_texts()
    heads, *others = [line.strip("| ").split(" | ") for line in rows.splitlines()]
    spoken = [number for number, head in enumerate(heads) if head in IN_WORDS]
    for cells in others[1:]:
        for number in spoken:
            if cells[number] not in chinese:
                sys.exit(f"docs/zh/texts.toml lacks the Chinese for: {cells[number]}")
            cells[number] = chinese[cells[number]]
    lines = [[chinese[head] for head in heads], *others]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def texts_of(kind: Any) -> dict[str, str]:
    """The text of each field of a dataclass, by name."""
    return {field.name: doc_of(field) for field in fields(kind)}


def with_args(source: str, definition: str, texts: dict[str, str], indent: int) -> str:
    """Replace the entries below the first `Args:` after `definition`."""
    start = source.index("Args:\n", source.index(definition)) + len("Args:\n")
    # `transform` has an argument before its keywords, which is written by hand.
    kept = re.match(rf" {{{indent + 4}}}videos: .*\n", source[start:])
    start += kept.end() if kept else 0
    end = source.index("\n\n", start - 1) + 1
    lines = "".join(
        textwrap.fill(
            spelled(f"{name}: {text}", lambda other: f"`{other}`"),
            100,
            initial_indent=" " * (indent + 4),
            subsequent_indent=" " * (indent + 8),
            break_long_words=False,
            break_on_hyphens=False,
        )
        + "\n"
        for name, text in texts.items()
    )
    return source[:start] + lines + source[end:]


def tables() -> dict[str, str]:
    """The tables of the pages, by the name of their marker."""
    result = dict(field.split(" ", 1) for field in KEYFRAMES_DDL.split(", "))
    texts = texts_of(Keyframes)
    keywords = inspect.signature(VideoAdaptiveKeyframesSampling.transform).parameters
    return {
        "parameters": defaults_table(VideoAdaptiveKeyframesSampling),
        "limits": defaults_table(Limits),
        "frame_options": options_table(CandidatesOptions),
        "report": options_table(ReportOptions),
        "access": defaults_table(Access),
        "transform": table(
            ("name", "default", "meaning"),
            [
                (name, f"`{shown(keywords[name].default)}`", escaped(text))
                for name, text in TRANSFORM_OPTIONS.items()
            ],
        ),
        "result": table(
            ("field", "type", "meaning"),
            [(name, f"`{kind}`", texts[name]) for name, kind in result.items()],
        ),
        "account": table(
            ("field", "type", "meaning"),
            [(name, f"`{kind}`", text) for name, (kind, text) in account_columns().items()],
        ),
        "made_by": table(
            ("field", "type", "meaning"),
            [
                (name, f"`{kind}`", spelled(text, lambda other: f"`{other}`"))
                for name, (kind, text) in made_by_columns().items()
            ],
        ),
        "index_info": table(
            ("field", "type", "meaning"),
            [
                (name, f"`{kind}`", spelled(text, lambda other: f"`{other}`"))
                for name, (kind, text) in index_info_columns().items()
            ],
        ),
        "errors": table(
            ("error", "stage", "meaning", "what to do"),
            [
                (kind.__name__, kind.stage, meaning_of(kind), remedy_of(kind))
                for kind in error_classes()
            ],
        ),
    }


def error_classes() -> list[type[errors.KeyframesError]]:
    """The classes of errors, in the order of the module."""
    kinds = [kind for kind in vars(errors).values() if inspect.isclass(kind)]
    return [kind for kind in kinds if issubclass(kind, errors.KeyframesError)][1:]


def meaning_of(kind: type) -> str:
    """The first paragraph of a docstring, as one line."""
    return escaped(" ".join((inspect.getdoc(kind) or "").partition("\n\n")[0].split()))


def remedy_of(kind: type[errors.KeyframesError]) -> str:
    """What to do, with links to pages."""
    text = escaped(spelled(kind.remedy, lambda name: f"`{name}`")).replace(
        "to '' for", 'to `""` for'
    )
    return re.sub(r"docs/(\w[\w-]*\.md)", r"[\1](\1)", text)


def options_table(kind: Any) -> str:
    """The fields of a dataclass but for limits and access, which have tables of their own."""
    rows = [
        (field.name, f"`{shown(field.default)}`", doc_of(field))
        for field in fields(kind)
        if field.type not in (Limits, Access)
    ]
    return table(("name", "default", "meaning"), rows)


def defaults_table(kind: Any) -> str:
    """Name, default and text of each field of a dataclass."""
    return table(
        ("name", "default", "meaning"),
        [(field.name, f"`{shown(field.default)}`", doc_of(field)) for field in fields(kind)],
    )


def shown(default: Any) -> str:
    """A default as Python code, sizes in powers of 1024."""
    if isinstance(default, int) and default % 2**30 == 0 and default:
        return f"{default // 2**30} * 2**30"
    if is_dataclass(default):
        return f"{type(default).__name__}()"
    return f'"{default}"' if isinstance(default, str) else repr(default)


def escaped(text: str) -> str:
    """A text for Markdown, which would take <…> for HTML."""
    return text.replace("<", "&lt;")


def table(heads: tuple[str, ...], rows: Any) -> str:
    """A table in Markdown; the first column holds names."""
    lines = [heads, ("---",) * len(heads), *((f"`{name}`", *rest) for name, *rest in rows)]
    text = "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
    return re.sub(r"\bdocs/([\w-]+\.md)\b", r"[\1](\1)", text)


if __name__ == "__main__":
    sys.exit(main())
