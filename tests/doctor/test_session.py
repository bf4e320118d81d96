"""The doctor on Spark: a session, its executors, other versions, and Spark that does not start."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from spark_keyframes.doctor import executors, session
from spark_keyframes.doctor.examine import collected, of_new_session
from spark_keyframes.doctor.options import Options
from spark_keyframes.doctor.server import refusal_of
from spark_keyframes.doctor.worker import versions
from tests.environments import environment_without
from tests.spark.cluster import Cluster
from tests.spark.connect import connect_server
from tests.storage.web_server import without_proxies

QUICK = Options(only=("python", "threads", "tos"))


def of_executors(spark, options=QUICK):
    return list(session.of_executors(spark, options))


def levels(findings):
    return {each.name: each.level for each in findings}


def test_a_session_and_what_it_lacks(spark):
    first, *rest = session.of_session(spark)
    assert (first.name, first.level) == ("session", "good")
    assert first.found == f"Spark {spark.version}, a classic session, master local[2]"
    notes = [each.found for each in rest if each.level == "note"]
    assert any(each.startswith("spark.sql.files.maxPartitionBytes is not set") for each in notes)
    assert not any("spark.python.daemon.module" in each for each in notes), "the tests set it"


def test_one_task_of_a_python_runs_the_checks(spark):
    (section,) = of_executors(spark)
    names = [each.name for each in section.findings]
    assert names == ["versions", "Python", "threads", "TOS"], "once, although there are two tasks"
    assert section.findings[0].level == "good"
    assert "for each task (OMP_NUM_THREADS)" in section.findings[2].found
    assert list(Path(tempfile.gettempdir()).glob("spark_keyframes-doctor-*")) == []


@pytest.fixture
def other_python(spark, tmp_path):
    """A Python for the workers of the session, which lacks these packages."""
    own = spark.sparkContext.pythonExec

    def use(*packages):
        python = environment_without(tmp_path / "env", *packages)
        spark.sparkContext.pythonExec = python
        return python

    yield use
    spark.sparkContext.pythonExec = own


@pytest.mark.slow
def test_versions_that_differ_are_named(spark, other_python):
    other_python("tos")
    (section,) = of_executors(spark)
    first = section.findings[0]
    assert (first.name, first.level) == ("versions", "note")
    assert first.found == f"tos none, on the driver {versions()['tos']}"
    assert section.findings[-1].found == "tos:// cannot be used: the SDK is missing"


def test_workers_without_the_package_are_bad():
    text = "No module named 'spark_keyframes' in the Python of this worker, /usr/bin/python3"
    found = session.failure("executors", RuntimeError(text))
    assert (found.level, found.name) == ("bad", "executors")
    assert "No module named 'spark_keyframes'" in found.found
    assert "docs/shipping.md" in found.found + found.advice


def test_executors_that_say_the_same_are_one_section():
    line = {"name": "CPU", "level": "good", "found": "8", "advice": ""}

    def report(host, **changes):
        here = {"Python": "3.11.2", "spark_keyframes": "0.1.0", "torch": "2.13.0"}
        return {"host": host, "python": "/p", "versions": here | changes, "findings": [line]}

    here = report("")["versions"]
    reports = [report(f"node-{number}") for number in (3, 1, 2, 4)]
    reports += [report("node-5", torch="2.12.0"), report("node-6", spark_keyframes="0.0.9")]
    alike, other, old = executors.sections(reports, here)
    assert alike.place == "executors on node-1, node-2, node-3 and 1 more"
    assert [each.level for each in alike.findings] == ["good", "good"]
    assert other.findings[0].level == "note"
    assert other.findings[0].found == "torch 2.12.0, on the driver 2.13.0"
    assert old.findings[0].level == "bad"
    (python,) = executors.sections([report("a", Python="3.12.1")], here)
    assert python.findings[0].level == "bad"


def test_what_takes_too_long_is_left_alone():
    cancelled = []
    with pytest.raises(session.TooLateError, match=r"Spark did not answer in 0\.1 s"):
        session.within(0.1, lambda: time.sleep(5), lambda: cancelled.append(True))
    time.sleep(0.2)
    assert cancelled == [True]
    assert session.within(5, lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        session.within(5, lambda: 1 / 0)


def test_a_server_that_does_not_listen_is_bad_at_once(monkeypatch):
    without_proxies(monkeypatch)
    monkeypatch.delenv("SPARK_REMOTE", raising=False)
    monkeypatch.setattr("spark_keyframes.jobs.session.is_running", lambda: False)
    for settings in (
        {"remote": "sc://me@127.0.0.1:1/;token=QZXJKVWQ"},
        {"master": "spark://127.0.0.1:1"},
    ):
        (line,) = of_new_session(QUICK, conf={}, **settings)
        assert line.finding.level == "bad"
        assert line.finding.found == "127.0.0.1:1 does not answer: Connection refused"


def test_servers_are_tried_where_their_address_is_known(monkeypatch):
    without_proxies(monkeypatch)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        assert refusal_of(f"sc://127.0.0.1:{port}/;user_id=a") == ""
        assert refusal_of(f"spark://127.0.0.1:1,127.0.0.1:{port}") == ""
    assert refusal_of("spark://127.0.0.1:1,127.0.0.1:2").count("Connection refused") == 2
    assert "127.0.0.1:15002" in refusal_of("sc://127.0.0.1")
    for url in ("local[2]", "yarn", "k8s://https://127.0.0.1:1", "spark://host", "sc://", ""):
        assert refusal_of(url) == ""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    assert refusal_of("sc://127.0.0.1:1") == ""


@pytest.mark.slow
def test_a_server_that_never_answers_does_not_keep_the_command(tmp_path):
    """At exit, pyspark would ask such a server once more, for minutes."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        program = (
            "from spark_keyframes.doctor import session\n"
            "session.START_SECONDS = 5.0\n"
            "from spark_keyframes.cli.app import main\n"
            f"raise SystemExit(main(['doctor', '--remote=sc://127.0.0.1:{server.getsockname()[1]}']))"
        )
        begin = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
    assert done.returncode == 1, done.stderr
    assert "Spark did not answer in 5 s" in done.stdout
    assert time.monotonic() - begin < 150


@pytest.mark.slow
def test_tasks_that_hang_are_cancelled(spark, monkeypatch, tmp_path):
    monkeypatch.setattr(session, "STAGE_SECONDS", 2.0)
    monkeypatch.setattr(session, "DoctorTask", lambda *_: _sleep)
    (section,) = of_executors(spark)
    assert section.findings[0].found == "Spark did not answer in 2 s"
    status = spark.sparkContext.statusTracker()
    deadline = time.monotonic() + 20
    while status.getActiveJobsIds():
        assert time.monotonic() < deadline, "the job was not cancelled"
        time.sleep(0.1)


def _sleep(batches):
    for _ in batches:
        time.sleep(30)
    yield from ()


def test_a_session_that_is_there_is_kept(spark):
    diagnosis = collected(of_new_session(QUICK, conf={}))
    assert diagnosis.sections[0].place == "session"
    assert spark.range(1).count() == 1


def test_a_new_session_without_pyspark_is_bad(monkeypatch):
    monkeypatch.setattr("spark_keyframes.doctor.examine.find_spec", lambda name: None)
    (line,) = of_new_session(QUICK, conf={})
    assert line.finding.level == "bad"


PROGRAM = """
import sys
from spark_keyframes.doctor.command import run
from spark_keyframes.doctor.options import Options
options = Options(only=("python", "threads", "tos"))
sys.exit(run(options, spark=True, as_json=True, master=sys.argv[1], remote=sys.argv[2],
             conf={"spark.ui.enabled": "false", "spark.cores.max": "2"}))
"""


def doctor(environment, master="", remote="", status=0):
    """Run the doctor in a process of its own; return its sections by place."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, master, remote],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == status, done.stdout + done.stderr
    places = json.loads(done.stdout[done.stdout.index("{") :])["places"]
    return {place["place"]: place["findings"] for place in places}


@pytest.mark.slow
def test_over_connect(tmp_path):
    with connect_server(tmp_path / "log") as url:
        places = doctor({**os.environ}, remote=url)
    (first, *_) = places["session"]
    assert first["level"] == "good"
    assert "Connect to a server, master local[2]" in first["found"]
    (executors_,) = [lines for place, lines in places.items() if place.startswith("executors on")]
    assert [each["name"] for each in executors_] == ["versions", "Python", "threads", "TOS"]


@pytest.mark.slow
def test_on_a_cluster_the_workers_have_credentials_of_their_own(tmp_path):
    keys = {"ACCESS_KEY": "a", "SECRET_KEY": "b", "TOS_REGION": "cn-beijing"}
    with Cluster(tmp_path, environment=keys) as cluster:
        without = {k: v for k, v in cluster.environment.items() if k not in keys}
        places = doctor(without, master=cluster.url)
    (here,) = [lines for place, lines in places.items() if place.startswith("this machine")]
    assert {each["name"]: each["level"] for each in here}["TOS"] == "note"
    (executors_,) = [lines for place, lines in places.items() if place.startswith("executors on")]
    assert {each["name"]: each["level"] for each in executors_}["TOS"] == "good"
    settings = [each["found"] for each in places["session"]]
    assert any(each.startswith("spark.locality.wait is not set") for each in settings)


@pytest.mark.slow
def test_without_java_the_session_is_bad(tmp_path):
    environment = {**os.environ, "JAVA_HOME": str(tmp_path)}
    places = doctor(environment, master="local[1]", status=1)
    (found,) = places["session"]
    assert found["level"] == "bad"
    assert "Java" in found["found"] + found["advice"]
