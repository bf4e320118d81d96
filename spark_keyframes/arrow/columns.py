"""Plans which columns are read, passed through and added, by their names and types in SQL."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from spark_keyframes.checks import check_type
from spark_keyframes.errors import ParameterError
from spark_keyframes.result import ImagesAs
from spark_keyframes.schema import (
    ACCOUNT_DDL,
    CANDIDATES_DDL,
    CURVE_DDL,
    ERROR_DDL,
    IMAGE_DDL,
    INDEX_INFO_DDL,
    KEYFRAMES_DDL,
    MADE_BY_DDL,
)
from spark_keyframes.video import VideoSrcType

_NUMBERS = ("double", "float", "decimal", "int", "bigint", "smallint", "tinyint")

INDEX_TYPES = f"array<struct<{CANDIDATES_DDL}>>", f"struct<{INDEX_INFO_DDL}>"
"""The types of the two columns of an index, in SQL."""


@dataclass(frozen=True, kw_only=True)
class AddedColumns:
    """The names of the columns that `transform` adds; None: it does not add this one."""

    output: str | None = None
    images: str | None = None
    timestamps: str | None = None
    curve: str | None = None
    error: str | None = None
    account: str | None = None
    made_by: str | None = None
    candidates: str | None = None
    info: str | None = None
    images_as: ImagesAs = "arrays"
    """what `images` holds"""
    several: bool = False
    """whether each row has a list of texts, and a list of results"""

    @property
    def types(self) -> dict[str, str]:
        """The types in SQL by name, in the order of the result."""
        images = f"array<struct<{IMAGE_DDL}>>" if self.images_as == "arrays" else "array<binary>"
        types: dict[str | None, str] = {
            self.output: f"struct<{KEYFRAMES_DDL}>",
            self.images: images,
            self.timestamps: "array<double>",
            self.curve: f"struct<{CURVE_DDL}>",
            self.error: f"struct<{ERROR_DDL}>",
            self.account: f"struct<{ACCOUNT_DDL}>",
            self.made_by: f"struct<{MADE_BY_DDL}>",
            self.candidates: INDEX_TYPES[0],
            self.info: INDEX_TYPES[1],
        }
        if self.several:
            for name in (self.output, self.timestamps, self.curve):
                types[name] = f"array<{types[name]}>"
        return {name: ddl for name, ddl in types.items() if name}

    @property
    def names(self) -> list[str]:
        """All names, twice where two of them are equal."""
        names = (
            *(self.output, self.images, self.timestamps, self.curve, self.error, self.account),
            *(self.made_by, self.candidates, self.info),
        )
        return [name for name in names if name]


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The names of the columns that are read and written."""

    read: list[str]
    """all columns of the input, in order: Spark gives them to the stage without their names"""
    input: str | None
    """None: there are no videos, but their index"""
    text: str | None
    start: str | None = None
    end: str | None = None
    passed: list[str]
    """columns that pass through unchanged, in order"""
    added: AddedColumns
    index: "IndexColumns | None" = None
    """of the index that is asked; None: the videos are"""


@dataclass(frozen=True, kw_only=True)
class IndexColumns:
    """The names of the two columns of an index."""

    candidates: str
    info: str


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The columns that a caller names."""

    input: str | None = None
    """None: there are no videos, but their index"""
    text: str | None = None
    start: str | None = None
    end: str | None = None
    index: IndexColumns | None = None
    added: AddedColumns
    video_src_type: VideoSrcType = "video_url"
    keep_video: bool = False


def plan_columns(
    types: Sequence[tuple[str, str]], wanted: Wanted, *, key: Callable[[str], str] = str
) -> Columns:
    """Check the columns before any video is read.

    Args:
        types: name and type of each column of the input, as Spark's `simpleString` writes it.
        wanted: the columns that the caller names.
        key: gives the same for two names of one column.

    Raises:
        ParameterError: a column is missing, has a wrong type, or exists already.
    """
    check_type("keep_video", wanted.keep_video, bool, "True or False")
    names = [name for name, _ in types]

    def named(parameter: str, name: str) -> tuple[str, str]:
        found = next((each for each in types if key(each[0]) == key(name)), None)
        if found is None:
            raise ParameterError(
                f"{parameter} {name!r} is not a column of the DataFrame; "
                f"it has {', '.join(names) or 'none'}"
            )
        return found

    def existing(parameter: str, name: str, kinds: Sequence[str], reason: str) -> tuple[str, str]:
        found, kind = named(parameter, name)
        if kind.partition("(")[0] not in kinds:
            raise ParameterError(
                f"{parameter} {name!r} is of type {kind}, but {reason} {' or '.join(kinds)}; cast "
                "it, or choose another column or video_src_type"
            )
        return found, kind

    def seconds(parameter: str, name: str | None) -> str | None:
        return name and existing(parameter, name, _NUMBERS, "seconds are")[0]

    source, added, input_col, text_col = (
        wanted.video_src_type,
        wanted.added,
        wanted.input,
        wanted.text,
    )
    expected = "binary" if source == "video_binary" else "string"
    if input_col is not None:
        input_col, _ = existing("input_col", input_col, [expected], f"{source!r} needs")
    start_col, end_col = seconds("start_col", wanted.start), seconds("end_col", wanted.end)
    index = wanted.index and _plan_index(wanted.index, named)
    if text_col is not None:
        text_col, kind = existing("text_col", text_col, ["string", "array<string>"], "texts are")
        added = replace(added, several=kind.startswith("array"))
    passed = [
        name
        for name in names
        if (name != input_col or wanted.keep_video or source == "video_url")
        and (index is None or name not in (index.candidates, index.info))
    ]
    taken = [key(name) for name in (*passed, *added.names)]
    for name in added.names:
        if taken.count(key(name)) > 1:
            raise ParameterError(
                f"the result would have two columns called {name!r}; "
                "choose another name for one, as output_col or error_col, or drop or rename the "
                "column"
            )
    read = [key(name) for name in names]
    for name in names:
        if read.count(key(name)) > 1:
            raise ParameterError(
                f"the DataFrame has two columns called {name!r}; drop or rename one first"
            )
    return Columns(
        read=names,
        input=input_col,
        text=text_col,
        start=start_col,
        end=end_col,
        passed=passed,
        added=added,
        index=index,
    )


def _plan_index(index: IndexColumns, named: Callable[[str, str], tuple[str, str]]) -> IndexColumns:
    candidates, kind = named("candidates_col", index.candidates)
    expected = INDEX_TYPES[0].replace(", ", ",").replace(" ", ":")
    if kind != expected:
        # Not a cast: Spark casts structs by position.
        raise ParameterError(
            f"candidates_col {index.candidates!r} is of type {kind}, "
            f"but an index has {expected}; give the column that index() made, or build the structs "
            "again by name, with transform() of Spark's functions"
        )
    info, kind = named("info_col", index.info)
    if not re.match(r"struct<(.*,)?model:", kind):
        raise ParameterError(
            f"info_col {index.info!r} is of type {kind}, but an index has {INDEX_TYPES[1]}; give "
            "the column that index() made"
        )
    return IndexColumns(candidates=candidates, info=info)
