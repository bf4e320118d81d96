# mypy: ignore-errors
# A benchmark script like its competitors, run on its own.
"""Decodes with PyAV: every frame in one thread, candidates as full-size RGB."""

import av
from worker import serve


def run(video, fps):
    count = 0
    with av.open(video) as container:
        container.streams.video[0].codec_context.thread_count = 1
        for frame in container.decode(video=0):
            if frame.time + 1e-6 >= count / fps:
                frame.to_ndarray(format="rgb24")
                count += 1
    return {"decoded": count}


serve(run)
