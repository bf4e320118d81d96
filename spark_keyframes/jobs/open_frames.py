"""Decodes the frames that a search found, and stores their images."""

from collections import defaultdict
from collections.abc import Sequence

from spark_keyframes.engine import ImageWriter
from spark_keyframes.errors import KeyframesError, ParameterError
from spark_keyframes.images import Pixels, content_type, encode_image
from spark_keyframes.images.keys import safe_stem
from spark_keyframes.jobs.frames_of_video import Wanted, frames_of_video
from spark_keyframes.jobs.moments import Moment
from spark_keyframes.sampler import VideoAdaptiveKeyframesSampling
from spark_keyframes.storage import write_url
from spark_keyframes.video import Source, cpu_decoder

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
        images: dict[Moment, str | KeyframesError] = {}
        of_frame: dict[Wanted, list[Moment]] = defaultdict(list)
        for moment in moments:
            of_frame[moment.frame_id, moment.timestamp].append(moment)
        sampler = self._sampler
        for source, frame, found in frames_of_video(
            url,
            of_frame,
            changed=_CHANGED,
            video_stream=stream,
            decoder=cpu_decoder(sampler.decoder),
            access=sampler.access,
            limits=sampler.limits,
        ):
            for moment in of_frame[frame]:
                try:
                    images[moment] = self._stored(source, found, moment)
                except KeyframesError as error:
                    images[moment] = error
        return images

    def _stored(self, source: Source, found: Pixels | KeyframesError, moment: Moment) -> str:
        if isinstance(found, KeyframesError):
            raise found
        kind = self._sampler.img_type
        folder = f"{moment.folder}/" if moment.folder else ""
        name = f"{moment.rank:03}-{safe_stem(source.stem)}-{moment.frame_id:08}{kind}"
        url = f"{self._folder}/{folder}{name}"
        write_url(url, encode_image(found, kind), content_type=content_type(kind))
        return url
