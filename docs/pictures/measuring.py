"""Measures what the pictures show: the scores of the demo's video, and how packets are decoded."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.video.frame import PictureType

from spark_keyframes import VideoAdaptiveKeyframesSampling
from spark_keyframes.demo import MODEL, MODELS
from spark_keyframes.demo.cooking import cooking_scenes, draw_cooking_video
from spark_keyframes.demo.video import draw_video
from spark_keyframes.video import open_video
from spark_keyframes.video.gops import plan_runs

TEXT = "spoon"
RATE = 25
FRAMES = 150
CASES: tuple[dict[str, Any], ...] = (
    {"name": "long GOP", "fps": 1.0, "options": {"keyint": 250, "bframes": 0}},
    {"name": "B-frames", "fps": 1.0, "options": {"keyint": 250, "bframes": 3}},
    {"name": "short GOPs", "fps": 0.4, "options": {"keyint": 40, "bframes": 3}},
)
# Nothing of the structure is left to the encoder's judgement.
_FIXED = {"scenecut": 0, "b-adapt": 0, "b-pyramid": "none", "weightp": 0}


def measure(folder: Path) -> dict[str, Any]:
    """Draw, score and decode the videos; return what measured.json holds."""
    return {"curve": curve(folder), "packets": [packets(folder, **case) for case in CASES]}


def curve(folder: Path) -> dict[str, Any]:
    """The scores of all candidates of the demo's video, and where its text is true."""
    path, scenes = draw_cooking_video(folder)
    sampler = VideoAdaptiveKeyframesSampling(
        text=TEXT,
        fps=2.0,
        model_path=str(MODELS),
        clip_model_name=MODEL,
        dtype="float32",
        return_keyframes=False,
    )
    candidates = sampler.sample(str(path)).candidates
    return {
        "text": TEXT,
        "times": [round(time, 3) for time in candidates.timestamps],
        "scores": [round(score, 4) for score in candidates.scores],
        "spans": [[scene.start, scene.end] for scene in scenes if scene.object == TEXT],
        "duration": candidates.duration,
    }


def packets(folder: Path, *, name: str, fps: float, options: dict[str, Any]) -> dict[str, Any]:
    """How the frames of a clip are coded, and what the decoder does with each."""
    path = folder / f"{name}.mp4"
    _encode(folder / "drawn.mp4", path, {**_FIXED, **options})
    with path.open("rb") as file, open_video(file) as video:
        timeline, table = video.timeline, video._source.table
        assert timeline is not None, video.sequential_reason
        wanted = {frame.frame_id for frame in video.candidates(fps)}
        runs = plan_runs(table, sorted(wanted))
        given = {index for run in runs for index in range(run.start, run.stop)}
        returned = video.counters.was_returned
        assert video.counters.decoded == len(given)
        states = [
            "c"
            if frame_id in wanted
            else "d"
            if returned[frame_id]
            else "s"
            if index in given
            else "n"
            for frame_id, index in enumerate(table.presented)
        ]
        assert video.frames_decoded == states.count("c") + states.count("d")
        starts = [timeline.id_at(table.pts[index]) for index in table.gop_starts]
    with av.open(str(path)) as container:
        types = [PictureType(frame.pict_type).name for frame in container.decode(video=0)]
    return {
        "name": name,
        "fps": fps,
        "rate": RATE,
        "gop_starts": starts,
        "types": "".join(types),  # of each frame, in order of presentation
        # candidate; decoded as another needs it; given to the decoder, which skips it; not given
        "states": "".join(states),
    }


def _encode(drawn: Path, path: Path, options: dict[str, Any]) -> None:
    if not drawn.exists():
        scenes = [scene for scene in cooking_scenes(5) if scene.start < FRAMES / RATE]
        draw_video(drawn, scenes, size=(320, 180), fps=RATE)
    with av.open(str(drawn)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=Fraction(RATE))
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        given = {"min-keyint": options["keyint"], **options}
        x264 = ":".join(f"{key}={value}" for key, value in given.items())
        stream.options = {"preset": "fast", "threads": "1", "x264-params": x264}
        for number, frame in enumerate(source.decode(video=0)):
            if number == FRAMES:
                break
            frame.pict_type = PictureType.NONE
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            target.mux(stream.encode(frame))
        target.mux(stream.encode())
