"""What a task finds out before its first video: whether TOS knows the keys and has the bucket."""

import shutil
import socket
import ssl
import subprocess
import time

import pytest

from spark_keyframes.engine import ImageWriter
from spark_keyframes.errors import CredentialsError, StorageWriteError
from spark_keyframes.storage import check_accepted, write_url
from spark_keyframes.storage.tos import client as tos_client
from spark_keyframes.storage.tos import tos_storage
from tests.storage.faults import Refusal
from tests.storage.web_server import WebServer, without_proxies


@pytest.fixture(autouse=True)
def unasked(monkeypatch):
    monkeypatch.setattr(tos_storage, "_accepted", set())


def test_it_is_asked_once_for_each_settings_and_bucket(tos, monkeypatch):
    for _ in range(3):
        check_accepted("tos://bucket/a/")
        check_accepted("tos://bucket")
    assert tos.answers == [("GET", "bucket", "a/.is-accepted", 404)]
    check_accepted("tos://other-bucket/a")
    monkeypatch.setenv("TOS_ACCESS_KEY", tos.access_key)
    monkeypatch.setenv("TOS_SECRET_KEY", tos.secret_key)
    check_accepted("tos://bucket/a")
    assert tos.requests == 3


def test_nothing_is_written(tos):
    check_accepted("tos://bucket/a")
    assert tos.objects == {}


@pytest.mark.parametrize(
    ("variable", "code"),
    [
        ("ACCESS_KEY", "InvalidAccessKeyId"),
        ("SECRET_KEY", "SignatureDoesNotMatch"),
        ("TOS_REGION", "AuthorizationHeaderMalformed"),
        ("TOS_SECURITY_TOKEN", "InvalidSecurityToken"),
    ],
)
def test_wrong_settings_fail_at_a_task_s_start_by_their_names(tos, monkeypatch, variable, code):
    monkeypatch.setenv(variable, "wrong-value")
    with pytest.raises(CredentialsError, match=f"{code}.*request-1.*{variable}") as caught:
        ImageWriter("tos://bucket/a", ".jpg").check()
    assert variable == "TOS_REGION" or "wrong-value" not in str(caught.value)
    monkeypatch.setenv(variable, tos.environment[variable])
    check_accepted("tos://bucket/a")


def test_a_missing_bucket_fails_at_a_task_s_start(tos):
    with pytest.raises(StorageWriteError, match=r"no such bucket, tos://nope-bucket/a: .*region"):
        check_accepted("tos://nope-bucket/a")


def test_a_bucket_of_another_region_fails_at_a_task_s_start(tos):
    tos.faults.append(Refusal(307, "TemporaryRedirect"))
    with pytest.raises(StorageWriteError, match="check TOS_ENDPOINT and TOS_REGION"):
        check_accepted("tos://bucket/a")


def test_a_host_that_does_not_exist_fails_at_a_task_s_start(tos, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("TOS_ENDPOINT", "http://tos-cn-nowhere.invalid")
    with pytest.raises(StorageWriteError, match=r"at http://tos-cn-nowhere\.invalid; check TOS_EN"):
        check_accepted("tos://bucket/a")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_a_host_with_another_s_certificate_fails_at_a_task_s_start(tos, monkeypatch, tmp_path):
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


@pytest.mark.parametrize("status", [403, 404])
def test_a_key_that_may_only_write_is_good_enough(tos, status):
    tos.faults.append(Refusal(status, "AccessDenied" if status == 403 else "NoSuchKey"))
    check_accepted("tos://bucket/a")
    check_accepted("tos://bucket/a")
    assert tos.requests == 1


@pytest.mark.parametrize("fault", [503, 429, "reset", "garbage", "stall"])
def test_what_passes_is_left_to_the_uploads_and_asked_again(tos, monkeypatch, fault):
    monkeypatch.setattr("tos.clientv2.SLEEP_BASE_TIME", 0.0)
    monkeypatch.setattr(tos_storage, "CHECK_TIMEOUT", 0.3)
    tos.faults.extend([fault] * (1 if fault == "garbage" else 2))
    began = time.monotonic()
    check_accepted("tos://bucket/a")
    assert time.monotonic() - began < 15
    assert not tos.faults
    check_accepted("tos://bucket/a")
    assert tos.answers[-1][3] == 404


def test_after_a_refused_upload_it_is_asked_again(tos):
    """A token that expires in the middle of a job costs the rows under way, not all that follow."""
    check_accepted("tos://bucket/a")
    tos.faults.append(Refusal(403, "ExpiredToken"))
    with pytest.raises(CredentialsError):
        write_url("tos://bucket/a/b", b"data", content_type="image/jpeg")
    tos.faults.append(Refusal(403, "ExpiredToken"))
    with pytest.raises(CredentialsError):
        check_accepted("tos://bucket/a")


def test_asking_does_not_touch_the_client_of_the_uploads(tos):
    client, _ = tos_client.client_for("upload")
    check_accepted("tos://bucket/a")
    assert tos_client.client_for("upload")[0] is client
    assert client.socket_timeout == tos_client.SOCKET_TIMEOUT


def test_other_storages_have_nothing_to_ask(tmp_path):
    check_accepted(str(tmp_path))
    check_accepted(tmp_path.as_uri())
