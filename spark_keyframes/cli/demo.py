"""`spark-keyframes demo`: all of it with a drawn video and a tiny model, without a network."""

import os
from pathlib import Path
from typing import Any

from spark_keyframes.cli.submitting import check_spark
from spark_keyframes.command import Command, Option, PlaceType, Text
from spark_keyframes.errors import ParameterError


def run(given: dict[str, Any]) -> int:
    """Run the demo; return the exit code."""
    from spark_keyframes.demo.drawing.objects import KINDS
    from spark_keyframes.demo.sample import run_demo

    check_spark("demo")
    text, out = given.get("text", "spoon"), Path(given.get("out", "out"))
    if not text.strip():
        raise ParameterError(f"--text is empty; the demo's model knows {', '.join(KINDS)}")
    try:
        out.mkdir(parents=True, exist_ok=True)
        reason = "" if os.access(out, os.W_OK) else "you may not write there"
    except OSError as error:
        reason = str(error.strerror)
    if reason:
        raise ParameterError(f"--out cannot be {str(out)!r}: {reason}; choose another folder")
    return run_demo(text, out, explain=given.get("explain", False))


command = Command(
    "demo",
    params=[
        Option(
            ["--text"],
            type=Text(),
            metavar="TEXT",
            common=True,
            help="What to look for: one of the 20 objects of the drawings. Default: spoon.",
        ),
        Option(
            ["--out"],
            type=PlaceType("dir"),
            metavar="FOLDER",
            common=True,
            help="Where to write the video, the model and the results. Default: out.",
        ),
        Option(["--explain"], is_flag=True, common=True, help="Say why these frames were chosen."),
    ],
    run=run,
    description="Draw a minute of cooking, find the spoon in it on Spark, and show the result. "
    "It needs no network: the drawings and a tiny model are in the package.",
    examples=("--text egg",),
    too_many="; what to look for goes behind --text",
)
