"""Runs `make sample`: draw a cooking video, find the spoon in it on Spark, and show the result.

It needs no network. jobs/sample.py runs under spark-submit with the tiny CLIP, which is copied to
out/models. The scenes of the video are known, so that anyone can check the keyframes.
"""

import argparse
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
from spark_keyframes.result import Keyframes
from spark_keyframes.sampler import VideoAdaptiveKeyframesSampling

REPO = Path(__file__).parents[2]


def main() -> int:
    """Run the demo; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, prog="python -m spark_keyframes.demo.sample"
    )
    parser.add_argument("--text", default="spoon", help="what to look for (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder (%(default)s)")
    parser.add_argument("--explain", action="store_true", help="say why these frames were chosen")
    options = parser.parse_args()
    out, text = options.out, options.text

    begin = time.monotonic()
    video, scenes = draw_cooking_video(out)
    models = copy_model(out)
    print(f"Drew {video}, a minute of cooking, in {time.monotonic() - begin:.0f} s.\n")

    command = ["spark-submit", "jobs/sample.py", "--input", str(video), "--text", text]
    command += ["--max-num-frames", "4", "--fps", "2", "--model-path", str(models)]
    command += ["--clip-model-name", MODEL, "--output-tos-dir", str(out / "keyframes")]
    command += ["--output", str(out / "table"), "--mode", "overwrite"]
    print("$ " + " ".join(command), flush=True)
    if status := submit(command):
        return status

    # Sample again in this process, for the score curve: the table does not have it.
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
    keyframes.contact_sheet(spans=spans, explain=options.explain).save(sheet)
    if options.explain:
        print(f"\n{keyframes.explain()}")
    print(f"\n{found} of {len(keyframes.frame_ids)} keyframes show a {text}. See: {sheet}")
    print(
        "\nNext: make sample TEXT=egg. For your own videos, replace the value of --input, and use"
    )
    print(
        '--model-path "" without --clip-model-name: the demo\'s model knows its 20 objects only.\n'
    )
    print(f"$ {next_command(video, out, text)}")
    return 0


def next_command(video: Path, out: Path, text: str) -> str:
    """Return a command that works as it is, without an active environment."""
    python = Path(sys.executable)
    shown = python.relative_to(Path.cwd()) if python.is_relative_to(Path.cwd()) else python
    command = [shown, "jobs/sample.py", "--input", video, "--text", text, "--fps", 2]
    command += ["--max-num-frames", 4, "--model-path", out / "models", "--clip-model-name", MODEL]
    return shlex.join(map(str, [*command, "--output-tos-dir", out / "my-keyframes"]))


def submit(command: Sequence[str]) -> int:
    """Run a command with the settings of conf/; return its exit code."""
    scripts = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{scripts}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_CONF_DIR": str(REPO / "conf"),
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    program = [str(scripts / command[0]), *command[1:]]
    return subprocess.run(program, env=environment, check=False).returncode  # noqa: S603


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


if __name__ == "__main__":
    sys.exit(main())
