"""The index: decode videos once, and ask as often as you like."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, get_args

from spark_keyframes.arrow.columns import AddedColumns, IndexColumns, Wanted
from spark_keyframes.checks import check_choice
from spark_keyframes.errors import ParameterError
from spark_keyframes.index import Question
from spark_keyframes.module import EmbeddingModule
from spark_keyframes.result import ImagesAs, OnError
from spark_keyframes.runner import NO_TEXT, Runner
from spark_keyframes.scan import check_looks_at_all

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True, kw_only=True, repr=False)
class IndexMethods(Runner):
    """Makes and asks indexes; a base of `VideoAdaptiveKeyframesSampling`."""

    def index(
        self,
        videos: "DataFrame",
        *,
        input_col: str = "video",
        start_col: str | None = None,
        end_col: str | None = None,
        candidates_col: str = "candidates",
        info_col: str = "index_info",
        error_col: str | None = None,
        account_col: str | None = None,
        on_error: OnError = "null",
        keep_video: bool = False,
        cpus: int | None = None,
        gpus: int | None = None,
    ) -> "DataFrame":
        """Add the embeddings of each video's candidates, for `transform_index` and `search`.

        Each video is decoded once. Neither a text nor a selector matters here, and no images are
        stored. Lazy, as all transformations are; batch or streaming.

        Args:
            videos: one video per row.

        Returns:
            The DataFrame with all other columns unchanged.

        Raises:
            ParameterError: a column is missing, of the wrong type, or exists already; or the module
                gives no embeddings.
            ModelNotFoundError: in a local session, there is no model.
        """
        from spark_keyframes.spark.columns import check_dataframe

        check_dataframe(videos)
        check_choice("on_error", on_error, get_args(OnError))
        self._check_embeddings("index()")
        wanted = Wanted(
            input=input_col,
            start=start_col,
            end=end_col,
            added=AddedColumns(
                candidates=candidates_col, info=info_col, error=error_col, account=account_col
            ),
            video_src_type=self.video_src_type,
            keep_video=keep_video,
        )
        pipeline = replace(self._pipeline(None), embeddings=True, matcher=None)
        return self._stage(videos, wanted, pipeline, on_error=on_error, cpus=cpus, gpus=gpus)

    def transform_index(
        self,
        index: "DataFrame",
        *,
        input_col: str | None = None,
        output_col: str = "keyframes",
        text_col: str | None = None,
        start_col: str | None = None,
        end_col: str | None = None,
        candidates_col: str = "candidates",
        info_col: str = "index_info",
        error_col: str | None = None,
        account_col: str | None = None,
        timestamps_col: str | None = None,
        curve_col: str | None = None,
        made_by_col: str | None = None,
        images: ImagesAs = "arrays",
        on_error: OnError = "null",
        keep_video: bool = False,
        cpus: int | None = None,
        gpus: int | None = None,
    ) -> "DataFrame":
        """Add the keyframes that `transform` would, from an index of the videos.

        No video is read, unless there are images to store or to return, or `rerank` is given: then
        only the chosen frames are decoded, and those that `rerank` looks at.

        Args:
            index: what `index` returned, or `transform` with `candidates_col`.

        Returns:
            The DataFrame without the two columns of the index. A row without candidates, such as of
            a video that failed, has a null result.

        Raises:
            ParameterError: a column is missing, of the wrong type, or exists already; the module
                gives no embeddings; or images or `rerank` are wanted without `input_col`.
            UnsupportedSchemeError, BucketNotFoundError, CredentialsError: as from `transform`.
            StorageWriteError, ModelNotFoundError: as from `transform`.
            IndexMismatchError: in the job: the index was made by another model, or with another
                `fps` or `video_stream`.
        """
        from spark_keyframes.spark.columns import check_dataframe
        from spark_keyframes.spark.versions import warn_of_large_batches

        check_dataframe(index, "index")
        check_choice("on_error", on_error, get_args(OnError))
        check_choice("images", images, get_args(ImagesAs))
        self._check_embeddings("transform_index()")
        pipeline = replace(
            self._pipeline(self._writer_anywhere()), images_as=images, asks_index=True
        )
        if pipeline.needs_images and input_col is None:
            raise ParameterError(
                "images are decoded from the videos, and input_col is None; give the column of "
                "videos, or leave output_tos_dir, return_keyframes and such callbacks out"
            )
        if self.rerank and input_col is None:
            raise ParameterError(
                f"rerank={self.rerank!r} looks at frames of the videos, and input_col is None; "
                "give the column of videos, or leave rerank out"
            )
        wanted = Wanted(
            input=input_col,
            text=text_col,
            start=start_col,
            end=end_col,
            added=AddedColumns(
                output=output_col,
                images=f"{output_col}_images" if self.return_keyframes else None,
                images_as=images,
                timestamps=timestamps_col,
                curve=curve_col,
                error=error_col,
                account=account_col,
                made_by=made_by_col,
            ),
            video_src_type=self.video_src_type,
            keep_video=keep_video,
            index=IndexColumns(candidates=candidates_col, info=info_col),
        )
        if text_col is None:
            self._warn_of_no_text(self.text, f"set text, text_col for a text per row, {NO_TEXT}")
        warn_of_large_batches(index.sparkSession)
        return self._stage(index, wanted, pipeline, on_error=on_error, cpus=cpus, gpus=gpus)

    def search(
        self,
        index: "DataFrame",
        *,
        text: str | Sequence[str] | None = None,
        limit: int = 20,
        per_video: int | None = None,
        min_gap: float = 2.0,
        candidates_col: str = "candidates",
        info_col: str = "index_info",
        cpus: int | None = None,
        gpus: int | None = None,
    ) -> "DataFrame":
        """Find the moments of all videos that match a text best. No video is read.

        Of each partition only the best moments leave it. Of equal scores any may come first.

        Args:
            index: what `index` returned, or `transform` with `candidates_col`. Rows without
                candidates, such as of videos that failed, are not searched; the worker logs how
                many.
            text: Instead of the parameter `text`. For a list of texts there are `limit` moments of
                each, in the order of the list, with the text in the column `text`.
            limit: The most moments, at least 1.
            per_video: The most moments of one row of the index; None: any number.
            min_gap: Seconds. Frames of one row that are closer than this to a better one are the
                same moment. 0: each frame is a moment.
            candidates_col: The column of candidates, as in `index`.
            info_col: The column that says how the index was made, as in `index`.
            cpus: As in `transform`.
            gpus: As in `transform`.

        Returns:
            The other columns of the index, `text string` with a list of texts, `frame_id bigint`,
            `timestamp double` (seconds from the start of the video) and `score float`, best first.
            With `min_score`, only moments that reach it.

        Raises:
            ParameterError: an argument is invalid, a column is missing, of the wrong type or has
                the name of an added one, the index is a stream, the module gives no embeddings, or
                `rerank` is given.
            ModelNotFoundError: in a local session, there is no model.
            IndexMismatchError: in the job: the index was made by another model.
        """
        from spark_keyframes.spark.columns import check_dataframe
        from spark_keyframes.spark.interpreter import is_local
        from spark_keyframes.spark.search import search_index

        check_dataframe(index, "index")
        self._check_embeddings("search()")
        if self.rerank:
            raise ParameterError(
                f"rerank={self.rerank!r} looks at frames, and search() reads no video; leave "
                "rerank out, or ask single videos with transform_index()"
            )
        text = self.text if text is None else text
        several = not isinstance(text, str)
        question = Question([text] if isinstance(text, str) else text, limit, per_video, min_gap)
        if isinstance(text, str):
            self._warn_of_no_text(text, "set text")
        self._check_model(same_view=is_local(index.sparkSession))
        return search_index(
            index,
            IndexColumns(candidates=candidates_col, info=info_col),
            question,
            self._pipeline(None),
            several=several,
            cpus=cpus,
            gpus=gpus,
        )

    def _check_embeddings(self, method: str) -> None:
        check_looks_at_all(self.scan, method)
        module = self.make_module()
        if not isinstance(module, EmbeddingModule):
            raise ParameterError(
                f"{method} needs embeddings, and module {type(module).__name__} gives none; use an "
                "EmbeddingModule"
            )
