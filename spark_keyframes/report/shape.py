"""Finds out what kind of table it is, and where its columns are."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from spark_keyframes.errors import ParameterError
from spark_keyframes.html.row_columns import Kind, RowColumns, find_columns
from spark_keyframes.report.options import ReportOptions

_RESULT = frozenset({"tos_paths", "frame_ids", "scores"})
_ACCOUNT = {"decode_seconds", "frames_scored"}
_INFO = {"preprocessing", "video_stream"}
_CANDIDATES = {"frame_id", "timestamp", "embedding"}

# Of `explode_keyframes`, and of jobs/search.py. Both have frame_id and score.
_IMAGE, _INDEX = "image", "text_index"
_OF_FRAME = ("frame_id", "score", "tos_path", "timestamp", _IMAGE)
KEYFRAMES, TIMES = "keyframes", "timestamps"
"""The columns of the rows per video that are made of rows per keyframe."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What kind of table it is, and where its columns are."""

    columns: RowColumns
    """of a row per video. Where a row is a keyframe, `keyframes` and `timestamps` are none of the
    table's, but of the rows that are made of it."""
    frame: tuple[str, ...] = ()
    """the columns of a keyframe, where each row is one, as with `explode`; else empty"""
    account: str | None = None
    info: str | None = None
    start: str | None = None
    end: str | None = None
    named: tuple[str, ...] = ()
    """all columns of the table that say which video and text a row is of, and how it was made"""

    @property
    def light(self) -> list[str]:
        """The names of all columns that are read, but that of the images."""
        own = self.frame or self.columns.all
        names = (*self.named, *own, self.account, self.info)
        return [name for name in dict.fromkeys(names) if name and name != self.images]

    @property
    def images(self) -> str | None:
        """The column of the images; of one image, where each row is a keyframe."""
        if self.frame:
            return _IMAGE if _IMAGE in self.frame else None
        return self.columns.images


def shape_of(kinds: Mapping[str, Kind], name: str, options: ReportOptions) -> Shape:
    """Return where the columns of a table are.

    Args:
        kinds: what each column holds.
        name: of the table, for messages.
        options: with the names of columns.

    Raises:
        ParameterError: it is no result, but for example an index; or a name is no column.
    """
    given = {
        "keyframes": options.keyframes_col,
        "video": options.video_col,
        "text": options.text_col,
    }
    for role in ("start", "end"):
        column = getattr(options, f"{role}_col")
        if column is not None and column not in kinds:
            raise ParameterError(
                f"`{role}_col` {column!r} is no column of {name}; it has {_listed(kinds)}"
            )
    results = [column for column, kind in kinds.items() if kind.has(set(_RESULT))]
    per_frame = not results and not options.keyframes_col and _is_per_frame(kinds)
    if not (results or options.keyframes_col or per_frame):
        raise _no_result(kinds, name)
    columns = find_columns(_as_per_video(kinds) if per_frame else kinds, **given)
    if columns.video is None:
        columns = replace(columns, video=_name_column(kinds, columns.text))
    start = options.start_col or _usual(kinds, "start")
    end = options.end_col or _usual(kinds, "end")
    named = [columns.video, columns.text, start, end, columns.error, columns.made_by]
    if per_frame:
        named += [columns.curve, _INDEX if _INDEX in kinds else None]
    return Shape(
        columns=columns,
        frame=tuple(column for column in _OF_FRAME if column in kinds) if per_frame else (),
        account=_first(kinds, _ACCOUNT),
        info=_first(kinds, _INFO),
        start=start,
        end=end,
        named=tuple(each for each in dict.fromkeys(named) if each),
    )


def _usual(kinds: Mapping[str, Kind], name: str) -> str | None:
    """Return the usual name of a column of seconds, if the table has it."""
    return name if kinds.get(name, Kind()).name == "number" else None


def _name_column(kinds: Mapping[str, Kind], text_col: str | None) -> str | None:
    """Return the first column of strings, for tables without the names of their videos."""
    others = (*_OF_FRAME, text_col)
    return next((n for n, kind in kinds.items() if kind.name == "string" and n not in others), None)


def _first(kinds: Mapping[str, Kind], fields: set[str]) -> str | None:
    return next((name for name, kind in kinds.items() if fields <= kind.names), None)


def _is_per_frame(kinds: Mapping[str, Kind]) -> bool:
    return all(kinds.get(name, Kind()).name == "number" for name in ("frame_id", "score"))


def _as_per_video(kinds: Mapping[str, Kind]) -> dict[str, Kind]:
    """Return what the rows per video hold that are made of rows per keyframe."""
    others = {name: kind for name, kind in kinds.items() if name not in _OF_FRAME}
    return {
        **others,
        KEYFRAMES: Kind("struct", _RESULT),
        TIMES: Kind("array", element=Kind("number")),
    }


def _no_result(kinds: Mapping[str, Kind], name: str) -> ParameterError:
    if any(kind.element is not None and kind.has(_CANDIDATES) for kind in kinds.values()):
        return ParameterError(
            f"{name} is an index: it has candidates and no keyframes. Ask it first: give "
            "`output` to jobs/search.py, or write transform_index() to a table"
        )
    return ParameterError(
        f"{name} is no result: no column has tos_paths, frame_ids and scores, as transform() "
        f"and the jobs write them; it has {_listed(kinds)}"
    )


def _listed(kinds: Mapping[str, Kind]) -> str:
    return ", ".join(kinds) or "no column"
