"""The function of `mapInArrow` that reads the headers of videos, and samples none."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from spark_keyframes.device import task_cpus
from spark_keyframes.parameters import Parameters
from spark_keyframes.result import Failure
from spark_keyframes.schema import ERROR_DDL, arrow_type
from spark_keyframes.video import VideoSrcType, cpu_decoder, make_decoder, open_source

if TYPE_CHECKING:
    import pyarrow as pa

HEADER_DDL = (
    f"place bigint, bytes bigint, seconds double, fps double, width int, height int, {ERROR_DDL}"
)
"""A row for each video. Where it cannot be opened, only `place` and the error are not null."""

_PATIENCE = 60.0  # seconds for a header


@dataclass(frozen=True)
class HeaderStage:
    """Reads the headers of a partition's videos. Its input has the columns place and video."""

    parameters: Parameters
    video_src_type: VideoSrcType

    def __call__(self, batches: "Iterable[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        """Yield a row for each video."""
        import pyarrow as pa

        schema = pa.schema(list(arrow_type(f"struct<{HEADER_DDL}>")))
        given = self.parameters.limits
        limits = replace(
            given,
            max_download_seconds=min(given.max_download_seconds, _PATIENCE),
            max_decode_seconds=min(given.max_decode_seconds, _PATIENCE),
        )
        parameters = replace(self.parameters, limits=limits)
        decoding = make_decoder(
            cpu_decoder(parameters.decoder),
            task_cpus(),
            limits=limits,
            video_stream=parameters.video_stream,
        )
        with decoding as decoder:
            for batch in batches:
                places, videos = batch.columns
                rows = [
                    {"place": place, **self._header(video, parameters, decoder)}
                    for place, video in zip(places.to_pylist(), videos.to_pylist(), strict=True)
                ]
                yield pa.RecordBatch.from_pylist(rows, schema)

    def _header(self, video: Any, parameters: Parameters, decoder: Any) -> dict[str, Any]:
        from spark_keyframes.video.header import read_header

        limits, name = parameters.limits, ""
        try:
            with open_source(
                video,
                video_src_type=self.video_src_type,
                video_format=parameters.video_format,
                access=parameters.access,
                limits=limits,
                whole=False,
            ) as source:
                name = source.name
                size = source.file.seek(0, os.SEEK_END)
                source.file.seek(0)
                header = read_header(
                    source, decoder, limits=limits, video_stream=parameters.video_stream
                )
        except Exception as error:  # noqa: BLE001 - it costs this video only, as in the job
            failure = Failure.of(error, "open", name)
            return {key: getattr(failure, key) for key in ("stage", "error", "message")}
        return {"bytes": size, **vars(header)}
