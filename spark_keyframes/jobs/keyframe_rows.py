"""Makes the rows of a table of keyframes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from spark_keyframes.errors import ParameterError
from spark_keyframes.jobs.earlier_curve import check_curve_column
from spark_keyframes.jobs.earlier_index import check_index_columns, check_same_index
from spark_keyframes.jobs.earlier_rows import check_same_question, fitted
from spark_keyframes.jobs.keyframes_options import KeyframesOptions
from spark_keyframes.jobs.row_maker import RowMaker
from spark_keyframes.jobs.table import Table
from spark_keyframes.spark.columns import actual_name, column
from spark_keyframes.spark.explode import FRAME_COLUMNS, explode_keyframes

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.types import StructType

_LISTED = 4  # ids and scores in a line


class KeyframeRows(RowMaker):
    """Samples videos: a row for each, or for each keyframe."""

    options: KeyframesOptions

    @property
    def output_col(self) -> str:
        """Implement `RowMaker.output_col`."""
        return self.options.output_col

    @property
    def result_cols(self) -> list[str]:
        """Implement `RowMaker.result_cols`."""
        options = self.options
        names = [
            *(options.output_col, f"{options.output_col}_images"),
            *(options.timestamps_col, options.curve_col),
        ]
        index = (options.candidates_col, options.info_col) if options.candidates_col else ()
        return [name for name in (*names, *index) if name]

    @property
    def text_keys(self) -> list[str]:
        """Implement `RowMaker.text_keys`."""
        options = self.options
        if options.text_col is None or (options.id_col and not options.key_on_text):
            return []
        return [options.text_col]

    @property
    def images_place(self) -> str:
        """Implement `RowMaker.images_place`."""
        return self.options.sampler.output_tos_dir

    def fit(self, stored: "StructType", table: Table, videos: "DataFrame") -> None:
        """Implement `RowMaker.fit`."""
        spark, several = videos.sparkSession, self._has_several_texts(videos)
        check_index_columns(
            stored,
            table,
            spark,
            candidates_col=self.options.candidates_col,
            info_col=self.options.info_col,
        )
        check_curve_column(self.options.curve_col, stored, table, videos)
        self.options = fitted(self.options, stored, table, spark, several_texts=several)

    def check_earlier(self, tables: "Sequence[DataFrame]") -> None:
        """Implement `RowMaker.check_earlier`."""
        check_same_question(self.options, tables)
        if self.options.candidates_col:
            check_same_index(self.options.sampler, self.options.info_col, tables)

    def check_new(self, videos: "DataFrame") -> None:
        """Implement `RowMaker.check_new`."""
        if self.options.explode and self._has_several_texts(videos):
            raise ParameterError(
                "`explode` with several texts has rows per text, in which a video and its texts "
                "are not found again; leave `explode` out, and call explode_keyframes on the table"
            )

    def known(self, tables: "list[DataFrame]") -> "list[DataFrame]":
        """Implement `RowMaker.known`."""
        options = self.options
        if not options.key_on_text or options.text_col or options.made_by_col is None:
            return tables
        text = column(options.made_by_col)["text"]
        return [rows.where(text.eqNullSafe(options.sampler.text)) for rows in tables]

    def layout(self, rows: "DataFrame") -> "DataFrame":
        """Implement `RowMaker.layout`."""
        if not self.options.explode:
            return rows
        return explode_keyframes(
            rows,
            output_col=self.options.output_col,
            # Without the column of times, no name: another column might be called so.
            timestamps_col=self.options.timestamps_col or "",
            text_col=self.options.text_col or "",
        )

    def shown(self, rows: "DataFrame") -> "list[Column]":
        """Implement `RowMaker.shown`."""
        options = self.options
        wanted = {self.video_col, options.output_col, options.error_col, *FRAME_COLUMNS}
        return [column(name) for name in rows.columns if name in wanted - {"image"}]

    def text_of(self, row: dict[str, Any]) -> str | None:
        """Implement `RowMaker.text_of`."""
        if row.get("frame_id") is not None:
            path = _file_name(row["tos_path"])
            return f"frame {row['frame_id']}, score {row['score']:.3f}, {path}"
        cell = row.get(self.options.output_col)
        if isinstance(cell, list):
            counts = (len(each["frame_ids"]) if each else 0 for each in cell)
            return f"{' + '.join(map(str, counts))} keyframes, for each text"
        if cell is None:
            return None
        scores = _cut([round(score, 3) for score in cell["scores"]], _LISTED)
        paths = _cut([_file_name(path) for path in cell["tos_paths"]], 1)
        ids = _cut(cell["frame_ids"], _LISTED)
        return f"{{tos_paths: {paths}, frame_ids: {ids}, scores: {scores}}}"

    def _has_several_texts(self, videos: "DataFrame") -> bool:
        from pyspark.sql.types import ArrayType

        name = self.options.text_col and actual_name(videos, self.options.text_col)
        return name in videos.columns and isinstance(videos.schema[name].dataType, ArrayType)

    def _made(self, videos: "DataFrame", account_col: str) -> "tuple[DataFrame, dict[str, Any]]":
        from pyspark.sql.types import ArrayType

        options = self.options
        images = options.images or "none"
        sampler = replace(options.sampler, return_keyframes=images != "none")
        sampled = sampler.transform(
            videos,
            input_col=self.video_col,
            output_col=options.output_col,
            text_col=options.text_col,
            start_col=options.start_col,
            end_col=options.end_col,
            error_col=options.error_col,
            account_col=account_col,
            timestamps_col=options.timestamps_col,
            curve_col=options.curve_col,
            made_by_col=options.made_by_col,
            candidates_col=options.candidates_col,
            info_col=options.info_col,
            images="encoded" if images == "encoded" else "arrays",
            on_error=options.on_error,
            cpus=options.cpus,
            gpus=options.gpus,
        )
        several = isinstance(sampled.schema[options.output_col].dataType, ArrayType)
        return sampled, {
            "output_col": options.output_col,
            "candidates_col": options.candidates_col,
            "several_texts": several,
        }


def _cut(values: list[Any], most: int) -> str:
    return f"[{', '.join(map(str, values[:most]))}{', …' * (len(values) > most)}]"


def _file_name(path: str | None) -> str | None:
    return path and path.rsplit("/", 1)[-1]
