"""Carries one video from a row's value to its keyframes."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from spark_keyframes.account import Account, StageClock
from spark_keyframes.engine.candidates import CancelledError, CandidateScores
from spark_keyframes.engine.fetching import Fetcher
from spark_keyframes.engine.request import Outcome, Request, RunContext
from spark_keyframes.engine.second_look import look_again
from spark_keyframes.error_chain import free_stack_frames
from spark_keyframes.errors import DecodeError, ParameterError, VideoChangedError, WindowError
from spark_keyframes.redaction import redact_url
from spark_keyframes.result import Answers, Candidates, Failure, Keyframes
from spark_keyframes.scan import CoarseScan, log_why_not
from spark_keyframes.video import Ahead, RgbFrame, Source, Video, Window, open_source
from spark_keyframes.video.frame_cache import FrameCache

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
        self.outcome: Outcome = None
        self.done = False
        self.account = Account()
        self._context = context
        self._clock = StageClock(self.account)
        self.stream_choice = ""
        self._source_name = ""
        self._turn = ExitStack()
        self._began: float | None = None
        self._ended: float | None = None
        self._cache = FrameCache(context.budget, keep=_kept_candidates(request, context))
        most = context.row_bytes if context.embeddings else None
        scores = CandidateScores(request.texts, self.account, self._cache, context.choice, most)
        self.candidates = scores
        self._fetcher = Fetcher(context, self.candidates, self._cache, self._clock)

    def run(self) -> None:
        """Do all of it, in the calling thread; afterwards `outcome` is set. Never raises."""
        self._began = time.perf_counter()
        self._clock.start()
        callbacks = self._context.callbacks
        outcome: Keyframes | Answers | Failure
        try:
            callbacks.video_start(self.name, self.request.text or "")
            outcome = self._answers()
        except BaseException as error:  # noqa: BLE001 - any failure costs only this row
            self._clock.enter(self.stage)  # adds the seconds up to here
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
    def stage(self) -> str:
        """Where it is, or where it ended."""
        return self._clock.stage

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
        """The highest timestamp of a candidate so far, in seconds."""
        return max(self.candidates.timestamps, default=0.0)

    def cancel(self) -> None:
        """Make `run` end soon; from any thread."""
        self.candidates.cancel()
        self._fetcher.cancel()

    def _answers(self) -> Keyframes | Answers:
        window = Window.of(self.request.start, self.request.end)
        if self.request.indexed is not None:
            self._source_name = "" if self.request.video is None else self.name
            return self._ask_index(self.request.indexed.within(window))
        self.candidates.window = window
        if not self.candidates.texts and not self._context.embeddings:
            return self._arranged({})
        with self._opened() as (source, video):
            self._submit_candidates(video)
            self._wait_for_scores()
            self._score_contested(video)
            return self._arranged(self._finish(self._choose(video), source, video))

    def _ask_index(self, indexed: Candidates) -> Keyframes | Answers:
        with self._waiting():
            self._context.scorer.submit_indexed(self.candidates, indexed)
            self.candidates.wait_until_scored()
        self._clock.enter("select")
        again = self._context.matcher is not None
        needed = self.candidates.shortlists() if again else self.candidates.choose()
        if not (any(needed) and (again or self._context.needs_images)):
            return self._arranged(self._finish(needed))
        times = [self.candidates.timestamps[index] for of_text in needed for index in of_text]
        self.candidates.window = Window.around(times)  # of the rest, nothing need be read
        try:
            with self._opened() as (source, video):
                return self._arranged(self._finish(self._choose(video), source, video))
        except WindowError as error:
            raise VideoChangedError(f"{error}; the video is shorter than when indexed") from None

    @contextmanager
    def _opened(self) -> Iterator[tuple[Source, Video]]:
        parameters = self._context.parameters
        self._clock.enter("open")
        with open_source(
            self.request.video,
            video_src_type=parameters.video_src_type,
            video_format=parameters.video_format,
            access=parameters.access,
            limits=parameters.limits,
            whole=self.candidates.window.is_whole,
        ) as source:
            self._source_name = source.name
            with self._clock.paused():
                self._turn = self._context.turns.take(source)
            self._clock.enter("demux")
            with self._turn, self._counted(source) as video:
                yield source, video

    def _arranged(self, of_texts: Mapping[str, Keyframes]) -> Keyframes | Answers:
        """Return the keyframes in the order of the request's texts."""
        if isinstance(self.request.text, str):
            return of_texts[self.request.text]
        texts = self.request.text or ()
        found = [None if text is None else of_texts[text] for text in texts]
        return Answers(found, self.account, self._all_candidates(None))

    def _all_candidates(self, number: int | None) -> Candidates:
        return self.candidates.result(number, embeddings=self._context.embeddings)

    @contextmanager
    def _counted(self, source: Source) -> Iterator[Video]:
        """The open video; its frames are counted once it is closed and its decoder stands still."""
        decoder, hint = self._context.decoder, source.format_hint
        parameters, window = self._context.parameters, self.candidates.window
        decodes_all = self.request.indexed is None and parameters.scan == "exhaustive"
        ahead = Ahead(parameters.fps, **self._how()) if decodes_all else None
        video = decoder.open(source.file, format_hint=hint, window=window, ahead=ahead)
        self.stream_choice = video.stream_choice
        try:
            with video:
                yield video
        finally:
            counts = ["frames_decoded", "frames_skipped", "frames_doubtful"]
            if self.request.indexed is None:  # else frames by id are decoded for the first time
                counts.append("decoded_again")
            for count in counts:
                setattr(self.account, count, getattr(video, count))

    def _how(self) -> dict[str, Any]:
        return {"hold": self._cache.keeps_frames, "looks_at": self._context.module.looks_at}

    def _submit_candidates(self, video: Video) -> None:
        fps = self._context.parameters.fps
        if self._context.parameters.scan == "exhaustive" or not self._scan(video):
            if count := video.candidate_count(fps):
                self.candidates.expect(count, tolerance=self._context.module.tolerance)
            self._clock.enter("decode", video.seconds_ahead)
            self._submit(video, video.candidates(fps, **self._how()))
            self.account.candidates_total = len(self.candidates.frame_ids)
        self.candidates.duration = video.duration

    def _submit(self, video: Video, pictures: Iterable[RgbFrame]) -> None:
        for picture in pictures:
            self._clock.enter("preprocess")
            inputs = self._fetcher.preprocess(picture, self._context.module)
            index = self.candidates.append(picture.frame_id, picture.timestamp)
            if index is not None:
                self._cache.add(index, video, picture, inputs)
            elif self._cache.keeps_frames:
                video.release([picture.frame_id])
            with self._waiting():
                self._context.scorer.submit(self.candidates, inputs)
            self._clock.enter("decode")

    def _scan(self, video: Video) -> bool:
        """Look at some of the candidates; return False where all have to be looked at."""
        parameters, of = self._context.parameters, self.candidates
        choice, share = self._context.choice, parameters.scan_budget
        scan = CoarseScan.of(video, parameters.fps, choice, share=share, texts=len(of.texts))

        def look(frame_ids: Sequence[int]) -> dict[int, list[float]]:
            before = len(of.frame_ids)
            self._clock.enter("decode")
            looked_at = video.candidates_by_id(frame_ids, **self._how())
            self._submit(video, scan.as_planned(looked_at))
            self._wait_for_scores()
            of.complete = False
            return of.scores_since(before)

        why_not = scan.why_not
        if not why_not:
            tolerance = self._context.module.tolerance
            of.expect(len(scan.places), tolerance=tolerance, places=scan.places)
            try:
                of.settle(scan.run(look))
                self.account.candidates_total = len(scan.places)
                return True
            # A frame is damaged, or decoding shows other frames than the packets announced.
            except (DecodeError, ParameterError) as error:
                self._wait_for_scores()
                of.restart()
                why_not = str(error)
        log_why_not(self.name, why_not)
        return False

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        with self._clock.waiting():
            yield
            self.candidates.check()

    def _wait_for_scores(self) -> None:
        self.candidates.complete = True
        with self._waiting():
            self._context.scorer.notify()
            self.candidates.wait_until_scored()

    def _score_contested(self, video: Video) -> None:
        """Score the candidates again whose selection depends on the precision of their scores."""
        self._clock.enter("select")
        module = self._context.module
        contested = self.candidates.contested(module.tolerance)
        if not contested:
            return
        self._clock.enter("preprocess")
        kept = self._cache.inputs
        missing = [index for index in contested if index not in kept]
        pictures = self._fetcher.pictures(video, missing)
        inputs = [
            kept[index] if index in kept else self._fetcher.preprocess(next(pictures), module)
            for index in contested
        ]
        with self._waiting():
            texts = [self.candidates.texts] * len(inputs)
            self._context.scorer.submit_together(self.candidates, inputs, texts)
            self.candidates.wait_for_exact(contested)
        self.account.scored_again += len(contested)

    def _choose(self, video: Video) -> list[list[int]]:
        """Return the indices of the keyframes of each text, after the second look if any."""
        self._clock.enter("select")
        if self._context.matcher is not None:
            look_again(
                self.candidates,
                video,
                self._context.matcher,
                context=self._context,
                fetcher=self._fetcher,
                cache=self._cache,
                clock=self._clock,
            )
            self._clock.enter("select")
        return self.candidates.choose()

    def _finish(
        self, chosen: list[list[int]], source: Source | None = None, video: Video | None = None
    ) -> dict[str, Keyframes]:
        """The keyframes of each text; an image that several texts share is made once."""
        self._turn.close()  # images may wait for a network
        texts = self.candidates.texts
        self._clock.enter("encode")
        images: dict[str, dict[int, Any]] = {}
        union = sorted(set().union(*chosen))
        if source is None or video is None:
            self._show(chosen, source, {})
        else:
            shown = self._fetcher.shown(video, union)
            self._show(chosen, source, {"images": shown})
            self.candidates.check()
            images = self._fetcher.images(source, video, union, shown)
        self._clock.enter("select")  # adds the seconds of the last stage
        return {text: self._result(text, chosen, source, **images) for text in texts}

    def _show(
        self, chosen: list[list[int]], source: Source | None, images: dict[str, dict[int, Any]]
    ) -> None:
        callbacks = self._context.callbacks
        for text in self.candidates.texts if callbacks.want_keyframes else ():
            callbacks.keyframes(self._result(text, chosen, source, **images))

    def _result(
        self, text: str, chosen: list[list[int]], source: Source | None, **images: dict[int, Any]
    ) -> Keyframes:
        of, number = self.candidates, self.candidates.texts.index(text)
        ids = [of.frame_ids[index] for index in chosen[number]]
        lists: dict[str, list[Any]] = {
            name: [by_id[frame_id] for frame_id in ids] if by_id else []
            for name, by_id in (_NOTHING | images).items()
        }
        return Keyframes(
            frame_ids=ids,
            scores=[of.final_score(number, index) for index in chosen[number]],
            timestamps=[of.timestamps[index] for index in chosen[number]],
            candidates=self._all_candidates(number),
            account=self.account,
            source=self._source_name,
            identity=source.identity if source else "",
            text=text,
            decision=of.decisions[number],
            **lists,
        )


def _kept_candidates(request: Request, context: RunContext) -> Any:
    """What to keep of a candidate that can still be selected."""
    if not request.texts:
        return "nothing"
    if context.needs_images or context.matcher is not None:
        return "frames"
    return "inputs" if context.module.tolerance else "nothing"
