"""VideoAdaptiveKeyframesSampling: the documented operator, on Spark and in one process."""

import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast, overload

from spark_keyframes.checks import path_text
from spark_keyframes.engine import Request, resolve_device
from spark_keyframes.errors import ParameterError
from spark_keyframes.imports import require
from spark_keyframes.pandas_methods import PandasMethods, is_pandas
from spark_keyframes.result import Answers, Failure, ImagesAs, Keyframes, KeyframesOfTexts, OnError
from spark_keyframes.runner import NO_TEXT

logger = logging.getLogger("spark_keyframes")

Frame = TypeVar("Frame")
"""A DataFrame of Spark or of pandas."""


@dataclass(frozen=True, kw_only=True, repr=False)
class VideoAdaptiveKeyframesSampling(PandasMethods):
    """Finds the keyframes of videos that best match a text, spread over each video.

    Frames are sampled at `fps`, scored by CLIP against the text, chosen by Adaptive Keyframe
    Sampling (arXiv 2502.21271), and saved as images. An object holds parameters only: it is
    immutable, cheap and picklable.

    Args:
        text: The text that frames are compared with, best as a caption in the model's language: a
            red car seen from above. CLIP reads the first 77 tokens.
        model_path: The folder that holds models. Empty: the model is loaded from the Hugging Face
            Hub.
        clip_model_name: The model's folder below `model_path`, or its name on the Hub: CLIP,
            SigLIP, SigLIP 2 of fixed resolution, Chinese-CLIP, AltCLIP or MetaCLIP 2; see
            docs/models.md.
        rerank: A second model, which looks at the best candidates again; keyframes are chosen among
            these. A BlipForImageTextRetrieval: its folder below `model_path`, or its name on the
            Hub. Scores are then the probabilities that text and frame match, and `min_score` is
            one; see docs/choosing.md. Empty: there is none.
        rerank_candidates: How many candidates of a video `rerank` looks at, at least
            `max_num_frames`; of AKS, the best of each segment. None: 4 × `max_num_frames`.
        dtype: The precision of the model. float16 is faster: float16 on a GPU, and on a CPU the
            fastest half precision that selects the same frames. float32 is exact.
        video_src_type: What a row holds: video_url (a path or URL), video_base64 or video_binary.
        fps: Candidate frames per second of video, above 0; 0.5 is one every two seconds. Higher: a
            finer choice, and more work. Above the video's own rate: every frame.
        max_num_frames: The number of keyframes per video, at least 1. A video with fewer candidates
            gives fewer.
        min_score: The least score of a keyframe: a video that does not show what the text says
            gives few frames, or none. What is high depends on the model and the text; see
            docs/choosing.md. Without it the best frames are selected, however low their scores.
        min_gap: The least seconds between keyframes of one text. One that is closer to a better one
            gives way to the next best; see docs/choosing.md. 0: off. `search` has an argument of
            this name, and does not use the parameter.
        max_similarity: The highest cosine of the embeddings of two keyframes of one text, from 0 to
            1. One that is more alike to a better one gives way to the next best; see
            docs/choosing.md. 1: off.
        t1: AKS does not split a segment of the video whose top scores exceed its mean by more than
            this, after scaling to 0 to 1. Next to no video reaches the default; 0.1 to 0.3 favours
            the best matches over an even spread.
        t2: The least standard deviation of a segment's scaled scores for `t1` to apply.
        all_depth: How often AKS may halve the video to spread the keyframes, at least 0. 0: no
            spread.
        diversity: How much the selector logdet prefers frames that differ from each other to those
            that match the text best, at least 0. 0: the best scores alone. No other selector uses
            it.
        img_type: The format of keyframe images: .jpg (quality 90) or .png.
        output_tos_dir: Where keyframe images are stored: tos://bucket/prefix, s3://bucket/prefix, a
            local folder, file://, or a scheme of fsspec. Empty: they are not stored.
        return_keyframes: Return the images too, as arrays in a second column.
        batch_size: Frames per forward pass of the model, at least 1. A GPU takes more where they
            wait.
        rank: The GPU's number, where Spark has not assigned one.
        video_format: The container of base64 and binary videos (mp4, mov, …), where the bytes do
            not tell.
        video_stream: The video stream to decode, counted from 0 among the video streams as FFmpeg's
            v:0. None: FFmpeg's own choice among those that can be decoded; the log tells which.
        selector: How keyframes are chosen: aks (good matches, spread over the video), top (the best
            wherever they are), bin (the best of each equal slice), gift and logdet (good matches
            that differ from each other), uniform (equal distances, whatever the scores), summary
            (what the video shows, whatever the scores), or a Selector of your own.
        scan: Which candidates are scored. exhaustive: all. coarse: first the keyframes of the
            codec, then only GOPs where the selector may still find better frames. It is faster, and
            can miss a short event between two keyframes; see docs/choosing.md.
        scan_budget: With `scan` coarse: how many frames may be scored, as a share of the
            candidates, above 0, at most 1. Keyframes of the codec count, also those that are no
            candidates. At least `max_num_frames` candidates are scored.
        decoder: Where videos are decoded. process: in child processes, so that a video that crashes
            its codec costs its own row only. thread: in the task itself. gpu: by the task's GPU, or
            on CPUs what it cannot decode. auto: by whichever of both is idle; see docs/gpu.md.
        limits: Limits on one video: download, pixels, frames, seconds, memory; see Limits.
        access: Which URLs may be read: schemes, hosts, folders, private addresses; see Access.
        module: A KeyframesModule of your own, which scores frames against texts. It replaces CLIP:
            `model_path`, `clip_model_name` and `dtype`.
        callbacks: Callbacks, called around each video in this order.

    Raises:
        ParameterError: a value is invalid. It is a ValueError too.
    """

    def transform(
        self,
        videos: Frame,
        *,
        input_col: str = "video",
        output_col: str = "keyframes",
        text_col: str | None = None,
        start_col: str | None = None,
        end_col: str | None = None,
        error_col: str | None = None,
        account_col: str | None = None,
        timestamps_col: str | None = None,
        curve_col: str | None = None,
        made_by_col: str | None = None,
        candidates_col: str | None = None,
        info_col: str = "index_info",
        images: ImagesAs = "arrays",
        on_error: OnError = "null",
        keep_video: bool = False,
        cpus: int | None = None,
        gpus: int | None = None,
    ) -> Frame:
        """Add the keyframes of each video.

        For a DataFrame of Spark it is lazy, as all transformations are. One of pandas is sampled
        at once, in this process and without Spark.

        Args:
            videos: A DataFrame of Spark or pandas, with one video per row.
            input_col: The column of videos: strings, or binary, as `video_src_type` says. A null
                video gives a null result.
            output_col: The column to add for the result, struct<tos_paths: array<string>,
                frame_ids: array<bigint>, scores: array<float>>: three aligned lists ordered by
                frame id. With `return_keyframes`, <output_col>_images beside it holds the images as
                array<image> in Spark's image schema (pyspark.ml.image.ImageSchema).
            text_col: A column with a text per row, instead of `text`: string, or array<string> for
                several texts, for which each video is decoded once. The result is then an array of
                the struct, one for each text, `timestamps_col` an array of arrays, and
                <output_col>_images the union by frame id, which is in `origin`. A null text gives a
                null result.
            start_col: A column with where the part of each video begins that keyframes are chosen
                from, in seconds, any numeric type; null: at the start. Frame ids and timestamps
                stay those of the whole video. Several parts of a video are several rows.
            end_col: A column with where that part ends, in seconds; the frame at this time is not
                in it. null, or a time behind the video's end: at its end. A part that the video
                does not have is the row's error.
            error_col: The column to add for why a row failed, struct<stage: string, error: string,
                message: string>: null where it succeeded.
            account_col: The column to add for what each video took, failed ones too: see Account.
                Null for a null video.
            timestamps_col: The column to add for when each keyframe is shown, array<double>:
                seconds from the start of the video, aligned with the struct.
            curve_col: The column to add for the scores of all candidates, struct<timestamps:
                array<double>, scores: array<float>>: two aligned lists in order of presentation, in
                seconds from the start of the video. With several texts an array of the struct, one
                for each text. With `rerank` they are scores of the first model. Null where the
                video failed or has no text.
            made_by_col: The column to add for what made the result, struct<text: string, model:
                string, revision: string, fps: double, max_num_frames: bigint, selector: string,
                version: string>; failed rows have it too.
            candidates_col: The column to add for the index of the video, from the same decode: see
                `index`. Null where the video failed or has no text.
            info_col: The column to add, with `candidates_col`, for how the index was made.
            images: What the column of images holds, with `return_keyframes`: arrays (pixels in
                Spark's image schema) or encoded (array<binary>: files of `img_type`, about a tenth
                of the size).
            on_error: null: a row that fails has a null result. raise: the job fails.
            keep_video: Keep base64 and binary videos in the result; URLs always stay.
            cpus: The CPUs of each task of this stage, on a cluster; none: as Spark's conf says. A
                task decodes and scores on all of them, with one model.
            gpus: 1 for a GPU per task, on a cluster whose executors announce theirs; none: as
                Spark's conf says. A task without one uses GPU number `rank`, or else its CPUs.

        Returns:
            The DataFrame with all other columns unchanged and its rows in their order. One of
            pandas keeps its index; the added columns hold dicts for structs, and lists for arrays.

        Raises:
            ParameterError: a column is missing, of the wrong type, or exists already; or Spark
                cannot give a task these CPUs and GPUs.
            UnsupportedSchemeError: no installed package writes to output_tos_dir.
            BucketNotFoundError: the bucket of output_tos_dir does not exist.
            ModelNotFoundError, CredentialsError, StorageWriteError: in a local session, there is no
                model, or output_tos_dir cannot be written. On a cluster the tasks say so.
            KeyframesError: of pandas, with on_error="raise": a video failed. The class says why.
        """
        wanted, pipeline = self._plan_transform(
            input_col=input_col,
            output_col=output_col,
            text_col=text_col,
            start_col=start_col,
            end_col=end_col,
            error_col=error_col,
            account_col=account_col,
            timestamps_col=timestamps_col,
            curve_col=curve_col,
            made_by_col=made_by_col,
            candidates_col=candidates_col,
            info_col=info_col,
            images=images,
            on_error=on_error,
            keep_video=keep_video,
        )
        if is_pandas(videos):
            if cpus is not None or gpus is not None:
                raise ParameterError(
                    f"cpus={cpus} and gpus={gpus} are of Spark's tasks; leave them out for a "
                    "DataFrame of pandas, which is sampled on all CPUs, and on GPU number `rank`"
                )
            found: Any = self._transform_pandas(videos, wanted, pipeline, on_error=on_error)
            return cast(Frame, found)
        from spark_keyframes.spark.columns import check_dataframe

        rows: Any = videos
        check_dataframe(rows, or_pandas=True)
        added: Any = self._stage(rows, wanted, pipeline, on_error=on_error, cpus=cpus, gpus=gpus)
        return cast(Frame, added)

    @overload
    def sample(
        self,
        video: Any,
        *,
        text: str | None = None,
        start: float | None = None,
        end: float | None = None,
    ) -> Keyframes: ...

    @overload
    def sample(
        self,
        video: Any,
        *,
        text: Sequence[str | None],
        start: float | None = None,
        end: float | None = None,
    ) -> list[Keyframes | None]: ...

    def sample(
        self,
        video: Any,
        *,
        text: str | Sequence[str | None] | None = None,
        start: float | None = None,
        end: float | None = None,
    ) -> Keyframes | list[Keyframes | None]:
        """Return the keyframes of one video, in this process and without Spark.

        Args:
            video: a path or URL, base64, or bytes, as `video_src_type` says.
            text: instead of the parameter `text`. For a list of texts, the video is decoded once,
                and the result is a list; a None in it gives None.
            start: where the part begins that keyframes are chosen from, in seconds; None: at the
                start of the video. Frame ids and timestamps stay those of the whole video.
            end: where that part ends, without the frame at this time; None: at the video's end.

        Raises:
            KeyframesError: of the class that says what was wrong with the video, the model or the
                storage.
        """
        pipeline = replace(self._pipeline(self._writer()), workers=1)
        text = self.text if text is None else text
        if isinstance(text, str):
            self._warn_of_no_text(text, f"set text, {NO_TEXT}")
        request = Request(video=path_text(video), text=text, start=start, end=end)
        with closing(pipeline.run([request], device=resolve_device(rank=self.rank))) as outcomes:
            outcome = next(outcomes)
        if isinstance(outcome, Failure):
            raise outcome.cause
        if outcome is None:
            raise ParameterError("video is None; give a path, URL, base64 or bytes")
        if isinstance(outcome, Answers):
            return KeyframesOfTexts(outcome.keyframes)
        return outcome

    def udf(self) -> "Callable[..., Any]":
        """Return a Spark UDF from a video column to the documented struct, for SQL and withColumn.

            spark.udf.register("keyframes", sampler.udf())
            spark.sql("SELECT keyframes(video) FROM t")
            spark.sql("SELECT keyframes(video, prompt) FROM t")  # a text per row, not `text`

        A null video or text gives null, and so does a row that fails. The worker logs why;
        `transform` with `error_col` keeps the reason. Before Spark 4.1 there are no UDFs of Arrow
        arrays, and the result is a struct of nulls instead: test `keyframes.frame_ids IS NULL`.

        Raises:
            ParameterError: return_keyframes is True, since a UDF returns one column; or the active
                session cannot give a task the GPUs that its conf asks for.
            BucketNotFoundError, ModelNotFoundError, CredentialsError, StorageWriteError: as from
                `transform`.
            MissingPackageError: pyspark is not installed.
        """
        if self.return_keyframes:
            raise ParameterError(
                "return_keyframes=True needs a second column for the images, and a UDF gives one; "
                "use return_keyframes=False, or transform()"
            )
        require("pyspark", "udf()")
        from spark_keyframes.spark.resources import task_resources
        from spark_keyframes.spark.udf import keyframes_udf
        from spark_keyframes.spark.versions import active_session

        if spark := active_session():
            task_resources(spark)
        self._check_for_workers(spark)
        return keyframes_udf(self._pipeline(self._writer_anywhere()))
