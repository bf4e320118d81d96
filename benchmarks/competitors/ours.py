# mypy: ignore-errors
# A benchmark script like its competitors, run on its own.
"""Samples with spark_keyframes in one process, as in a notebook."""

from pathlib import Path

from worker import arguments, serve

from spark_keyframes import VideoAdaptiveKeyframesSampling
from spark_keyframes.engine import Pipeline, Request, resolve_device

options = arguments()
folder = Path(options.model)


def run(video, fps, videos=()):
    sampler = VideoAdaptiveKeyframesSampling(
        text=options.text,
        model_path=str(folder.parent),
        clip_model_name=folder.name,
        dtype="float32" if options.precision == "float32" else "float16",
        fps=fps,
        max_num_frames=options.frames,
        return_keyframes=False,
        **({"scan": options.scan} if options.scan else {}),
        decoder=options.decoder,
    )
    if videos:
        return run_many(sampler, videos)
    result = sampler.sample(video, text=options.texts or options.text)
    if options.texts:
        result = result[0]  # the account of each is that of the whole decode
    return {
        "frame_ids": result.frame_ids,
        "scores": result.scores,
        "scored": len(result.candidates.scores),
        "decoded": result.account.frames_decoded,
        "seconds": result.account.seconds,
        "scored_again": result.account.scored_again,
    }


def run_many(sampler, videos):
    """Sample as a Spark task does, without Spark."""
    pipeline = Pipeline(sampler.make_module(), sampler)
    requests = (Request(video=video, text=options.text) for video in videos)
    found = list(pipeline.run(requests, device=resolve_device(rank=0)))
    return {"frame_ids": [], "scored": sum(len(each.candidates.scores) for each in found)}


serve(run)
