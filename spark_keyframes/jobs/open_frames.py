"""Decodes the frames that a search found, and stores their images."""

from collections import defaultdict
from collections.abc import Sequence

from spark_keyframes.engine import ImageWriter, task_cpus
from spark_keyframes.errors import KeyframesError, ParameterError, VideoChangedError
from spark_keyframes.images import content_type, encode_image
from spark_keyframes.images.keys import safe_stem
from spark_keyframes.jobs.moments import Moment
from spark_keyframes.sampler import VideoAdaptiveKeyframesSampling
from spark_keyframes.storage import write_url
from spark_keyframes.video import Source, Video, make_decoder, open_source

_CHANGED = "the video has changed since it was indexed: index it again"


class FrameOpener:
    """Opens each video once, in this process, and stores the images of some of its frames.

    Args:
        sampler: with `img_type`, `access`, `limits` and `decoder`.
        folder: where images are stored, as `output_tos_dir`.

    Raises:
        KeyframesError: the folder cannot be written, see `ImageWriter.check`.
    """

    def __init__(self, sampler: VideoAdaptiveKeyframesSampling, folder: str) -> None:
        self._sampler = sampler
        self._folder = folder.rstrip("/")
        ImageWriter(folder, sampler.img_type).check()

    def open(self, moments: Sequence[Moment]) -> dict[Moment, str | KeyframesError]:
        """Return the path or URL of each moment's image, or why there is none."""
        by_video: dict[tuple[str | None, int | None], list[Moment]] = defaultdict(list)
        for moment in moments:
            by_video[moment.video, moment.video_stream].append(moment)
        images: dict[Moment, str | KeyframesError] = {}
        for (video, stream), of_video in by_video.items():
            try:
                images |= self._of_video(video, stream, of_video)
            except KeyframesError as error:
                images |= dict.fromkeys(of_video, error)
        return images

    def _of_video(
        self, url: str | None, stream: int | None, moments: Sequence[Moment]
    ) -> dict[Moment, str | KeyframesError]:
        if url is None:
            raise ParameterError("the index does not say which video this is")
        sampler, images = self._sampler, dict[Moment, str | KeyframesError]()
        with (
            open_source(url, access=sampler.access, limits=sampler.limits) as source,
            make_decoder(
                sampler.decoder, task_cpus(), limits=sampler.limits, video_stream=stream
            ) as decoder,
            decoder.open(source.file, format_hint=source.format_hint) as video,
        ):
            for moment in sorted(moments, key=lambda each: each.frame_id):
                try:
                    images[moment] = self._stored(source, video, moment)
                except KeyframesError as error:
                    images[moment] = error
        return images

    def _stored(self, source: Source, video: Video, moment: Moment) -> str:
        try:
            (picture,) = video.frames_by_id([moment.frame_id])
        except ParameterError as error:  # no such frame
            raise VideoChangedError(f"{error}; {_CHANGED}") from None
        if picture.timestamp != moment.timestamp:
            raise VideoChangedError(
                f"frame {picture.frame_id} is shown at {picture.timestamp} s, and was at "
                f"{moment.timestamp} s; {_CHANGED}"
            )
        kind = self._sampler.img_type
        folder = f"{moment.folder}/" if moment.folder else ""
        name = f"{moment.rank:03}-{safe_stem(source.stem)}-{moment.frame_id:08}{kind}"
        url = f"{self._folder}/{folder}{name}"
        write_url(url, encode_image(picture.rgb, kind), content_type=content_type(kind))
        return url
