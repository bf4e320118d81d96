"""Failures of requests to TOS: transient ones are retried, permanent ones are reported."""

import email.utils
import hashlib
import threading
import time

import pytest

from spark_keyframes.errors import CredentialsError, SourceReadError, StorageWriteError
from spark_keyframes.storage import open_url, retry, write_url
from spark_keyframes.storage.tos import client as tos_client
from tests.storage.faults import Refusal

IMAGE = hashlib.shake_256(b"image").digest(200_001)


def read(url: str) -> bytes:
    with open_url(url) as file:
        return file.read()


def put(url: str, data: bytes = b"data", **options) -> None:
    write_url(url, data, content_type="image/jpeg", **options)


@pytest.fixture
def no_retries(monkeypatch):
    """Gives up after the three attempts of the SDK."""
    monkeypatch.setattr("tos.clientv2.SLEEP_BASE_TIME", 0.0)
    monkeypatch.setattr(retry, "UPLOAD_SECONDS", 0.0)


@pytest.fixture
def short_timeout(monkeypatch):
    """Times out after half a second."""
    monkeypatch.setattr(tos_client, "SOCKET_TIMEOUT", 0.5)
    monkeypatch.setattr(tos_client, "_built", None)  # not the client of another test


TRANSIENT = [
    503,
    500,
    408,
    429,
    "reset",
    "stored, reset",
    "reset in the body",
    "corrupt",
    "corrupt in storage",
]
TRANSIENT += ["not text", "not TOS"]


@pytest.mark.parametrize("fault", TRANSIENT)
def test_an_upload_survives_transient_failures(tos, fault):
    tos.faults.append(fault)
    put("tos://bucket/a", IMAGE)
    assert tos.objects["bucket", "a"] == IMAGE
    assert tos.requests == 2


def test_an_upload_survives_a_stall(tos, short_timeout):
    tos.faults.append("stall")
    put("tos://bucket/a", IMAGE)
    assert tos.objects["bucket", "a"] == IMAGE
    assert tos.requests == 2


@pytest.mark.parametrize("fault", [503, "reset", "not text", "corrupt in storage"])
def test_an_upload_is_retried_after_the_sdk_gives_up(tos, monkeypatch, fault):
    monkeypatch.setattr("tos.clientv2.SLEEP_BASE_TIME", 0.0)
    tos.faults.extend([fault] * 20)
    put("tos://bucket/a", IMAGE)
    assert tos.objects["bucket", "a"] == IMAGE
    assert tos.requests == 21


@pytest.mark.parametrize(
    ("status", "code"), [(400, "InvalidArgument"), (404, "NoSuchBucket"), (405, "NotAllowed")]
)
def test_other_refusals_are_final_and_name_the_request(tos, status, code):
    tos.faults.append(Refusal(status, code, {"x-tos-ec": "0014-00000034"}))
    said = f"{code}, EC 0014-00000034, request id request-1"
    with pytest.raises(StorageWriteError, match=said) as caught:
        put("tos://bucket/a")
    assert f"tos://bucket/a: status {status}" in str(caught.value)
    assert tos.requests == 1


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("InvalidAccessKeyId", "check ACCESS_KEY .*needs TOS_SECURITY_TOKEN too"),
        ("SignatureDoesNotMatch", "check ACCESS_KEY, SECRET_KEY, TOS_REGION in the environment"),
        ("ExpiredToken", "TOS_SECURITY_TOKEN is not set: temporary keys need"),
        ("AccessDenied", "the owner of ACCESS_KEY has no permission"),
        ("RequestTimeTooSkewed", "set this machine's clock"),
    ],
)
def test_a_refusal_of_the_credentials_says_which_variable(tos, code, advice):
    tos.faults.append(Refusal(403, code))
    with pytest.raises(CredentialsError, match=f"{code}.*request-1; .*{advice}") as caught:
        put("tos://bucket/a")
    assert tos.access_key not in str(caught.value)
    assert tos.requests == 1


def test_an_expired_token_is_named(tos, monkeypatch):
    monkeypatch.setenv("TOS_SECURITY_TOKEN", "old")
    tos.faults.append(Refusal(403, "ExpiredToken"))
    with pytest.raises(
        CredentialsError, match="TOS_SECURITY_TOKEN is expired or wrong.*SECRET_KEY"
    ):
        put("tos://bucket/a")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (503, "status 503, code ServiceUnavailable, request id request-3"),
        ("reset", r"could not store .*; check that the executors reach http://tos-cn-test\.local"),
        ("corrupt in storage", "Check CRC failed"),
        ("not text", "UnicodeDecodeError"),
        ("not TOS", "Check CRC failed"),
        (Refusal(429, "ExceedRateLimit", {"Retry-After": "3600"}), "ExceedRateLimit"),
    ],
)
def test_permanent_failures_are_errors(tos, no_retries, monkeypatch, fault, message):
    monkeypatch.setattr(tos_client, "_SDK_WAIT", 0.0)
    tos.faults.extend([fault] * 20)
    with pytest.raises(StorageWriteError, match=message) as caught:
        put("tos://bucket/a")
    assert "tos://bucket/a" in str(caught.value)


@pytest.fixture
def without_checksum(monkeypatch):
    """As if crcmod had been installed without a C compiler."""
    monkeypatch.setattr(tos_client, "_fast_checksum", lambda: False)
    monkeypatch.setattr(tos_client, "_built", None)


def test_an_answer_from_another_server_is_detected_without_the_checksum(
    tos, without_checksum, no_retries
):
    tos.faults.append("not TOS")
    with pytest.raises(StorageWriteError, match="is not TOS; check TOS_ENDPOINT, and the proxies"):
        put("tos://bucket/a")


def test_damage_in_transit_is_retried_without_the_checksum(tos, without_checksum):
    tos.faults.append("corrupt")
    put("tos://bucket/a")
    assert tos.objects["bucket", "a"] == b"data"


def test_an_error_gives_the_number_of_attempts(tos, monkeypatch):
    waits = [0.0, 0.0, retry.UPLOAD_SECONDS]
    monkeypatch.setattr("tos.clientv2.SLEEP_BASE_TIME", 0.0)
    monkeypatch.setattr(retry, "backoff", lambda number: waits[number])
    tos.faults.extend([503] * 20)
    with pytest.raises(StorageWriteError, match="in 3 attempts: status 503.*request-9"):
        put("tos://bucket/a")


def test_a_stalled_server_costs_bounded_time(tos, short_timeout, no_retries):
    tos.faults.extend(["stall"] * 3)
    began = time.monotonic()
    with pytest.raises(StorageWriteError, match="TOS_ENDPOINT"):
        put("tos://bucket/a")
    assert time.monotonic() - began < 3 * tos_client.SOCKET_TIMEOUT + 15


def http_date(seconds: float) -> str:
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


@pytest.mark.slow
@pytest.mark.parametrize("value", ["2", http_date])
def test_retry_after_is_obeyed(tos, monkeypatch, value):
    monkeypatch.setattr("tos.clientv2.SLEEP_BASE_TIME", 0.0)
    monkeypatch.setattr(tos_client, "_SDK_WAIT", 0.0)
    header = value if isinstance(value, str) else value(3)  # dates have no fractions
    tos.faults.extend([Refusal(503, "SlowDown", {"Retry-After": header})] * 3)
    began = time.monotonic()
    put("tos://bucket/a")
    assert time.monotonic() - began > 1.9
    assert tos.requests == 4


def test_the_sdk_ignores_a_retry_after_of_an_hour(tos, monkeypatch):
    monkeypatch.setattr(tos_client, "_SDK_WAIT", 0.1)
    tos.faults.extend([Refusal(429, "ExceedRateLimit", {"Retry-After": "3600"})] * 20)
    began = time.monotonic()
    with pytest.raises(StorageWriteError, match="status 429.*ExceedRateLimit.*request-3"):
        put("tos://bucket/a")
    assert time.monotonic() - began < 15


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        ("", 0, 0),
        ("7", 7, 7),
        ("-7", 0, 0),
        ("soon", 0, 0),
        ("Mon, 01 Jan 2024 00:00:00 GMT", 0, 0),
        (http_date, 98, 100),
    ],
)
def test_retry_after_as_seconds_and_as_a_date(value, low, high):
    header = value if isinstance(value, str) else value(100)
    assert low <= retry.retry_after({"Retry-After": header}) <= high


def test_the_backoff_is_added_to_retry_after(tos, monkeypatch):
    monkeypatch.setattr("tos.clientv2.SLEEP_BASE_TIME", 0.0)
    monkeypatch.setattr(tos_client, "_SDK_WAIT", 0.0)
    monkeypatch.setattr(retry.random, "uniform", lambda low, high: high)

    class Clock(threading.Event):
        waits = []

        def wait(self, timeout=None):
            self.waits.append(timeout)
            return False

    tos.faults.extend([503] * 6 + [Refusal(503, "SlowDown", {"Retry-After": "9"})] * 3)
    put("tos://bucket/a", cancelled=Clock())
    assert Clock.waits == [0.75, 1.5, 9 + 3]
    assert retry.backoff(0) < retry.UPLOAD_SECONDS


def test_a_cancelled_upload_stops_waiting(tos, monkeypatch):
    monkeypatch.setattr(retry.random, "uniform", lambda low, high: 1000.0)
    monkeypatch.setattr(retry, "UPLOAD_SECONDS", 10_000.0)
    tos.faults.extend([503] * 20)
    cancelled = threading.Event()
    threading.Timer(1.0, cancelled.set).start()
    with pytest.raises(StorageWriteError, match="status 503"):
        put("tos://bucket/a", cancelled=cancelled)


@pytest.mark.parametrize("fault", [503, "reset", "truncate", "corrupt", "reset in the body"])
def test_a_download_survives_transient_failures(tos, fault):
    tos.objects["bucket", "a"] = IMAGE
    tos.faults.append(fault)
    assert read("tos://bucket/a") == IMAGE
    assert tos.requests == 2


def test_a_download_survives_a_stall(tos, short_timeout):
    tos.objects["bucket", "a"] = IMAGE
    tos.faults.append("stall")
    assert read("tos://bucket/a") == IMAGE


def test_an_object_that_is_replaced_between_two_attempts_is_read_as_it_is_then(tos):
    tos.objects["bucket", "a"] = IMAGE
    tos.faults.extend(["truncate", "replaced"])
    assert read("tos://bucket/a") == IMAGE[::-1]


def test_a_download_that_is_always_incomplete_is_an_error(tos):
    tos.objects["bucket", "a"] = IMAGE
    tos.faults.extend(["truncate"] * 20)
    with pytest.raises(SourceReadError, match=r"tos://bucket/a in 4 attempts"):
        open_url("tos://bucket/a")


def test_a_download_is_retried_after_the_sdk_gives_up(tos, monkeypatch):
    monkeypatch.setattr("tos.clientv2.SLEEP_BASE_TIME", 0.0)
    tos.objects["bucket", "a"] = IMAGE
    tos.faults.extend([503] * 11)
    assert read("tos://bucket/a") == IMAGE
    tos.faults.extend([503] * 20)
    with pytest.raises(SourceReadError, match="in 4 attempts: status 503"):
        open_url("tos://bucket/a")


def test_a_refused_connection_names_the_endpoint(tos, no_retries, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with pytest.raises(StorageWriteError, match=r"refused.*http://tos-cn-test\.local"):
        put("tos://bucket/a")
    with pytest.raises(SourceReadError, match="TOS_ENDPOINT"):
        open_url("tos://bucket/a")
