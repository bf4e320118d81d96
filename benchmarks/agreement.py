"""How many keyframes of an index in half precision are those of the videos: python -m
benchmarks.agreement VIDEO…

An index holds embeddings of the precision that it was made with. `transform` in half precision
scores close frames again, exactly; an index cannot. For each selector it prints which part of the
keyframes is the same as with float32, from the videos and from an index.
"""

import argparse
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from spark_keyframes import VideoAdaptiveKeyframesSampling
from spark_keyframes.clip import loading, packed_tower
from spark_keyframes.demo import MODELS
from spark_keyframes.engine import Pipeline, Request, resolve_device
from spark_keyframes.result import Answers

TEXTS = ["a dog", "a red car seen from above", "a cup of coffee", "a flower", "people on bikes"]
SELECTORS: tuple[Literal["aks", "top", "bin"], ...] = ("aks", "top", "bin")


def main() -> None:
    """Print the shares."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--model-path", default=str(MODELS))
    parser.add_argument("--clip-model-name", default="tiny_clip")
    parser.add_argument("--fps", type=float, default=4.0)
    options = parser.parse_args()
    _compute_half_precision_on_any_cpu()
    sampler = VideoAdaptiveKeyframesSampling(
        fps=options.fps,
        model_path=options.model_path,
        clip_model_name=options.clip_model_name,
        dtype="float32",
        max_num_frames=8,
        return_keyframes=False,
    )
    paths = list(map(str, options.videos))
    for selector in SELECTORS:
        exact = replace(sampler, selector=selector)
        half = replace(exact, dtype="float16")
        expected = asked(exact, [Request(path, TEXTS) for path in paths])
        shares = {
            "from the videos": asked(half, [Request(path, TEXTS) for path in paths]),
            "from an index": asked(half, indexed(half, paths)),
        }
        words = (f"{how} {share(expected, found):.2%}" for how, found in shares.items())
        print(f"{selector}: bfloat16 {', '.join(words)} of {sum(map(len, expected))} keyframes")


def _compute_half_precision_on_any_cpu() -> None:
    """Compute dtype float16 as on a CPU with bfloat16, slowly, where this CPU has none."""

    def precision(dtype: str, _device: Any) -> str:
        return "float32" if dtype == "float32" else "bfloat16"

    setattr(loading, "resolve_precision", precision)  # noqa: B010 - not exported
    setattr(packed_tower, "can_pack", lambda _model: False)  # noqa: B010


def indexed(sampler: VideoAdaptiveKeyframesSampling, paths: Sequence[str]) -> list[Request]:
    """Index the videos, and return questions to their indexes."""
    found = run(sampler, [Request(path, []) for path in paths], embeddings=True)
    return [Request(None, TEXTS, indexed=answer.candidates) for answer in found]


def asked(sampler: VideoAdaptiveKeyframesSampling, requests: Sequence[Request]) -> list[set[int]]:
    """Return the frame ids for each video and text."""
    answers = run(sampler, requests)
    return [set(each.frame_ids) for answer in answers for each in answer.keyframes if each]


def run(
    sampler: VideoAdaptiveKeyframesSampling, requests: Sequence[Request], **options: Any
) -> list[Answers]:
    """Run the engine in this process."""
    pipeline = Pipeline(sampler.make_module(), sampler, **options)
    with closing(pipeline.run(requests, device=resolve_device(rank=0))) as outcomes:
        found = list(outcomes)
    for outcome in found:
        if not isinstance(outcome, Answers):
            raise SystemExit(f"a video failed: {outcome}")
    return found  # type: ignore[return-value]


def share(expected: Sequence[set[int]], found: Sequence[set[int]]) -> float:
    """Return which part of the expected frames was found."""
    same = sum(len(one & other) for one, other in zip(expected, found, strict=True))
    return same / sum(map(len, expected))


if __name__ == "__main__":
    main()
