"""Decoding in long-lived child processes: what a video does to a codec costs its own row only."""

from spark_keyframes.video.process.process_decoder import ProcessDecoder

__all__ = ["ProcessDecoder"]
