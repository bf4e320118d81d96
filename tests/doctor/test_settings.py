"""Settings of a session beside those of conf/spark-defaults.conf."""

import pytest

from spark_keyframes.doctor import settings
from spark_keyframes.doctor.settings import judge
from spark_keyframes.jobs.session import DEFAULTS
from tests.conftest import REPO


def conf_file():
    """The settings that conf/spark-defaults.conf makes."""
    lines = (REPO / "conf" / "spark-defaults.conf").read_text().splitlines()
    pairs = (line.split(None, 1) for line in lines if line and not line.startswith("#"))
    return {name: value.strip() for name, value in pairs}


def judged(conf, *, is_cluster=True):
    return [(each.name, each.level, each.found) for each in judge(conf.get, is_cluster=is_cluster)]


def test_the_settings_of_the_file_are_good():
    assert {level for _, level, _ in judged(conf_file())} == {"good"}


def test_every_setting_of_the_file_is_known_with_its_value():
    known = {each.name: each.value for each in settings.SETTINGS}
    known |= {name: {"true": "false", "false": "true"}[value] for name, value in settings._WRONG}
    known[settings.REDACTION] = DEFAULTS[settings.REDACTION]
    file = conf_file()
    assert {name: file[name] for name in file if name not in settings.UNIMPORTANT} == known
    assert (
        known.items()
        >= {
            name: value for name, value in DEFAULTS.items() if name not in settings.UNIMPORTANT
        }.items()
    )


@pytest.mark.parametrize("name", [each.name for each in settings.SETTINGS])
def test_a_setting_that_is_missing_is_a_note_with_its_reason(name):
    conf = conf_file()
    del conf[name]
    (found,) = [each for each in judged(conf) if each[1] != "good"]
    assert found[:2] == ("settings", "note")
    assert found[2].startswith(f"{name} is not set: ")


def test_the_wait_for_a_machine_matters_on_a_cluster_only():
    conf = conf_file()
    del conf["spark.locality.wait"]
    assert {level for _, level, _ in judged(conf, is_cluster=False)} == {"good"}


def test_keys_in_the_event_log_are_bad_and_in_the_ui_a_note():
    conf = conf_file()
    del conf[settings.REDACTION]
    assert judged(conf)[0] == (
        "redaction",
        "note",
        "the UI and plans would show ACCESS_KEY in spark.executorEnv, signed URLs, passwords in "
        "URLs",
    )
    conf["spark.eventLog.enabled"] = "true"
    name, level, found = judged(conf)[0]
    assert (name, level) == ("redaction", "bad")
    assert found.startswith("the event log, the UI and plans would show ACCESS_KEY")
    conf[settings.REDACTION] = "(?i)(*unknown"
    assert judged(conf)[0][1] == "note"


@pytest.mark.parametrize(
    ("name", "value", "level"),
    [
        ("spark.python.udf.pipelined.enabled", "true", "bad"),
        ("spark.python.worker.reuse", "false", "note"),
        ("spark.speculation", "true", "note"),
    ],
)
def test_settings_that_do_harm(name, value, level):
    found = [each for each in judged({**conf_file(), name: value}) if each[1] != "good"]
    assert [(each[1], name in each[2]) for each in found] == [(level, True)]


def test_the_memory_of_python_on_yarn_and_kubernetes():
    conf = {**conf_file(), "spark.master": "k8s://https://host"}
    (found,) = [each for each in judged(conf) if each[1] != "good"]
    assert "spark.executor.memoryOverhead is not set" in found[2]
    conf["spark.executor.memoryOverhead"] = "4g"
    assert {level for _, level, _ in judged(conf)} == {"good"}
