"""Carries one video from a row's value to its keyframes."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from spark_keyframes.account import Account
from spark_keyframes.engine.candidates import CancelledError, CandidateScores
from spark_keyframes.engine.frame_cache import FrameCache
from spark_keyframes.engine.request import Outcome, Request, RunContext
from spark_keyframes.errors import ModuleError, RowTooLargeError, free_stack_frames
from spark_keyframes.hooks import calling
from spark_keyframes.images import Pixels, encode_image
from spark_keyframes.images.writer import Upload
from spark_keyframes.redaction import redact_url
from spark_keyframes.result import Answers, Candidates, Failure, Keyframes
from spark_keyframes.video import RgbFrame, Source, Video, Window, open_source

_NOTHING: dict[str, dict[int, Any]] = {"tos_paths": {}, "images": {}}


class VideoTask:
    """Opens, decodes, scores, selects and stores one video.

    `run` needs a thread of its own. It submits candidates to the scorer, which several videos share
    and whose thread adds the scores to `candidates`.
    """

    def __init__(self, request: Request, context: RunContext, *, row: int = 0) -> None:
        self.request = request
        self.row = row
        """number of the request, from 0"""
        self.stage = "open"
        """where it is, or where it ended"""
        self.outcome: Outcome = None
        self.done = False
        self.account = Account()
        self._context = context
        self.stream_choice = ""
        self._source_name = ""
        self._stage_began = 0.0
        self._began: float | None = None
        self._ended: float | None = None
        self._cache = FrameCache(context.budget, keep=_kept_candidates(context))
        self.candidates = CandidateScores(request.texts, self.account, self._cache, context.choice)
        self._upload: Upload | None = None

    def run(self) -> None:
        """Do all of it, in the calling thread; afterwards `outcome` is set. Never raises."""
        self._began = self._stage_began = time.perf_counter()
        callbacks = self._context.callbacks
        outcome: Keyframes | Answers | Failure
        try:
            callbacks.video_start(self.name, self.request.text or "")
            outcome = self._answers()
        except BaseException as error:  # noqa: BLE001 - any failure costs only this row
            self._enter(self.stage)  # adds the seconds up to here
            outcome = Failure.of(error, self.stage, self._source_name, account=self.account)
            free_stack_frames(error)
        try:
            self._cache.clear()
            if not isinstance(getattr(outcome, "cause", None), CancelledError):
                outcome = callbacks.video_end(self.name, outcome)
        finally:
            self._ended = time.perf_counter()
            if self._context.parameters.video_src_type != "video_url":
                # It may be 50 MB, and the outcome may wait long for a slower video before it.
                self.request = replace(self.request, video=None)
            self.outcome = outcome
            self.candidates.complete = self.done = True
            self._context.scorer.notify()

    @property
    def name(self) -> str:
        """The video's name without credentials; base64 and bytes have none before they are open."""
        video, kind = self.request.video, self._context.parameters.video_src_type
        of_url = redact_url(video) if kind == "video_url" and isinstance(video, str) else kind
        return self._source_name or of_url

    @property
    def seconds(self) -> float:
        """Wall-clock seconds from the beginning to now or to the end; 0 before."""
        if self._began is None:
            return 0.0
        return (self._ended or time.perf_counter()) - self._began

    @property
    def video_seconds(self) -> float:
        """The timestamp of the last candidate so far, in seconds."""
        return (self.candidates.timestamps or [0.0])[-1]

    def cancel(self) -> None:
        """Make `run` end soon; from any thread."""
        self.candidates.cancel()
        if self._upload is not None:
            self._upload.cancel()

    def _enter(self, stage: str) -> None:
        """Begin a stage: errors from now on belong to it, and so do the seconds."""
        now = time.perf_counter()
        self.account.seconds[self.stage] += now - self._stage_began
        self.stage, self._stage_began = stage, now

    def _answers(self) -> Keyframes | Answers:
        window = Window.of(self.request.start, self.request.end)
        if not self.candidates.texts:
            return self._arranged({})
        parameters = self._context.parameters
        with open_source(
            self.request.video,
            video_src_type=parameters.video_src_type,
            video_format=parameters.video_format,
            access=parameters.access,
            limits=parameters.limits,
        ) as source:
            self._source_name = source.name
            self._enter("demux")
            with self._counted(source, window) as video:
                self._submit_candidates(video)
                self._wait_for_scores()
                self._score_contested(video)
                self._enter("select")
                chosen = self.candidates.choose()
                return self._arranged(self._finish(source, video, chosen))

    def _arranged(self, of_texts: Mapping[str, Keyframes]) -> Keyframes | Answers:
        """Return the keyframes in the order of the request's texts."""
        if isinstance(self.request.text, str):
            return of_texts[self.request.text]
        texts = self.request.text or ()
        found = [None if text is None else of_texts[text] for text in texts]
        return Answers(found, self.account)

    @contextmanager
    def _counted(self, source: Source, window: Window) -> Iterator[Video]:
        """The open video; its frames are counted once it is closed and its decoder stands still."""
        decoder, hint = self._context.decoder, source.format_hint
        video = decoder.open(source.file, format_hint=hint, window=window)
        self.stream_choice = video.stream_choice
        try:
            with video:
                yield video
        finally:
            for count in ("frames_decoded", "frames_skipped", "decoded_again"):
                setattr(self.account, count, getattr(video, count))

    def _submit_candidates(self, video: Video) -> None:
        fps = self._context.parameters.fps
        count = video.candidate_count(fps)
        if count:
            self.candidates.expect(count, tolerance=self._context.module.tolerance)
        self._enter("decode")
        for picture in video.candidates(fps, hold=self._cache.keeps_frames):
            self._enter("preprocess")
            inputs = self._preprocess(picture)
            index = self.candidates.append(picture.frame_id, picture.timestamp)
            self._cache.add(index, video, picture, inputs)
            with self._waiting():
                self._context.scorer.submit(self.candidates, inputs)
            self._enter("decode")

    def _preprocess(self, picture: RgbFrame) -> Any:
        module = self._context.module
        # The decoder writes the next picture to the same memory.
        rgb = picture.rgb.copy() if module.keeps_rgb else picture.rgb
        with calling("preprocess", module, ModuleError, "preprocess"):
            return module.preprocess(rgb)

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """Pause the stage's timer, and count this time as waiting."""
        self._enter("clip")
        began = self._stage_began
        yield
        waited = time.perf_counter() - began
        self.account.waited += waited
        self._stage_began += waited  # the scorer's thread adds the seconds of "clip"
        self.candidates.check()

    def _wait_for_scores(self) -> None:
        self.candidates.complete = True
        with self._waiting():
            self._context.scorer.notify()
            self.candidates.wait_until_scored()

    def _score_contested(self, video: Video) -> None:
        """Score the candidates again whose selection depends on the precision of their scores."""
        self._enter("select")
        contested = self.candidates.contested(self._context.module.tolerance)
        if not contested:
            return
        self._enter("preprocess")
        kept = self._cache.inputs
        missing = [index for index in contested if index not in kept]
        pictures = self._pictures(video, missing)
        inputs = [
            kept[index] if index in kept else self._preprocess(next(pictures))
            for index in contested
        ]
        with self._waiting():
            self._context.scorer.submit_contested(self.candidates, inputs)
            self.candidates.wait_for_exact(contested)
        self.account.scored_again = len(contested)

    def _finish(
        self, source: Source, video: Video, chosen: list[list[int]]
    ) -> dict[str, Keyframes]:
        """The keyframes of each text; an image that several texts share is made once."""
        context, callbacks = self._context, self._context.callbacks
        returned, img_type = context.parameters.return_keyframes, context.parameters.img_type
        encoded = returned and context.images_as == "encoded"
        union = sorted(set().union(*chosen))
        self._enter("encode")
        pictures: Iterable[tuple[int, Pixels]] = self._full_size(
            video, union, arrays=returned and not encoded
        )
        shown: dict[int, Pixels] = {}
        if callbacks.want_keyframes:
            if returned or callbacks.need_images:
                shown = {frame_id: rgb.copy() for frame_id, rgb in pictures}
                pictures = shown.items()
            for text in self.candidates.texts:
                callbacks.keyframes(self._result(source, text, chosen, images=shown))
        images: dict[int, Pixels] = {}
        files: dict[int, bytes] = {}
        paths: dict[int, str] = {}
        with self._uploading(source) as upload:
            self.candidates.check()
            for frame_id, rgb in pictures if returned or upload else ():
                data = encode_image(rgb, img_type) if encoded or upload else b""
                if encoded:
                    files[frame_id] = data
                    self._check_row(len(files), sum(map(len, files.values())), rgb)
                elif returned:
                    images[frame_id] = rgb if shown else rgb.copy()
                if upload:
                    upload.add(frame_id, data)
            if upload:
                self._enter("upload")
                ids = [self.candidates.frame_ids[index] for index in union]
                paths = dict(zip(ids, upload.finish(), strict=True))
        self._enter("select")  # adds the seconds of the last stage
        of_frames: dict[str, dict[int, Any]] = {
            "images": images,
            "image_files": files,
            "tos_paths": paths,
        }
        texts = self.candidates.texts
        return {text: self._result(source, text, chosen, **of_frames) for text in texts}

    def _result(
        self, source: Source, text: str, chosen: list[list[int]], **of_frames: dict[int, Any]
    ) -> Keyframes:
        of, number = self.candidates, self.candidates.texts.index(text)
        ids = [of.frame_ids[index] for index in chosen[number]]
        lists: dict[str, list[Any]] = {
            name: [by_id[frame_id] for frame_id in ids] if by_id else []
            for name, by_id in (_NOTHING | of_frames).items()
        }
        return Keyframes(
            frame_ids=ids,
            scores=[of.scores[number][index] for index in chosen[number]],
            timestamps=[of.timestamps[index] for index in chosen[number]],
            candidates=Candidates(of.frame_ids, of.timestamps, of.scores[number]),
            account=self.account,
            source=source.name,
            identity=source.identity,
            text=text,
            **lists,
        )

    def _full_size(
        self, video: Video, chosen: list[int], *, arrays: bool
    ) -> Iterator[tuple[int, Pixels]]:
        """The frame id and pixels of each keyframe; each array is gone with the next one."""
        for picture in self._pictures(video, chosen):
            if arrays:
                self._check_row(len(chosen), len(chosen) * picture.rgb.nbytes, picture.rgb)
            yield picture.frame_id, picture.rgb

    @contextmanager
    def _uploading(self, source: Source) -> Iterator[Upload | None]:
        """The upload, if there is one; its images are counted once it is closed."""
        writer = self._context.writer
        if writer is None:
            yield None
            return
        try:
            with writer.begin(source.stem, source.identity) as self._upload:
                yield self._upload
        finally:
            if self._upload is not None:
                self.account.images_uploaded = self._upload.images
                self.account.bytes_uploaded = self._upload.bytes

    def _pictures(self, video: Video, chosen: list[int]) -> Iterator[RgbFrame]:
        """The candidates `chosen`, in order; those that are not kept count as decoding."""
        pictures = video.frames_by_id([self.candidates.frame_ids[index] for index in chosen])
        stage = self.stage
        for index in chosen:
            if index not in self._cache.frames:
                self._enter("decode")
            picture = next(pictures)
            self._enter(stage)
            yield picture

    def _check_row(self, count: int, size: int, rgb: Pixels) -> None:
        limit, (height, width, _) = self._context.row_bytes, rgb.shape
        if limit is not None and size > limit:
            raise RowTooLargeError(
                f"{count} images of {width}×{height} pixels take {size / 2**30:.1f} GiB as "
                f"{self._context.images_as}, more than the {limit / 2**30:.0f} GiB that a row may "
                "hold; use return_keyframes=False with output_tos_dir, or a smaller max_num_frames"
            )


def _kept_candidates(context: RunContext) -> Any:
    """What to keep of a candidate that can still be selected."""
    if context.parameters.return_keyframes or context.callbacks.need_images or context.writer:
        return "frames"
    return "inputs" if context.module.tolerance else "nothing"
