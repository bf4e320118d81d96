"""Makes the rows of a job's table; one class for keyframes, and one for an index."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from spark_keyframes.jobs.options import TableOptions
from spark_keyframes.jobs.table import Table
from spark_keyframes.spark.monitoring.metrics import metrics
from spark_keyframes.spark.versions import check_observations, is_connect

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, Observation
    from pyspark.sql.types import StructType


class RowMaker(ABC):
    """Makes a row, or several, of each video.

    Args:
        options: of the job.
        video_col: the input's column that holds the videos.
    """

    def __init__(self, options: TableOptions, video_col: str) -> None:
        self.options = options
        self.video_col = video_col

    def make(self, videos: "DataFrame") -> "tuple[DataFrame, Observation]":
        """Return the rows of videos, and an observation of their `metrics`. Lazy."""
        from pyspark.sql import Observation

        check_observations(videos.sparkSession)
        # The report always needs the account; the table has it only where it is asked for.
        account_col = self.options.account_col or f"account_{uuid4().hex}"
        made, counted = self._made(videos, account_col)
        counts = Observation()
        columns = metrics(error_col=self.options.error_col, account_col=account_col, **counted)
        observed = made.observe(counts, *columns)
        return observed if self.options.account_col else observed.drop(account_col), counts

    @property
    @abstractmethod
    def output_col(self) -> str:
        """The column that shows what became of a video, besides that of errors."""

    @property
    @abstractmethod
    def result_cols(self) -> list[str]:
        """The columns that are null where a video failed. A table need not have them all."""

    @property
    def text_keys(self) -> list[str]:
        """The columns of texts, where those of a video may differ."""
        return []

    @property
    def images_place(self) -> str | None:
        """Where images are stored, "" for nowhere; None: there are no images."""
        return None

    @abstractmethod
    def fit(self, stored: "StructType", table: Table, videos: "DataFrame") -> None:
        """Take over the columns of the table, to add rows to it.

        Args:
            stored: the columns of the table.
            table: that rows are added to.
            videos: the job's.

        Raises:
            ParameterError: rows of this job cannot be added to it.
        """

    @abstractmethod
    def check_earlier(self, tables: "Sequence[DataFrame]") -> None:
        """Raise ParameterError where rows of these tables were made by other settings."""

    def check_new(self, videos: "DataFrame") -> None:  # noqa: B027 - optional
        """Raise ParameterError where a table cannot tell which of these videos it has."""

    def keys(self) -> list[str]:
        """Return the columns that identify a video."""
        ids = self.options.id_col or [self.video_col]
        names = [*ids, *self.text_keys, *self.options.window_cols]
        return list(dict.fromkeys(names))

    def known(self, tables: "list[DataFrame]") -> "list[DataFrame]":
        """Return the rows whose videos are not taken again."""
        return tables

    def layout(self, rows: "DataFrame") -> "DataFrame":
        """Return what `make` returned in the layout of the table."""
        return rows

    @abstractmethod
    def shown(self, rows: "DataFrame") -> "list[Column]":
        """Return the columns of the table that `text_of` needs, none of them large."""

    @abstractmethod
    def text_of(self, row: dict[str, Any]) -> str | None:
        """Return a row's result in one line; None where it has none."""

    @abstractmethod
    def _made(self, videos: "DataFrame", account_col: str) -> "tuple[DataFrame, dict[str, Any]]":
        """Return the rows, and the arguments of `metrics` for their results."""


@contextlib.contextmanager
def kept(result: "DataFrame") -> "Iterator[DataFrame]":
    """Make the rows now, and open them for several uses, each without making them again."""
    from pyspark import StorageLevel

    if not is_connect(result.sparkSession):
        # Not persist: Spark forgets persisted rows when the table is written that they are
        # compared with, and would make the rows again.
        yield result.localCheckpoint()
        return
    rows = result.persist(StorageLevel.DISK_ONLY)
    try:
        rows.count()
        yield rows
    finally:
        rows.unpersist()
