"""The check at the start of a task: TOS must take an empty object in the output folder."""

import shutil
import socket
import ssl
import subprocess
import time

import pytest

from spark_keyframes.engine import ImageWriter
from spark_keyframes.errors import (
    BucketNotFoundError,
    CredentialsError,
    ParameterError,
    StorageWriteError,
)
from spark_keyframes.storage import check_accepted, check_writable, write_url
from spark_keyframes.storage.tos import client as tos_client
from spark_keyframes.storage.tos import tos_storage
from tests.storage.faults import Refusal
from tests.storage.web_server import WebServer, without_proxies


@pytest.fixture(autouse=True)
def nothing_accepted(monkeypatch):
    monkeypatch.setattr(tos_storage, "_accepted", set())


def test_each_combination_of_settings_and_folder_is_checked_once(tos, monkeypatch):
    for _ in range(3):
        check_accepted("tos://bucket/a/")
        check_accepted("tos://bucket/a")
    assert tos.answers == [("PUT", "bucket", "a/.spark_keyframes_check", 200)]
    check_accepted("tos://bucket")
    check_accepted("tos://other-bucket/a")
    monkeypatch.setenv("TOS_ACCESS_KEY", tos.access_key)
    monkeypatch.setenv("TOS_SECRET_KEY", tos.secret_key)
    check_accepted("tos://bucket/a")
    assert tos.requests == 4


def test_one_empty_object_is_written_over_and_over_and_never_deleted(tos, monkeypatch):
    for _ in range(2):
        monkeypatch.setattr(tos_storage, "_accepted", set())
        check_accepted("tos://bucket/a")
    assert tos.objects == {("bucket", "a/.spark_keyframes_check"): b""}
    assert {method for method, *_ in tos.answers} == {"PUT"}


@pytest.mark.parametrize(
    ("variable", "code"),
    [
        ("ACCESS_KEY", "InvalidAccessKeyId"),
        ("SECRET_KEY", "SignatureDoesNotMatch"),
        ("TOS_REGION", "AuthorizationHeaderMalformed"),
        ("TOS_SECURITY_TOKEN", "InvalidSecurityToken"),
    ],
)
def test_wrong_settings_fail_at_the_start_of_a_task_and_are_named(tos, monkeypatch, variable, code):
    monkeypatch.setenv(variable, "wrong-value")
    with pytest.raises(CredentialsError, match=f"{code}.*request-1.*{variable}") as caught:
        ImageWriter("tos://bucket/a", ".jpg").check()
    assert variable == "TOS_REGION" or "wrong-value" not in str(caught.value)
    monkeypatch.setenv(variable, tos.environment[variable])
    check_accepted("tos://bucket/a")


def test_a_missing_bucket_fails_at_the_start_of_a_task(tos):
    with pytest.raises(BucketNotFoundError, match=r"such bucket, tos://nope-bucket/a: .*region"):
        check_accepted("tos://nope-bucket/a")
    assert tos.buckets == {"bucket", "other-bucket"}


def test_a_folder_that_the_key_may_not_write_fails_at_the_start_of_a_task(tos):
    tos.denied.add("a/")
    with pytest.raises(CredentialsError, match="refused to store tos://bucket/a: .*AccessDenied"):
        check_accepted("tos://bucket/a")
    check_accepted("tos://bucket/b")


def test_messages_name_the_folder_and_not_an_object_in_it(tos):
    for place in ("tos://Bucket/a", "tos://bucket/../a", f"tos://bucket/{'a' * 1020}", "tos://b"):
        for check in (check_writable, check_accepted):
            with pytest.raises(ParameterError, match=rf"{place[:12]}.*'") as caught:
                check(place)
            assert ".spark_keyframes_check" not in str(caught.value)
            assert "00000" not in str(caught.value)
    assert tos.requests == 0


def test_a_bucket_of_another_region_fails_at_the_start_of_a_task(tos):
    tos.faults.append(Refusal(307, "TemporaryRedirect"))
    with pytest.raises(StorageWriteError, match="check TOS_ENDPOINT and TOS_REGION"):
        check_accepted("tos://bucket/a")


def test_a_host_that_does_not_exist_fails_at_the_start_of_a_task(tos, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("TOS_ENDPOINT", "http://tos-cn-nowhere.invalid")
    with pytest.raises(StorageWriteError, match=r"at http://tos-cn-nowhere\.invalid; check TOS_EN"):
        check_accepted("tos://bucket/a")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_a_certificate_of_another_host_fails_at_the_start_of_a_task(tos, monkeypatch, tmp_path):
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=other"
    names = ["-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"]
    subprocess.run([*make.split(), *names], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    without_proxies(monkeypatch)
    lookup = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *about: lookup("127.0.0.1", *about))
    with WebServer(context) as web:
        endpoint = f"https://tos.example:{web.http.server_port}"
        monkeypatch.setenv("TOS_ENDPOINT", endpoint)
        with pytest.raises(StorageWriteError, match=f"at {endpoint}; check TOS_ENDPOINT"):
            check_accepted("tos://bucket/a")


@pytest.mark.parametrize("fault", [503, 429, "reset", "not text", "stall"])
def test_transient_failures_are_ignored_and_checked_again(tos, monkeypatch, fault):
    monkeypatch.setattr("tos.clientv2.SLEEP_BASE_TIME", 0.0)
    monkeypatch.setattr(tos_storage, "CHECK_TIMEOUT", 0.3)
    tos.faults.extend([fault] * (1 if fault == "not text" else 2))
    began = time.monotonic()
    check_accepted("tos://bucket/a")
    assert time.monotonic() - began < 15
    assert not tos.faults
    assert tos.objects == {}
    check_accepted("tos://bucket/a")
    assert tos.answers[-1][3] == 200


def test_after_a_refused_upload_the_check_is_repeated(tos):
    """After a token has expired, only rows in progress fail: the next task fails at its start."""
    check_accepted("tos://bucket/a")
    tos.faults.append(Refusal(403, "ExpiredToken"))
    with pytest.raises(CredentialsError):
        write_url("tos://bucket/a/b", b"data", content_type="image/jpeg")
    tos.faults.append(Refusal(403, "ExpiredToken"))
    with pytest.raises(CredentialsError):
        check_accepted("tos://bucket/a")


def test_the_check_uses_its_own_client(tos):
    client, _ = tos_client.client_for("upload")
    check_accepted("tos://bucket/a")
    assert tos_client.client_for("upload")[0] is client
    assert client.socket_timeout == tos_client.SOCKET_TIMEOUT


def test_a_server_that_is_not_tos_is_left_to_the_uploads(tos):
    tos.faults.append("not TOS")
    check_accepted("tos://bucket/a")
    check_accepted("tos://bucket/a")
    assert tos.requests == 2, "it is not accepted"
