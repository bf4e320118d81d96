"""The documented operator on Daft, on its native and its Ray runner.

from spark_keyframes.daft import VideoAdaptiveKeyframesSampling, las_udf
"""

import atexit
import functools
import logging
import secrets
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import daft
from daft import DataType, Expression, Series

from spark_keyframes.actors import ActorResources, log_address, log_level, log_to
from spark_keyframes.arrow.batches import error_of_row
from spark_keyframes.arrow.requests import requests_of
from spark_keyframes.arrow.result_rows import keyframes_cell
from spark_keyframes.checks import (
    check_choice,
    check_integer,
    check_number,
    check_type,
    lone_surrogate,
)
from spark_keyframes.engine import Outcome, Pipeline, Request
from spark_keyframes.errors import ParameterError
from spark_keyframes.result import Failure, ImagesAs, Keyframes, OnError, VideoFailedError
from spark_keyframes.runner import pipeline_for_workers
from spark_keyframes.sampler import VideoAdaptiveKeyframesSampling
from spark_keyframes.schema import ERROR_DDL, KEYFRAMES_DDL, arrow_type

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["VideoAdaptiveKeyframesSampling", "las_udf"]

logger = logging.getLogger("spark_keyframes")

_ROW_BYTES = 2**30
"""the most bytes of a row's images, as on Spark"""
_ROWS = 16
"""of a batch, where nobody says how many"""


def las_udf(
    cls: type[VideoAdaptiveKeyframesSampling],
    construct_args: Mapping[str, Any] | None = None,
    *,
    num_cpus: float | None = None,
    num_gpus: float | None = None,
    concurrency: int | None = None,
    batch_size: int | None = None,
    images: ImagesAs | None = None,
    error: bool = False,
    on_error: OnError = "null",
) -> Callable[..., Expression]:
    """Return a function from a Daft expression of videos to one of their keyframes.

        keyframes = las_udf(VideoAdaptiveKeyframesSampling, construct_args={"text": "spoon"})
        rows = rows.with_column("keyframes", keyframes(col("video")))
        rows = rows.with_column("keyframes", keyframes(col("video"), col("text")))

    The second argument is a text per row instead of the parameter `text`. The result is
    Struct[tos_paths: List[Utf8], frame_ids: List[Int64], scores: List[Float32]]: three aligned
    lists ordered by frame id. It is null for a null video or text, and for a video that fails; the
    log says why.

    Args:
        cls: VideoAdaptiveKeyframesSampling, or a subclass of it.
        construct_args: The operator's parameters by name.
        num_cpus: CPUs of each actor. On Ray they are reserved. None: the actors of a machine share
            all of its CPUs, of which Ray reserves one each.
        num_gpus: GPUs of each actor, as Daft takes them: a fraction up to 1, or a whole number. The
            model computes on one. None or 0: on the CPU.
        concurrency: How many actors run, each with a model of its own. None: 1.
        batch_size: The most rows that an actor takes at a time. It works on several of them at
            once, so more than 1 is faster, above all for remote videos. None: 16.
        images: Add the field `images`: "arrays" (List[Image[RGB]]) or "encoded" (List[Binary],
            files of `img_type`). None: `return_keyframes` has no effect, since the documented
            struct has no images.
        error: Add the field `error`, why a video failed, Struct[stage: Utf8, error: Utf8,
            message: Utf8]. The struct of such a video has only this field.
        on_error: null: a video that fails has no keyframes. raise: the query fails.

    Raises:
        ParameterError: an argument or a parameter is invalid. The function that is returned raises
            it where there are fewer GPUs than `num_gpus`.
        UnsupportedSchemeError, BucketNotFoundError: `output_tos_dir` cannot be written. On the
            native runner ModelNotFoundError, CredentialsError and StorageWriteError, too.
    """
    sampler = _constructed(cls, {} if construct_args is None else construct_args)
    check_choice("on_error", on_error, get_args(OnError))
    check_type("error", error, bool, "True or False")
    if images is not None:
        check_choice("images", images, get_args(ImagesAs))
        if not sampler.return_keyframes:
            raise ParameterError(
                f"images={images!r} needs return_keyframes=True in construct_args; leave one out"
            )
    elif (construct_args or {}).get("return_keyframes"):
        _warn_of_no_images()
    sampler = replace(sampler, return_keyframes=images is not None)
    cpus = None if num_cpus is None else _amount("num_cpus", num_cpus)
    gpus = 0.0 if num_gpus is None else _amount("num_gpus", num_gpus)
    actors = _count("concurrency", concurrency, 1, "it is the number of actors")
    returns = _Returns(
        rows=_count("batch_size", batch_size, _ROWS, "it is the rows that an actor takes"),
        images=images,
        error=error,
        on_error=on_error,
    )

    def keyframes(videos: Expression, texts: Expression | str | None = None) -> Expression:
        check_type("videos", videos, Expression, "an expression of Daft, such as daft.col(…)")
        on_ray = daft.get_or_infer_runner_type() == "ray"
        resources = ActorResources(cpus=cpus, gpus=gpus, actors=actors, on_ray=on_ray)
        resources.check()
        if isinstance(texts, str):
            if wrong := lone_surrogate(texts):
                raise ParameterError(f"texts {wrong}")
            texts = daft.lit(texts)
        elif texts is not None:
            check_type("texts", texts, Expression, "an expression of Daft, or one text")
        advice = "set text, give a column of texts" if texts is None else None
        pipeline = replace(
            pipeline_for_workers(sampler, same_view=not on_ray, text_advice=advice),
            images_as=images or "arrays",
            row_bytes=_ROW_BYTES if images else None,
        )
        columns = [videos] if texts is None else [videos, texts]
        found: Expression = _actors(pipeline, returns, resources)(*columns)
        return found

    return keyframes


@dataclass(frozen=True, kw_only=True)
class _Returns:
    """What the actors return."""

    rows: int
    images: ImagesAs | None
    error: bool
    on_error: OnError

    @property
    def dtype(self) -> DataType:
        """The type of a row's result in Daft."""
        types: dict[str, Any] = {
            name: DataType.from_arrow_type(arrow_type(kind))
            for name, kind in (field.split(" ") for field in KEYFRAMES_DDL.split(", "))
        }
        if self.images:
            image = DataType.image("RGB") if self.images == "arrays" else DataType.binary()
            types["images"] = DataType.list(image)
        if self.error:
            types["error"] = DataType.from_arrow_type(arrow_type(f"struct<{ERROR_DDL}>"))
        struct: DataType = DataType.struct(types)
        return struct


class _Actor:
    """Runs the pipeline over all batches of an actor, in its own process.

    One run, so that modules and callbacks are set up once, whatever `batch_size` is.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        returns: _Returns,
        resources: ActorResources,
        log: tuple[str, int] | None,
        job: str,
    ) -> None:
        if log is not None:
            log_to(*log)
        self._pipeline = replace(pipeline, threads=resources.share_cpus())
        self._device = resources.device(pipeline.parameters.rank, log and Path(log[0]).parent / job)
        self._returns = returns
        self._dtype = returns.dtype
        self._requests: deque[Request] = deque()
        self._run: Generator[Outcome] | None = None
        atexit.register(self._close)

    def keyframes(self, videos: Series, texts: Series | None = None) -> Series:
        """Return the result of each row."""
        column = _column("videos", videos, self._pipeline.parameters.video_src_type)
        if texts is None:
            of_rows = [self._pipeline.parameters.text] * len(column)
        else:
            of_rows = _column("texts", texts, "a text").to_pylist()
        self._requests.extend(requests_of(column, of_rows))
        if self._run is None:
            self._run = self._pipeline.run(self._source(), device=self._device)
        try:
            cells = [self._cell(next(self._run), number) for number in range(len(of_rows))]
        except BaseException:
            self._close()
            raise
        return Series.from_pylist(cells, dtype=self._dtype)

    def _source(self) -> Iterator[Request | None]:
        while True:
            yield self._requests.popleft() if self._requests else None

    def _close(self) -> None:
        self._requests.clear()
        if self._run is not None:
            run, self._run = self._run, None
            run.close()

    def _cell(self, outcome: Outcome, number: int) -> Any:
        if isinstance(outcome, Failure):
            if self._returns.on_error == "raise":
                # From None: the cause may show a URL with its signature.
                raise error_of_row(VideoFailedError(number, outcome), " of a batch") from None
            error = {name: getattr(outcome, name) for name in ("stage", "error", "message")}
            return {"error": error} if self._returns.error else None
        cell: Any = keyframes_cell(outcome)
        if self._returns.images and isinstance(outcome, Keyframes):
            encoded = self._returns.images == "encoded"
            cell["images"] = outcome.image_files if encoded else outcome.images
        return cell


def _actors(pipeline: Pipeline, returns: _Returns, resources: ActorResources) -> Any:
    """Return what Daft calls: a function of expressions, whose actors have these resources."""

    class Actor(_Actor):
        @daft.method.batch(return_dtype=returns.dtype, batch_size=returns.rows)
        def __call__(self, *columns: Series) -> Series:
            return self.keyframes(*columns)

    # With `max_concurrency` each actor is a process of its own, on both runners.
    made: Any = daft.cls(
        Actor,
        cpus=resources.cpus,
        gpus=resources.gpus,
        max_concurrency=resources.actors,
        name_override=VideoAdaptiveKeyframesSampling.__name__,
    )
    log = None if resources.on_ray else (log_address(), log_level())
    return made(pipeline, returns, resources, log, secrets.token_hex(4))


def _constructed(
    cls: type[VideoAdaptiveKeyframesSampling], arguments: Mapping[str, Any]
) -> VideoAdaptiveKeyframesSampling:
    if not (isinstance(cls, type) and issubclass(cls, VideoAdaptiveKeyframesSampling)):
        raise ParameterError(
            f"cls must be VideoAdaptiveKeyframesSampling or a subclass of it, got {cls!r}; give "
            "its parameters as construct_args"
        )
    check_type("construct_args", arguments, Mapping, "a dict of parameters by name")
    names = [each.name for each in fields(cls) if each.init]
    for name in arguments:
        if name not in names:
            near = get_close_matches(str(name), names, 1) or names
            raise ParameterError(f"construct_args has no parameter {name!r}; use {', '.join(near)}")
    return cls(**arguments)


def _amount(name: str, value: float) -> float:
    number = check_number(name, value, "use e.g. 1, or None for Daft's default")
    if number < 0 or (name == "num_gpus" and number > 1 and not number.is_integer()):
        raise ParameterError(
            f"{name} must be at least 0, and whole above 1 for GPUs, got {value}; use e.g. 1"
        )
    return number


def _count(name: str, value: int | None, default: int, hint: str) -> int:
    return default if value is None else check_integer(name, value, 1, hint)


def _column(name: str, series: Series, kind: str) -> "pa.Array":
    """Return a column as Arrow; ParameterError unless its type is right."""
    found, wanted = series.datatype(), DataType.string()
    if kind == "video_binary":
        wanted = DataType.binary()
    if found not in (wanted, DataType.null()):
        raise ParameterError(f"{name} are of type {found}, but {kind} needs {wanted}; cast them")
    return series.to_arrow()


@functools.cache
def _warn_of_no_images() -> None:
    logger.warning(
        "return_keyframes=True: the documented struct has no images, so none are decoded for it; "
        'use las_udf(…, images="arrays") or images="encoded" for a field of them'
    )
