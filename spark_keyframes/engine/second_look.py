"""Scores the best candidates of a video again, by a second model."""

from spark_keyframes.account import StageClock
from spark_keyframes.engine.candidates import CandidateScores
from spark_keyframes.engine.fetching import Fetcher
from spark_keyframes.engine.request import RunContext
from spark_keyframes.module import KeyframesModule
from spark_keyframes.video import Video
from spark_keyframes.video.frame_cache import FrameCache


def look_again(
    candidates: CandidateScores,
    video: Video,
    matcher: KeyframesModule,
    *,
    context: RunContext,
    fetcher: Fetcher,
    cache: FrameCache,
    clock: StageClock,
) -> None:
    """Add the scores of `matcher` for the candidates that the selector asks for.

    Their pictures are those that the decoder keeps, at full size within the run's budget; the
    others are decoded again. The matcher's inputs exist for one batch at a time. So neither a
    longer video nor a longer list takes more memory.
    """
    lists = [set(shortlist) for shortlist in candidates.shortlists()]
    wanted = sorted(set().union(*lists))
    cache.keep_only(wanted)
    texts = {
        index: [text for text, own in zip(candidates.texts, lists, strict=True) if index in own]
        for index in wanted
    }
    pictures = fetcher.pictures(video, wanted)
    size = context.parameters.batch_size
    clock.enter("preprocess")
    for start in range(0, len(wanted), size):
        asked = {index: texts[index] for index in wanted[start : start + size]}
        inputs = [fetcher.preprocess(next(pictures), matcher) for _ in asked]
        with clock.waiting():
            context.scorer.submit_together(candidates, inputs, [*asked.values()], matcher)
            candidates.wait_for_second(asked)
        clock.enter("preprocess")
    candidates.account.scored_again += len(wanted)
