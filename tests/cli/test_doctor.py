"""The options of `spark-keyframes doctor`."""

import json

import pytest

from spark_keyframes.cli import app
from spark_keyframes.cli import doctor as command
from spark_keyframes.doctor.options import Options


@pytest.fixture
def called(monkeypatch):
    """What the command calls the doctor with."""
    calls = []

    def run(options, **settings):
        calls.append((options, settings))
        return 1

    monkeypatch.setattr(command, "run_doctor", run)
    monkeypatch.delenv("SPARK_REMOTE", raising=False)
    return calls


def test_options_reach_the_doctor_and_its_exit_code_is_the_command_s(called):
    words = ["--model-path", "", "--clip-model-name=a/b", "--write", "tos://b/c", "--json"]
    assert app.main(["doctor", *words]) == 1
    assert called == [
        (
            Options(model_path="", clip_model_name="a/b", write="tos://b/c"),
            {"spark": False, "master": "", "remote": "", "conf": {}, "as_json": True},
        )
    ]


@pytest.mark.parametrize(
    "words",
    [
        ["--spark"],
        ["--master", "yarn"],
        ["--remote=sc://host"],
        ["--conf", "a.b=c", "--conf=d=e=f"],
    ],
)
def test_what_is_about_spark_starts_it(called, words):
    app.main(["doctor", *words])
    ((options, settings),) = called
    assert options == Options()
    assert settings["spark"]
    assert settings["conf"] == ({"a.b": "c", "d": "e=f"} if "a.b=c" in words else {})


def test_a_wrong_setting_is_one_line(called, capsys):
    assert app.main(["doctor", "--conf", "x"]) == 2
    assert "argument --conf: it must be KEY=VALUE" in capsys.readouterr().err
    assert called == []


def test_without_pyspark_spark_submit_runs_the_same(called, monkeypatch):
    submitted = []
    monkeypatch.setattr(command, "has_pyspark", lambda: False)
    monkeypatch.setattr(command, "find_spark_submit", lambda: "/opt/spark/bin/spark-submit")

    def submit(*words):
        submitted.append(words)
        raise SystemExit(0)

    monkeypatch.setattr(command, "submit", submit)
    words = ["--master=yarn", "--conf=a=b", "--write=tos://b", "--model-path=m", "--json"]
    with pytest.raises(SystemExit):
        app.main(["doctor", *words])
    theirs = ["--master", "yarn", "--conf", "a=b"]
    ours = ["--spark", "--json", "--model-path=m", "--write=tos://b"]
    assert submitted == [(theirs, "doctor", ours)]
    assert called == []


def test_the_help_says_what_the_exit_codes_mean(capsys):
    assert app.main(["doctor", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "the exit code is 1 where a line is bad, and 0 otherwise" in text


@pytest.mark.slow
def test_the_command_looks_at_this_machine(capfd, tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert app.main(["doctor", "--json", "--write", str(tmp_path / "a")]) == 1
    found = json.loads(capfd.readouterr().out)["places"][0]["findings"]
    levels = {each["name"]: each["level"] for each in found}
    assert levels["Java"] == "bad"
    assert levels["writing"] == "good"
