# mypy: ignore-errors
# Needs torchcodec, which is installed for the benchmarks only.
"""Decodes with torchcodec: get_frames_played_at with one thread, as full-size RGB."""

from torchcodec.decoders import VideoDecoder
from worker import serve

BATCH = 16


def run(video, fps):
    decoder = VideoDecoder(video, num_ffmpeg_threads=1)
    begin, end = decoder.metadata.begin_stream_seconds, decoder.metadata.end_stream_seconds
    seconds, number = [], 0
    while (second := begin + number / fps) < end - 1e-6:
        seconds.append(second)
        number += 1
    for first in range(0, len(seconds), BATCH):
        decoder.get_frames_played_at(seconds[first : first + BATCH])
    return {"decoded": len(seconds)}


serve(run)
