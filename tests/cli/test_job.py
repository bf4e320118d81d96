"""The subcommands that run jobs: here, or by spark-submit."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spark_keyframes.cli import app, submitting
from tests.conftest import REPO

JOBS = ("transform", "ingest", "index", "search")
RECORDER = """#!{python}
import json, os, sys
names = ("PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON", "SPARK_CONF_DIR")
print(json.dumps([sys.argv[1:], {{name: os.environ.get(name) for name in names}}]))
sys.exit(3)
"""


@pytest.fixture
def spark_home(tmp_path):
    """A Spark whose spark-submit prints what it is called with, and ends with 3."""
    program = tmp_path / "spark" / "bin" / "spark-submit"
    program.parent.mkdir(parents=True)
    program.write_text(RECORDER.format(python=sys.executable))
    program.chmod(0o755)
    return tmp_path / "spark"


def submitted(spark_home, *words):
    environment = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-m", "spark_keyframes", *words],
        env=environment | {"SPARK_HOME": str(spark_home)},
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    return json.loads(done.stdout)


def test_options_of_spark_submit_start_it(spark_home):
    words = ["--master=yarn", "--input", "a b", "--conf", "x=y z", "--resume", "--conf", "v=w"]
    words += ["--partition-by", "year", "month"]
    given, environment = submitted(spark_home, "transform", *words)
    job = ["--input=a b", "--resume", "--partition-by=year", "--partition-by=month"]
    spark = ["--master", "yarn", "--conf", "x=y z", "--conf", "v=w"]
    assert given == [*spark, str(submitting.SCRIPT), "transform", *job]
    assert submitting.SCRIPT.is_file()
    assert environment == {
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_CONF_DIR": None,  # SPARK_HOME has its own
    }


def test_what_stands_before_two_dashes_is_for_spark_submit(spark_home):
    given, _ = submitted(spark_home, "index", "--queue", "q", "--", "--input", "x", "--output", "y")
    assert given == ["--queue", "q", str(submitting.SCRIPT), "index", "--input=x", "--output=y"]


def test_wrong_options_end_it_before_spark_submit(capsys):
    assert app.main(["transform", "--master", "yarn", "--inputt", "x"]) == 2
    assert "did you mean --input?" in capsys.readouterr().err


def test_spark_submit_is_found_beside_pyspark_without_path(monkeypatch):
    monkeypatch.delenv("SPARK_HOME", raising=False)
    monkeypatch.setenv("PATH", "")
    import pyspark

    assert submitting.find_spark_submit() == f"{Path(pyspark.__file__).parent}/bin/spark-submit"


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"PATH": "/nowhere"}, "needs Java 17 or newer, and java is not in PATH; install it"),
        ({"JAVA_HOME": "/nowhere"}, "JAVA_HOME is '/nowhere', which has no bin/java"),
    ],
)
@pytest.mark.parametrize("name", [*JOBS, "demo"])
def test_without_java_a_line_says_what_to_install(name, variables, message, monkeypatch, capsys):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    needed = {
        "transform": ["--input", "x"],
        "ingest": ["--input", "x", "--checkpoint", "y", "--output", "z"],
        "index": ["--input", "x", "--output", "y"],
        "search": ["--input", "x", "--text", "y"],
        "demo": [],
    }
    assert app.main([name, *needed[name]]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"spark-keyframes {name}: error: {name} needs Java")
    assert message in line


@pytest.mark.parametrize("name", JOBS)
def test_the_options_of_spark_have_a_group_and_the_scripts_have_none(name, capsys):
    assert app.main([name, "--help", "spark"]) == 0
    assert "--deploy-mode MODE" in capsys.readouterr().out
    script = {"transform": "sample"}.get(name, name)
    command = [sys.executable, REPO / "jobs" / f"{script}.py", "--help-all"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "--deploy-mode" not in done.stdout
    assert f"Usage: {script}.py --input WHERE" in done.stdout
    assert f"\n  spark-submit jobs/{script}.py --input" in done.stdout


@pytest.mark.parametrize("out", ["/proc/out", "/dev/null"])
def test_the_demo_needs_a_folder_that_it_can_write(out, capsys):
    assert app.main(["demo", "--out", out]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"spark-keyframes demo: error: --out cannot be '{out}': ")


@pytest.mark.slow
def test_the_exit_code_comes_through_a_real_spark_submit(tmp_path):
    words = ["--master", "local[1]", "--input", "nothing/", "--text", "x", "--model-path", "models"]
    done = subprocess.run(
        [sys.executable, "-m", "spark_keyframes", "transform", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    # Spark-submit writes what a script says on standard error to standard output.
    assert "spark-keyframes transform: nothing found at 'nothing/'" in done.stdout


@pytest.mark.slow
def test_ctrl_c_ends_a_job_without_a_page_of_traces(clips, models, tmp_path):
    words = ["--input", clips[0], "--text", "x", "--model-path", models]
    words += ["--clip-model-name", "small", "--fps", "1000", "--output", tmp_path / "table"]
    process = subprocess.Popen(
        [sys.executable, "-m", "spark_keyframes", "transform", *map(str, words)],
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 120
    while not _has_workers(process.pid) and time.monotonic() < until and process.poll() is None:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=120)
    if process.returncode == 0:
        pytest.skip("the job was done before Ctrl-C")
    assert process.returncode in (130, -signal.SIGINT), err  # a shell shows 130 for both
    assert "spark-keyframes transform: interrupted" in err.splitlines()
    assert "Traceback" not in err


def _has_workers(group):
    """Whether Spark's Python daemon runs in a process group."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            own = os.getpgid(int(process.name)) == group
            if own and b"spark_keyframes.spark.daemon" in (process / "cmdline").read_bytes():
                return True
        except OSError:
            continue
    return False
