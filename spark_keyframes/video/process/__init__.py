"""Decoding in separate, long-lived processes, so that a codec crash fails only its own video."""

from spark_keyframes.video.process.process_decoder import ProcessDecoder

__all__ = ["ProcessDecoder"]
