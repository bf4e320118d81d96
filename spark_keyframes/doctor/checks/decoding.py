"""Decoding: whether a process of its own can decode a video here."""

import io
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from spark_keyframes.demo.cooking import cooking_scenes
from spark_keyframes.demo.video import draw_video
from spark_keyframes.doctor.finding import Finding, bad, good
from spark_keyframes.doctor.options import Options
from spark_keyframes.errors import KeyframesError
from spark_keyframes.video import make_decoder


def check(_: Options) -> Iterator[Finding]:
    """Draw a second of H.264, and decode frames of it as the engine does."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "drawn.mp4")
        scene = cooking_scenes(5)[0]
        draw_video(path, [replace(scene, start=0.0, end=1.0)], size=(320, 180), fps=10)
        video = path.read_bytes()
    begin = time.monotonic()
    try:
        with (
            make_decoder("process", 1) as decoder,
            decoder.open(io.BytesIO(video)) as opened,
        ):
            frames = [frame.frame_id for frame in opened.candidates(5, hold=False)]
    except KeyframesError as error:
        yield bad(
            "decoding",
            f"a drawn H.264 video of 1 s cannot be decoded in a process: {error}",
            'try decoder="thread"; if that works, something here forbids processes their work',
        )
        return
    if frames != [0, 2, 4, 6, 8]:
        yield bad("decoding", f"the wrong frames were decoded: {frames}", "report it, with this")
        return
    seconds = time.monotonic() - begin
    yield good("decoding", f"a drawn H.264 video, in a process of its own, in {seconds:.1f} s")
