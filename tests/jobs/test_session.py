"""The settings of Spark that a job brings itself."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from spark_keyframes.jobs import session
from spark_keyframes.jobs.sample import SampleOptions
from tests.conftest import REPO

OWN_DEFAULTS_OF_SPARK = {"spark.python.worker.reuse", "spark.speculation"}


def settings(path):
    lines = path.read_text().splitlines()
    return dict(line.split(None, 1) for line in lines if line.startswith("spark."))


def test_the_defaults_are_those_of_conf():
    given = settings(REPO / "conf" / "spark-defaults.conf")
    defaults = session.DEFAULTS | session.LOCAL_DEFAULTS
    assert given == defaults | {name: given[name] for name in OWN_DEFAULTS_OF_SPARK}


def test_the_package_has_settings_of_conf():
    """The wheel has no conf/."""
    ours, conf = REPO / "spark_keyframes" / "jobs" / "conf", REPO / "conf"
    names = {"log4j2.properties", "spark-defaults.conf"}
    assert {path.name for path in ours.iterdir()} == names
    log = "log4j2.properties"
    assert (ours / log).read_text() == (conf / log).read_text()
    name = "spark-defaults.conf"
    assert settings(ours / name).items() <= settings(conf / name).items()


@pytest.fixture
def settings_of(monkeypatch, spark):
    """What the job sets where these settings are given; with the Spark of the tests."""

    class Conf(dict):
        contains = dict.__contains__

    def settings_of(**given):
        conf = Conf({name.replace("_", "."): value for name, value in given.items()})
        monkeypatch.setattr("pyspark.SparkConf", lambda: conf)
        return session._missing_defaults()

    return settings_of


def test_what_is_set_already_stays(settings_of, monkeypatch, tmp_path):
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    assert settings_of()["spark.locality.wait"] == "0s"
    assert "spark.locality.wait" not in settings_of(spark_locality_wait="3s")


def test_the_daemon_is_set_for_local_runs_only(settings_of):
    assert "spark.python.daemon.module" in settings_of(spark_master="local[2]")
    assert "spark.python.daemon.module" not in settings_of(spark_master="spark://head:7077")


def test_the_log_is_quiet_unless_somebody_has_set_it_up(settings_of, monkeypatch, tmp_path):
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    assert settings_of()["spark.log.level"] == "ERROR"
    assert "spark.log.level" not in settings_of(spark_log_level="INFO")
    (tmp_path / "log4j2.xml").write_text("<Configuration/>")
    assert "spark.log.level" not in settings_of()


@pytest.mark.parametrize("was_there", [True, False])
def test_only_its_own_session_is_stopped(spark, monkeypatch, was_there):
    """One of a notebook, or of a task of Databricks, is for others too."""
    from pyspark.sql import SparkSession

    stopped = []
    monkeypatch.setattr(SparkSession, "stop", lambda self: stopped.append(1))
    if not was_there:
        monkeypatch.setattr(session, "is_running", lambda: False)
        monkeypatch.setattr(session, "_missing_defaults", dict)  # they would stay in the session
    options = SampleOptions(input="x")
    with ThreadPoolExecutor() as pool:  # threads have active sessions of their own
        ran = pool.submit(session.run_job, "sample.py", lambda spark, options: 0, options)
        assert ran.result() == 0
    assert bool(stopped) is not was_there
