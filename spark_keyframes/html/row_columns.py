"""Finds the columns of a result table, by their types and names.

The types of Spark are asked for their names only, so that pyspark is not imported.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from spark_keyframes.errors import ParameterError

_KEYFRAMES = {"tos_paths", "frame_ids", "scores"}
_IMAGE = {"height", "width", "nChannels", "mode", "data"}
_ERROR = {"stage", "error", "message"}
_MADE_BY = {"text", "model", "revision"}
_CURVE = {"timestamps", "scores"}
_VIDEO_NAMES = ("video", "path", "url", "uri", "file", "video_url", "video_path")


@dataclass(frozen=True)
class Kind:
    """What a column holds, as far as it matters here."""

    name: str = ""
    """struct, array, string, number, binary; "" for any other, and for what is null everywhere"""
    names: frozenset[str] = frozenset()
    """of a struct's fields"""
    element: "Kind | None" = None
    """of an array"""

    def has(self, names: set[str]) -> bool:
        """Return whether it is a struct with these fields, or an array of such."""
        if self.element is not None:
            return self.element.has(names)
        return names <= self.names


@dataclass(frozen=True, kw_only=True)
class RowColumns:
    """The names of a result table's columns; None where it has no such column."""

    keyframes: str
    """the result: struct<tos_paths, frame_ids, scores>, or an array of these"""
    images: str | None = None
    """pixels in Spark's image schema, or files"""
    video: str | None = None
    """paths or URLs"""
    text: str | None = None
    """a text, or several"""
    timestamps: str | None = None
    """seconds of each keyframe"""
    error: str | None = None
    """why the row failed"""
    made_by: str | None = None
    """which has the text too"""
    curve: str | None = None
    """times and scores of all candidates"""

    @property
    def all(self) -> list[str]:
        """The names of the columns that there are."""
        values = (getattr(self, each.name) for each in fields(self))
        return list(dict.fromkeys(value for value in values if value is not None))


def find_columns(kinds: Mapping[str, Kind], **given: str | None) -> RowColumns:
    """Return the columns of a result table, by their types and then by the usual names.

    Args:
        kinds: what each column holds: see `kinds_of_spark` and `kinds_of_rows`.
        **given: the names of columns, by the fields of `RowColumns`; None: to be found.

    Raises:
        ParameterError: a name that was given is no column, or there is no column of keyframes, or
            several.
    """
    for role, name in given.items():
        if name is not None and name not in kinds:
            raise ParameterError(
                f"`{role}_col` {name!r} is no column of the table; it has {_listed(kinds)}"
            )

    def of(names: set[str]) -> list[str]:
        return [name for name, kind in kinds.items() if kind.has(names)]

    def named(names: tuple[str, ...], *allowed: str) -> str | None:
        return next((name for name in names if _base(kinds.get(name)) in allowed), None)

    keyframes = given.get("keyframes") or _keyframes(kinds, of(_KEYFRAMES))
    pictures = [name for name, kind in kinds.items() if _holds_images(kind)]
    usual = f"{keyframes}_images"
    found = {
        "keyframes": keyframes,
        "images": usual if usual in pictures else _only(pictures),
        "video": named(_VIDEO_NAMES, "string"),
        "text": named(("text", "texts"), "string"),
        "timestamps": named(("timestamps", f"{keyframes}_timestamps"), "number"),
        "error": "error" if "error" in of(_ERROR) else _only(of(_ERROR)),
        "made_by": _only(of(_MADE_BY)),
        "curve": _only(of(_CURVE)),
    }
    chosen = {role: name for role, name in given.items() if name is not None}
    return RowColumns(**(found | chosen))  # type: ignore[arg-type]


def kinds_of_spark(schema: Any) -> dict[str, Kind]:
    """Return what each column holds, from the schema of a DataFrame of Spark."""
    return {field.name: _kind_of_type(field.dataType) for field in schema.fields}


def kinds_of_rows(rows: "list[dict[str, Any]]") -> dict[str, Kind]:
    """Return what each column holds, from its first value that is not null."""
    kinds: dict[str, Kind] = {}
    for row in rows:
        for name, value in row.items():
            if not kinds.get(name, Kind()).name:
                kinds[name] = _kind_of_value(value)
    return kinds


def _kind_of_type(kind: Any) -> Kind:
    name = kind.typeName()
    if name == "struct":
        return Kind("struct", frozenset(kind.names))
    if name == "array":
        return Kind("array", element=_kind_of_type(kind.elementType))
    if name in ("float", "double", "integer", "long", "short", "byte") or "decimal" in name:
        return Kind("number")
    return Kind(name if name in ("string", "binary") else "")


def _kind_of_value(value: Any) -> Kind:
    if isinstance(value, Mapping):
        return Kind("struct", frozenset(value))
    if isinstance(value, str):
        return Kind("string")
    if isinstance(value, bytes | bytearray | memoryview):
        return Kind("binary")
    if isinstance(value, list | tuple | np.ndarray):
        # An array of nulls only is as good as one of the others.
        kinds = (_kind_of_value(each) for each in value)
        return Kind("array", element=next((kind for kind in kinds if kind.name), Kind()))
    is_number = isinstance(value, int | float | np.number) and value == value  # noqa: PLR0124 - NaN is null here
    return Kind("number" if is_number and not isinstance(value, bool) else "")


def _base(kind: Kind | None) -> str:
    """Return what a column or the elements of its arrays are."""
    if kind is None:
        return ""
    return kind.name if kind.element is None else _base(kind.element)


def _holds_images(kind: Kind) -> bool:
    if kind.element is None:
        return False
    return kind.element.name == "binary" or kind.element.names >= _IMAGE


def _keyframes(kinds: Mapping[str, Kind], found: list[str]) -> str:
    if "keyframes" in found or (not found and "keyframes" in kinds):
        return "keyframes"  # of pandas it has no type where all rows failed
    if len(found) == 1:
        return found[0]
    what = f"several of keyframes, {_listed(found)}" if found else "no column of keyframes"
    raise ParameterError(
        f"the table has {what}: its columns are {_listed(kinds)}; name the one that transform() "
        f"added with `keyframes_col`, such as {found[0] if found else 'keyframes'}"
    )


def _only(names: list[str]) -> str | None:
    return names[0] if len(names) == 1 else None


def _listed(names: Any) -> str:
    return ", ".join(map(repr, names)) or "none"
