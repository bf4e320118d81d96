"""Shows rows of a result table, in notebooks and in terminals."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from spark_keyframes.checks import check_integer, check_object
from spark_keyframes.errors import ParameterError
from spark_keyframes.html.cards import VideoCard
from spark_keyframes.html.render import cards_html
from spark_keyframes.html.results import stored_thumbnail
from spark_keyframes.html.row_columns import (
    Kind,
    RowColumns,
    find_columns,
    kinds_of_rows,
    kinds_of_spark,
)
from spark_keyframes.html.rows import cards_of_row
from spark_keyframes.html.words import score_words, shown, time_words
from spark_keyframes.storage import Access


@dataclass(frozen=True)
class ShownKeyframes:
    """Some videos with their keyframes; a notebook shows them as pictures."""

    cards: list[VideoCard] = field(repr=False)
    """of each row and text, in order"""

    def _repr_html_(self) -> str:
        if not self.cards:
            return "<p>The table has no rows.</p>"
        return cards_html(self.cards)

    def __repr__(self) -> str:
        return "\n".join(_lines(self.cards)) or "The table has no rows."


def show_keyframes(
    table: Any,
    n: int = 5,
    *,
    keyframes_col: str | None = None,
    images_col: str | None = None,
    video_col: str | None = None,
    text_col: str | None = None,
    timestamps_col: str | None = None,
    error_col: str | None = None,
    made_by_col: str | None = None,
    curve_col: str | None = None,
    access: Access = Access(),
) -> ShownKeyframes:
    """Show rows of a result table: the last line of a notebook's cell shows them as pictures.

    Images come from the table, else from the stored files of `tos_paths`. Where there are none, a
    placeholder says why. Columns that are not named are found by their types and usual names.

    Args:
        table: what `transform` returned, or a table that a job wrote: a DataFrame of Spark or of
            pandas. Of Spark's, only `n` rows and the needed columns are computed, at once; one that
            is not stored samples its videos for that.
        n: The most rows, at least 1.
        keyframes_col: The column of results.
        images_col: The column of images, as arrays or files.
        video_col: The column of videos, whose paths or URLs are the titles.
        text_col: The column of texts.
        timestamps_col: The column of the keyframes' times.
        error_col: The column of errors.
        made_by_col: The column that says what made the result; the text is taken from it where
            there is no column of texts.
        curve_col: The column of the candidates' times and scores.
        access: Which files and URLs of `tos_paths` may be read.

    Raises:
        ParameterError: it is no such table, a column is missing, or there are several of keyframes.
    """
    n = check_integer("n", n, 1, "it is the number of rows to show")
    check_object("access", access, Access)
    given = {
        "keyframes": keyframes_col,
        "images": images_col,
        "video": video_col,
        "text": text_col,
        "timestamps": timestamps_col,
        "error": error_col,
        "made_by": made_by_col,
        "curve": curve_col,
    }
    rows, columns = _taken(table, n, given)
    source_of = partial(stored_thumbnail, access=access)
    return ShownKeyframes(
        [
            card
            for number, row in enumerate(rows)
            for card in cards_of_row(row, columns, number=number, source_of=source_of)
        ]
    )


def _taken(
    table: Any, n: int, given: dict[str, str | None]
) -> tuple[list[dict[str, Any]], RowColumns]:
    """Return the first rows as dicts, and the columns."""
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(table, pandas.DataFrame):
        found = table.head(n).to_dict("records")
        kinds = dict.fromkeys(table.columns, Kind()) | kinds_of_rows(found)
        return found, find_columns(kinds, **given)
    if not all(hasattr(table, name) for name in ("schema", "select", "limit", "collect")):
        raise ParameterError(
            f"show_keyframes() shows a DataFrame of Spark or pandas, got {type(table).__name__}; "
            "give what transform() returned, or a table that a job wrote"
        )
    if table.isStreaming:
        raise ParameterError("the DataFrame is a stream; show the table that it is written to")
    columns = find_columns(kinds_of_spark(table.schema), **given)
    quoted = [f"`{name.replace('`', '``')}`" for name in columns.all]
    rows = table.select(*quoted).limit(n).collect()
    return [row.asDict(recursive=True) for row in rows], columns


def _lines(cards: list[VideoCard]) -> Iterator[str]:
    """Yield the cards as text for a terminal."""
    for card in cards:
        yield f"{shown(card.title)}{f'  “{shown(card.text)}”' if card.text else ''}"
        if card.failure:
            yield f"  failed: {shown(card.failure)}"
        elif card.note or not card.pictures:
            yield f"  {shown(card.note or 'No keyframe was selected.')}"
        for each in card.pictures:
            words = [time_words(each.seconds), score_words(each.score), f"frame {each.frame_id}"]
            image = f"no image: {shown(each.missing)}" if each.source is None else ""
            yield f"  {'  '.join(filter(None, [*words, image]))}"
