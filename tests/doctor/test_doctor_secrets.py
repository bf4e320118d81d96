"""No secret is in a line of the doctor, whatever variable or option holds it."""

import json
import os
import socket
import subprocess
import sys

import pytest

from spark_keyframes.doctor.options import Options
from spark_keyframes.doctor.registry import BY_MODULE
from spark_keyframes.storage import retry
from tests.planted_secrets import examples, shown
from tests.storage.web_server import without_proxies

COUNT = 40
# Where a URL may stand, by the check that reads it.
VARIABLES = {
    "TOS_ENDPOINT": "tos",
    "TOS_REGION": "tos",
    "AWS_ENDPOINT_URL": "s3",
    "AWS_PROFILE": "s3",
    "HF_ENDPOINT": "model",
    "JAVA_HOME": "java",
    "SPARK_HOME": "spark",
    "SPARK_REMOTE": "spark",
    "PYSPARK_PYTHON": "spark",
    "OMP_NUM_THREADS": "threads",
}


@pytest.fixture
def closed(no_cloud, monkeypatch, tmp_path):
    """No name is resolved, no retry waits, and there are keys of both storages."""

    def resolve(host, *args, **options):
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    without_proxies(monkeypatch)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(retry.random, "uniform", lambda low, high: 0.0)
    monkeypatch.setattr(retry, "UPLOAD_SECONDS", 0.0)
    for name in ("ACCESS_KEY", "SECRET_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "abc")
    monkeypatch.setenv("TOS_REGION", "cn-beijing")


def texts(module, **options):
    found = BY_MODULE[module].load()(Options(**options))
    return [text for each in found for text in vars(each).values()]


@pytest.mark.parametrize("variable", VARIABLES)
def test_no_line_shows_the_secret_of_a_variable(closed, monkeypatch, variable):
    seen = 0
    for value in examples(COUNT):
        if "\0" in value.text:
            continue
        monkeypatch.setenv(variable, value.text)
        found = texts(VARIABLES[variable])
        assert not value.shown_in(*found), (value, found)
        seen += bool(found)
    assert seen > COUNT / 2


@pytest.mark.parametrize("option", ["model_path", "clip_model_name", "write"])
def test_no_line_shows_the_secret_of_an_option(closed, option):
    module = "writing" if option == "write" else "model"
    for value in examples(COUNT):
        given = {option: value.text}
        if option == "clip_model_name":
            given["model_path"] = "models"
        found = texts(module, **given)
        assert found
        assert not value.shown_in(*found), (value, found)


SECRETS = {
    "ACCESS_KEY": "AKLTQZXJKVWQ",
    "SECRET_KEY": "c2VjQZXJKVWX",
    "TOS_SECURITY_TOKEN": "STSQZXJKVWZ",
    "TOS_ENDPOINT": "https://me:QZXJKVWA@tos-cn-beijing.volces.com",
    "AWS_ACCESS_KEY_ID": "AKIAQZXJKVWB",
    "AWS_SECRET_ACCESS_KEY": "QZXJKVWC",
    "AWS_SESSION_TOKEN": "QZXJKVWD",
    "AWS_ENDPOINT_URL": "http://me:QZXJKVWE@127.0.0.1:9?X-Amz-Signature=QZXJKVWF",
    "HF_TOKEN": "hf_QZXJKVWG",
    "HF_ENDPOINT": "http://me:QZXJKVWH@127.0.0.1:9",
    "https_proxy": "http://me:QZXJKVWI@127.0.0.1:9",
    "PYSPARK_SUBMIT_ARGS": "--master local[1] --conf spark.executorEnv.SECRET_KEY=QZXJKVWJ "
    "pyspark-shell",
}


@pytest.mark.slow
def test_the_command_prints_no_secret(tmp_path):
    spark = ("--master=local[1]", "--conf=spark.executorEnv.SECRET_KEY=QZXJKVWK")
    environment = {**os.environ, **SECRETS, "SPARK_CONF_DIR": str(tmp_path)}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "spark_keyframes", "doctor", "--json", *spark),
            "--write=s3://me:QZXJKVWL@bucket/a?X-Amz-Signature=QZXJKVWM",
            "--model-path=https://me:QZXJKVWN@host/models",
        ],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    lines = json.loads(done.stdout[done.stdout.index("{") :])["places"][0]["findings"]
    bad = {each["name"] for each in lines if each["level"] == "bad"}
    assert bad >= {"TOS", "model", "writing"}
    written = done.stdout + done.stderr
    assert "QZXJK" not in written, written[written.index("QZXJK") - 300 :][:500]


def test_the_secrets_are_found_where_they_are():
    assert shown(examples(COUNT), examples(COUNT)[3].text)
