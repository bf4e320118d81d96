"""Runs the demo: draw a cooking video, find the spoon in it on Spark, and show the result.

It needs no network. `spark-keyframes transform` runs with the tiny CLIP, which is copied to
out/models. The scenes of the video are known, so that anyone can check the keyframes.
"""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from spark_keyframes.demo.cooking import draw_cooking_video
from spark_keyframes.demo.model import MODEL, copy_model
from spark_keyframes.demo.scene import Scene, scene_at
from spark_keyframes.report import write_report
from spark_keyframes.result import Keyframes
from spark_keyframes.sampler import VideoAdaptiveKeyframesSampling

_PROGRAM = "spark-keyframes"


def run_demo(text: str, out: Path, *, explain: bool = False) -> int:
    """Run the demo; return the exit code.

    Args:
        text: what to look for.
        out: the folder for the video, the model and the results.
        explain: say why these frames were chosen.
    """
    begin = time.monotonic()
    video, scenes = draw_cooking_video(out)
    models = copy_model(out)
    print(f"Drew {video}, a minute of cooking, in {time.monotonic() - begin:.0f} s.\n")

    question = ["--text", text, "--fps", "2", "--max-num-frames", "4"]
    model = ["--model-path", str(models), "--clip-model-name", MODEL]
    command = ["transform", "--input", str(video), *question, *model]
    command += ["--output-tos-dir", str(out / "keyframes"), "--output", str(out / "table")]
    command += ["--curve", "--account-col", "account", "--mode", "overwrite"]
    print(f"$ {shlex.join([_PROGRAM, *command])}", flush=True)
    if status := _run(command):
        return status

    # Sample again in this process, for the contact sheet.
    sampler = VideoAdaptiveKeyframesSampling(
        text=text, fps=2, max_num_frames=4, model_path=str(models), clip_model_name=MODEL
    )
    keyframes = sampler.sample(str(video))
    (row,) = pq.read_table(out / "table", columns=["keyframes"])["keyframes"].to_pylist()
    if row["frame_ids"] != keyframes.frame_ids:
        print(f"Error: Spark chose {row['frame_ids']}, sample() chose {keyframes.frame_ids}.")
        return 1

    found = show_beside_scenes(keyframes, scenes, text)
    sheet = out / "keyframes.png"
    spans = [(scene.start, scene.end) for scene in scenes if scene.object == text]
    keyframes.contact_sheet(spans=spans, explain=explain).save(sheet)
    if explain:
        print(f"\n{keyframes.explain()}")
    print(f"\n{found} of {len(keyframes.frame_ids)} keyframes show a {text}. See: {sheet}")
    page = out / "report.html"
    write_report(out / "table", page)
    print(f"The same as a page, for a browser: {page}")
    print("\nNext, another text, without Spark:\n")
    other = "egg" if text != "egg" else "cup"
    print(f"$ {_shown(['sample', str(video), '--text', other, *question[2:], *model])}")
    print("\nAnd your own video, with CLIP from the Hugging Face Hub:\n")
    print(f"$ {_shown(['sample', 'VIDEO', '--text', 'a red car', '--sheet', 'sheet.png'])}")
    return 0


def _shown(arguments: Sequence[str]) -> str:
    """Return a command that works as it is, without an active environment too."""
    script = Path(sys.executable).with_name(_PROGRAM)
    if not script.exists():
        return shlex.join([sys.executable, "-m", "spark_keyframes", *arguments])
    on_path = any(Path(each) == script.parent for each in os.get_exec_path())
    near = script.relative_to(Path.cwd()) if script.is_relative_to(Path.cwd()) else script
    return shlex.join([_PROGRAM if on_path else str(near), *arguments])


def _run(arguments: Sequence[str]) -> int:
    """Run a subcommand in a process of its own; return its exit code."""
    # Spark would warn about the name of a machine without a network.
    environment = {"SPARK_LOCAL_IP": "127.0.0.1", **os.environ}
    command = [sys.executable, "-m", "spark_keyframes", *arguments]
    return subprocess.run(command, env=environment, check=False).returncode  # noqa: S603


def show_beside_scenes(keyframes: Keyframes, scenes: Sequence[Scene], text: str) -> int:
    """Print the scenes with their keyframes; return how many keyframes show `text`."""
    fitting = 0
    print(f"\nThe scenes of the video (● shows a {text}), with the keyframes for “{text}”:\n")
    for scene in scenes:
        mark = "●" if scene.object == text else " "
        line = f"  {mark} {scene.start:5.1f} – {scene.end:4.1f} s  {scene.caption:32}"
        for frame_id, time_, score in zip(
            keyframes.frame_ids, keyframes.timestamps, keyframes.scores, strict=True
        ):
            if scene_at(scenes, time_) is scene:
                line += f"  ◀ frame {frame_id} at {time_:.1f} s, score {score:.2f}"
                fitting += scene.object == text
        print(line.rstrip())
    return fitting
