# mypy: ignore-errors
# A benchmark script like its competitors, run on its own.
"""spark_keyframes in one process, as in a notebook."""

from pathlib import Path

from worker import arguments, serve

from spark_keyframes import VideoAdaptiveKeyframesSampling

options = arguments()
folder = Path(options.model)


def run(video, fps):
    sampler = VideoAdaptiveKeyframesSampling(
        text=options.text,
        model_path=str(folder.parent),
        clip_model_name=folder.name,
        dtype="float32" if options.precision == "float32" else "float16",
        fps=fps,
        max_num_frames=options.frames,
        return_keyframes=False,
    )
    result = sampler.sample(video)
    return {
        "frame_ids": result.frame_ids,
        "scores": result.scores,
        "scored": len(result.candidates.scores),
        "seconds": result.account.seconds,
        "scored_again": result.account.scored_again,
    }


serve(run)
