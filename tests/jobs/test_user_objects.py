"""A module, a selector and callbacks of one's own, given to the jobs as import paths."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from spark_keyframes import VideoAdaptiveKeyframesSampling
from spark_keyframes.jobs import ingest, sample
from spark_keyframes.jobs.ingest import IngestOptions, run_settings
from tests.conftest import REPO

SOURCE = """
from pathlib import Path

from spark_keyframes import Callback, KeyframesModule, Selector


class Brightness(KeyframesModule):
    def __init__(self, step=1):
        self.step = step

    def preprocess(self, rgb):
        return float(rgb[:: self.step, :: self.step].mean())

    def predict_step(self, inputs, texts):
        return inputs


class EveryNth(Selector):
    def __init__(self, n=1):
        self.n = n

    def select(self, scores, k):
        return list(range(0, len(scores), self.n))[:k]


class WriteOutcome(Callback):
    def __init__(self, folder="."):
        self.folder = folder

    def on_video_end(self, source, outcome):
        (Path(self.folder) / Path(source).stem).write_text(type(outcome).__name__)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder on Python's path with the module `own` of a user."""
    (tmp_path / "own.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("own", None)


def test_objects_are_made_with_their_arguments(folder):
    given = ["--input", "x", "--module", "own:Brightness", "--module-args", '{"step": 8}']
    given += ["--selector", "own:EveryNth", "--selector-args", '{"n": 2}']
    given += ["--callbacks", "own:WriteOutcome", "own:WriteOutcome"]
    sampler = sample.parse_options([*given, "--callbacks-args", '[{}, {"folder": "x"}]']).sampler
    assert (type(sampler.module).__name__, sampler.module.step) == ("Brightness", 8)
    assert (type(sampler.selector).__name__, sampler.selector.n) == ("EveryNth", 2)
    assert [callback.folder for callback in sampler.callbacks] == [".", "x"]
    sampler = sample.parse_options(given).sampler
    assert [callback.folder for callback in sampler.callbacks] == [".", "."]


def test_without_them_the_defaults_stay():
    sampler = sample.parse_options(["--input", "x", "--selector", "bin"]).sampler
    assert sampler == VideoAdaptiveKeyframesSampling(selector="bin")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--module-args", "{}x"], "argument --module-args: must be JSON, got '{}x'"),
        (["--module-args", '{"step": 8}'], "--module-args needs an import path in --module"),
        (
            ["--selector", "top", "--selector-args", '{"n": 1}'],
            "needs an import path in --selector",
        ),
        (["--module", "own:Brightness", "--module-args", "[8]"], "--module-args must be"),
        (["--module", "own:EveryNth"], "EveryNth"),
        (["--module", "own:Missing"], "Missing"),
        (["--module", "missing_package:Missing"], "missing_package"),
        (["--module", "Brightness"], "Brightness"),
        (["--module", "own:Brightness", "--module-args", '{"size": 8}'], "size"),
        (["--module", "own:Brightness", "--model-path", "x"], "model_path"),
        (["--selector", "middle"], "aks, top"),
        (["--callbacks", "own:WriteOutcome", "--callbacks-args", "[]"], "--callbacks, which are 1"),
        (
            ["--callbacks", "own:WriteOutcome", "--callbacks-args", "[1]"],
            "--callbacks-args must be",
        ),
    ],
)
def test_what_cannot_be_made_is_one_line_before_spark_starts(folder, arguments, message, capsys):
    with pytest.raises(SystemExit) as end:
        sample.parse_options(["--input", "x", *arguments])
    assert end.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("sample.py: error: ")
    assert message in last


def test_a_checkpoint_compares_import_paths_and_arguments(folder):
    given = ["--input", "/x", "--output", "/y", "--checkpoint", "/z"]

    def settings(*more):
        found = run_settings(ingest.parse_options([*given, *more]))
        return {name: found[name] for name in ("module", "selector", "callbacks")}

    assert settings() == {"module": None, "selector": "aks", "callbacks": None}
    made = settings(
        *("--module", "own:Brightness", "--module-args", '{"step": 8}'),
        *("--selector", "own:EveryNth", "--callbacks", "own:WriteOutcome"),
    )
    assert json.loads(json.dumps(made)) == {
        "module": {"class": "own:Brightness", "args": {"step": 8}},
        "selector": {"class": "own:EveryNth", "args": {}},
        "callbacks": [{"class": "own:WriteOutcome", "args": {}}],
    }

    import own

    own.Brightness.params = lambda self: {"step": self.step}
    sampler = VideoAdaptiveKeyframesSampling(module=own.Brightness(8), selector="top")
    options = IngestOptions(input="/x", output="/y", checkpoint="/z", sampler=sampler)
    assert run_settings(options)["module"] == made["module"], "the same object, in a program"


@pytest.mark.slow
def test_spark_submit_with_a_module_on_the_workers_path(folder, clips, tmp_path):
    scripts = Path(sys.executable).parent
    command = [scripts / "spark-submit", "--master", "local[2]", "--conf", "spark.ui.enabled=false"]
    command += ["--py-files", folder / "own.py", REPO / "jobs" / "sample.py", "--input", clips[0]]
    command += ["--module", "own:Brightness", "--module-args", '{"step": 8}', "--fps", "5"]
    command += ["--selector", "own:EveryNth", "--selector-args", '{"n": 4}']
    command += ["--callbacks", "own:WriteOutcome", "--max-num-frames", "3"]
    command += ["--callbacks-args", json.dumps([{"folder": str(tmp_path)}])]
    command += ["--output", tmp_path / "table", "--no-return-keyframes"]
    done = subprocess.run(
        [str(word) for word in command],
        env={**os.environ, "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = pq.read_table(tmp_path / "table").to_pylist()

    from own import Brightness, EveryNth

    sampler = VideoAdaptiveKeyframesSampling(
        module=Brightness(8), selector=EveryNth(4), fps=5, max_num_frames=3
    )
    expected = sampler.sample(clips[0])
    assert row["keyframes"]["frame_ids"] == list(expected.frame_ids)
    assert row["keyframes"]["scores"] == pytest.approx(list(expected.scores))
    assert (tmp_path / "a").read_text() == "Keyframes"
