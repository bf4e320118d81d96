"""Compares a job with the rows that its table has already."""

import functools
import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from spark_keyframes.errors import ParameterError
from spark_keyframes.jobs.keyframes_options import Images, KeyframesOptions
from spark_keyframes.jobs.options import TableOptions
from spark_keyframes.jobs.table import Table
from spark_keyframes.made_by import MadeBy, joint_revision
from spark_keyframes.redaction import redact_text
from spark_keyframes.spark.columns import column, name_key
from spark_keyframes.spark.explode import FRAME_COLUMNS
from spark_keyframes.spark.model_in_workers import model_in_workers

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import DataType, StructType

logger = logging.getLogger("spark_keyframes")

_COMPARED = ("model", "revision", "fps", "max_num_frames", "selector")
"""Fields of `made_by` besides the text. Not the version: another one gives the same frames."""
_LENGTH = 60  # characters of a value in a message


def fitted(
    options: KeyframesOptions,
    stored: "StructType",
    table: Table,
    spark: "SparkSession",
    *,
    several_texts: bool,
) -> KeyframesOptions:
    """Return the options with the columns that the table has, where a job is to add rows to it.

    Raises:
        ParameterError: the job and the table differ in `images`, in `explode`, in having several
            texts, or in the names of columns.
    """
    from pyspark.sql.types import ArrayType

    key = name_key(spark)
    types = {key(field.name): field.dataType for field in stored.fields}
    kinds = ("a row per video", "a row per keyframe")
    exploded = key(FRAME_COLUMNS[0]) in types and key(options.output_col) not in types
    if exploded != options.explode:
        raise ParameterError(
            f"{table} has {kinds[exploded]}, and this job has {kinds[options.explode]} "
            "(`explode`); use another table"
        )
    check_window_columns(options, stored, table, spark)
    times = options.timestamps_col and ("timestamp" if options.explode else options.timestamps_col)
    missing = [name for name in (times, options.made_by_col) if name and key(name) not in types]
    if len(missing) == 1 and times and options.made_by_col:
        # An older version wrote neither.
        raise ParameterError(
            f"{table} has no column {missing[0]!r}; it was written with another name in "
            "`made_by_col` or `timestamps_col`: use that"
        )
    if missing:
        logger.warning("%s has no column %s, since it is older; it stays so", table, missing)
    if options.key_on_text and not options.text_col and options.made_by_col in missing:
        raise ParameterError(
            f"`key_on_text` needs the text of each row, and {table} has no column "
            f"{options.made_by_col!r}; use another table"
        )
    output = types.get(key(options.output_col))
    counts = ("one text", "several texts")
    if output is not None and isinstance(output, ArrayType) != several_texts:
        raise ParameterError(
            f"{table} has {counts[not several_texts]} per video, and this job has "
            f"{counts[several_texts]}; use another table"
        )
    images = _images_of(types.get(key(options.images_col)))
    if options.images not in (None, images):
        raise ParameterError(
            f"{table} has `images` {images}, and this job has {options.images}; leave `images` "
            "out to go on as before, or choose another table"
        )
    return replace(
        options,
        timestamps_col=None if times in missing else options.timestamps_col,
        made_by_col=None if options.made_by_col in missing else options.made_by_col,
        images=images,
        return_keyframes=None,
    )


def check_window_columns(
    options: TableOptions, stored: "StructType", table: Table, spark: "SparkSession"
) -> None:
    """Raise ParameterError where the job has parts of videos, and the table has whole ones."""
    key = name_key(spark)
    names = set(map(key, stored.names))
    for name in options.window_cols:
        if key(name) not in names:
            raise ParameterError(
                f"{table} has no column {name!r}, so that its rows are of whole videos; use "
                "another table for parts of videos"
            )


def check_same_question(options: KeyframesOptions, earlier: "Iterable[DataFrame]") -> None:
    """Raise ParameterError where rows of these tables were made by other settings.

    Args:
        options: of the job.
        earlier: the rows, with `made_by_col` unless that is None. Rows without a value pass.
    """
    tables = list(earlier)
    if len(options.texts) > 1 and not options.key_on_text:
        _check_same_texts(options, tables)
    if options.made_by_col is None or not tables:
        return
    check_same_cells(
        tables,
        options.made_by_col,
        _made_by(options, tables[0].sparkSession),
        advice={
            "text": "add `key_on_text` for rows of the new text beside them, or use another table"
        },
    )


def check_same_cells(
    tables: "Iterable[DataFrame]",
    name: str,
    now: Mapping[str, Any],
    *,
    advice: Mapping[str, str] | None = None,
) -> None:
    """Raise ParameterError where a row's struct differs in a field from this job's.

    Args:
        tables: the rows. A table without the column, and a row without a value, passes.
        name: the column of structs.
        now: the fields to compare, by name.
        advice: what to do where a field alone differs, by its name.
    """
    cell = column(name)
    differs = functools.reduce(
        lambda either, other: either | other,
        (~cell[field].eqNullSafe(value) for field, value in now.items()),
    )
    for rows in tables:
        if name not in rows.columns:
            continue
        found = rows.where(cell.isNotNull() & differs).select(cell.alias("cell")).first()
        if found is not None:
            raise ParameterError(_difference(found["cell"].asDict(), now, advice or {}))


def _check_same_texts(options: KeyframesOptions, tables: "Iterable[DataFrame]") -> None:
    from pyspark.sql import functions as sf

    texts = column(options.text_col or "")
    now = sf.array(*map(sf.lit, options.texts))
    for rows in tables:
        found = rows.where(texts.isNotNull() & ~texts.eqNullSafe(now)).select(texts).first()
        if found is not None:
            raise ParameterError(
                f"the table has rows with the texts {_shown(found[0])}, not "
                f"{_shown(list(options.texts))}; add `key_on_text` for rows of these texts beside "
                "them, or use another table"
            )


def stored_images(options: KeyframesOptions, table: Table, spark: "SparkSession") -> Images:
    """Return which images the table holds; "none" where there is no table."""
    schema = table.stored_schema(spark)
    if schema is None:
        return "none"
    key = name_key(spark)
    types = {key(field.name): field.dataType for field in schema.fields}
    return _images_of(types.get(key(options.images_col)))


def _made_by(options: KeyframesOptions, spark: "SparkSession") -> dict[str, Any]:
    """Return the fields to compare, by name."""
    module = options.sampler.make_module()
    revision, matcher = model_in_workers(spark, module)["revision"], options.sampler.make_matcher()
    if matcher is not None:
        revision = joint_revision(revision, model_in_workers(spark, matcher)["revision"])
    made_by: MadeBy = options.sampler.made_by(module, revision=revision)
    cell = made_by.cell()
    compares_text = options.text_col is None and not options.key_on_text
    return {name: cell[name] for name in (*(("text",) if compares_text else ()), *_COMPARED)}


def _difference(
    before: Mapping[str, Any], now: Mapping[str, Any], advice: Mapping[str, str]
) -> str:
    different = [name for name in now if before[name] != now[name]]
    parts = (f"{name} {_shown(before[name])}, not {_shown(now[name])}" for name in different)
    what = advice.get(*different) if len(different) == 1 else None
    return (
        f"the table has rows with {'; '.join(parts)}; "
        f"{what or 'use the same settings, or another table'}"
    )


def _shown(value: Any) -> str:
    text = redact_text(repr(value))
    return text if len(text) <= _LENGTH else f"{text[:_LENGTH]}…"


def _images_of(kind: "DataType | None") -> Images:
    if kind is None:
        return "none"
    return "encoded" if kind.simpleString() in ("binary", "array<binary>") else "arrays"
