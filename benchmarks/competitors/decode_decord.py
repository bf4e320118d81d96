# mypy: ignore-errors
# Needs decord, which is installed for the benchmarks only.
"""Decodes with decord: get_batch of the candidates in one thread, as full-size RGB."""

from decord import VideoReader
from worker import serve

BATCH = 16


def run(video, fps):
    reader = VideoReader(video, num_threads=1)
    rate = reader.get_avg_fps()
    frame_ids, number = [], 0
    while (frame_id := round(number * rate / fps)) < len(reader):
        frame_ids.append(frame_id)
        number += 1
    for begin in range(0, len(frame_ids), BATCH):
        reader.get_batch(frame_ids[begin : begin + BATCH]).asnumpy()
    return {"decoded": len(frame_ids)}


serve(run)
