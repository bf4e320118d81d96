"""`spark-keyframes doctor`: looks at what a run needs, and says what to do."""

import os
from typing import Any

from spark_keyframes.cli.submitting import find_spark_submit, has_pyspark, submit
from spark_keyframes.command import Command, Option, PlaceType, Text
from spark_keyframes.doctor.command import end_if_spark_hangs
from spark_keyframes.doctor.command import run as run_doctor
from spark_keyframes.doctor.options import Options

_DESCRIPTION = (
    "Look at what a run needs, and say what to do where something is missing. Each line is good, "
    "a note, or bad; the exit code is 1 where a line is bad, and 0 otherwise. Nothing secret is "
    "printed."
)
_MODEL = "A folder with models, to load one and score a drawn frame; '' for the Hugging Face Hub."
_WRITE = (
    "Store an object of 100 kB in a folder such as tos://bucket/keyframes or s3://…, read it and "
    "remove it; with --spark on the executors too."
)


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise ValueError("it must be KEY=VALUE")
    return name, value


def _option(name: str, help: str, **options: Any) -> Option:
    return Option([name], help=help, common=True, **options)


def run(values: dict[str, Any]) -> int:
    """Run the doctor with the options that were given; return the exit code."""
    options = Options(
        model_path=values.get("model_path"),
        clip_model_name=values.get("clip_model_name", Options.clip_model_name),
        write=values.get("write", ""),
    )
    master, remote = values.get("master", ""), values.get("remote", "")
    conf = dict(values.get("conf", ()))
    spark = bool(values.get("spark") or master or remote or conf)
    if spark and not has_pyspark() and find_spark_submit():
        _submit(values, master, conf)
    status = run_doctor(
        options,
        spark=spark,
        master=master,
        remote=remote or os.environ.get("SPARK_REMOTE", ""),
        conf=conf,
        as_json=bool(values.get("json")),
    )
    end_if_spark_hangs(status)
    return status


def _submit(values: dict[str, Any], master: str, conf: dict[str, str]) -> None:
    """Let spark-submit run the same, where only it finds pyspark."""
    ours = ["--spark", *(["--json"] if values.get("json") else [])]
    for name in ("model_path", "clip_model_name", "write"):
        if name in values:
            ours.append(f"--{name.replace('_', '-')}={values[name]}")
    theirs = ["--master", master] if master else []
    for name, value in conf.items():
        theirs += ["--conf", f"{name}={value}"]
    submit(theirs, "doctor", ours)


command = Command(
    "doctor",
    params=[
        _option("--spark", "Start Spark, and look at its settings and its executors too.",
                is_flag=True),
        _option("--master", "Where Spark runs: local[4], spark://HOST:7077, yarn, k8s://…; "
                "implies --spark.", metavar="URL", type=Text()),
        _option("--remote", "A server of Spark Connect, such as sc://HOST; implies --spark.",
                metavar="URL", type=Text()),
        _option("--conf", "A setting of Spark, for --spark; may be repeated.", metavar="KEY=VALUE",
                type=Text(_setting), multiple=True),
        _option("--model-path", _MODEL, metavar="FOLDER", type=PlaceType("dir")),
        _option("--clip-model-name", "The model in that folder. Default: "
                f"{Options.clip_model_name}.", metavar="NAME", type=Text()),
        _option("--write", _WRITE, metavar="URL", type=PlaceType("dir")),
        _option("--json", "Print JSON, for programs.", is_flag=True),
    ],
    run=run,
    description=_DESCRIPTION,
    examples=[
        "--model-path out/models --clip-model-name tiny_clip",
        "--write tos://my-bucket/keyframes",
        "--master yarn --conf spark.executor.memory=8g",
    ],
    exit_codes=False,
)  # fmt: skip
"""The subcommand."""
