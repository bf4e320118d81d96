"""Failures of requests to S3: transient ones are retried, permanent ones are reported."""

import hashlib
import threading

import pytest

from spark_keyframes.errors import (
    CredentialsError,
    LimitError,
    SourceReadError,
    StorageWriteError,
)
from spark_keyframes.limits import Limits
from spark_keyframes.storage import list_url, open_url, retry, write_url
from spark_keyframes.storage.s3 import client as s3_client
from spark_keyframes.storage.s3 import s3_listing, s3_storage
from tests.storage.faults import Refusal

IMAGE = hashlib.shake_256(b"image").digest(200_001)
MB = hashlib.shake_256(b"video").digest(1 << 20)
SLOW_DOWN = Refusal(503, "SlowDown", {"Retry-After": "9"})


def read(url, **limits):
    with open_url(url, limits=Limits(**limits)) as file:
        return file.read()


def put(url, data=b"data", **options):
    write_url(url, data, content_type="image/jpeg", **options)


@pytest.fixture
def stored(faulty_s3):
    """A function that stores an object, and returns its URL."""

    def put_object(data, key="a"):
        faulty_s3.s3.client.put_object(Bucket="films", Key=key, Body=data)
        return f"s3://films/{key}"

    return put_object


@pytest.fixture
def short_timeout(monkeypatch):
    monkeypatch.setattr(s3_client, "SOCKET_TIMEOUT", 0.5)
    monkeypatch.setattr(s3_client, "_built", None)  # not the client of another test


def content(faulty_s3, key="a"):
    return faulty_s3.s3.client.get_object(Bucket="films", Key=key)["Body"].read()


TRANSIENT = [503, 500, 408, 429, "reset", "stored, reset", "reset in the body", "corrupt"]
TRANSIENT += ["corrupt in storage", "not text", "not TOS"]


@pytest.mark.parametrize("fault", TRANSIENT)
def test_an_upload_survives_transient_failures(faulty_s3, fault):
    faulty_s3.faults.append(fault)
    put("s3://films/a", IMAGE)
    assert content(faulty_s3) == IMAGE
    assert len([each for each in faulty_s3.answers if each[0] == "PUT"]) == 2


def test_an_upload_survives_a_stall(faulty_s3, short_timeout):
    faulty_s3.faults.append("stall")
    put("s3://films/a", IMAGE)
    assert content(faulty_s3) == IMAGE


def test_the_backoff_is_added_to_retry_after(faulty_s3, monkeypatch):
    monkeypatch.setattr(retry.random, "uniform", lambda low, high: high)

    class Clock(threading.Event):
        waits = []

        def wait(self, timeout=None):
            self.waits.append(timeout)
            return False

    faulty_s3.faults.extend([503, "reset", SLOW_DOWN])
    put("s3://films/a", cancelled=Clock())
    assert Clock.waits == [0.75, 1.5, 9 + 3]


def test_a_cancelled_upload_stops_waiting(faulty_s3, monkeypatch):
    monkeypatch.setattr(retry.random, "uniform", lambda low, high: 1000.0)
    monkeypatch.setattr(retry, "UPLOAD_SECONDS", 10_000.0)
    faulty_s3.faults.extend([503] * 20)
    cancelled = threading.Event()
    threading.Timer(1.0, cancelled.set).start()
    with pytest.raises(StorageWriteError, match="status 503, code SlowDown"):
        put("s3://films/a", cancelled=cancelled)


@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        (503, StorageWriteError, "s3://films/a: status 503, code SlowDown, request id request"),
        ("reset", StorageWriteError, r"could not store s3://films/a: .*executors reach http://127"),
        ("corrupt in storage", StorageWriteError, "s3://films/a: what was stored differs"),
        (
            "not TOS",
            StorageWriteError,
            "could not store s3://films/a: (status 500, code none|ParseError)",
        ),
        ("not text", StorageWriteError, "could not store s3://films/a"),
        (Refusal(400, "InvalidArgument"), StorageWriteError, "code InvalidArgument"),
        (Refusal(301, "PermanentRedirect"), StorageWriteError, "in another region .* AWS_REGION"),
        (Refusal(403, "InvalidAccessKeyId"), CredentialsError, "check AWS_ACCESS_KEY_ID in the"),
        (Refusal(400, "ExpiredToken"), CredentialsError, "with AWS_SESSION_TOKEN, or .* in the"),
        (Refusal(403, "RequestTimeTooSkewed"), CredentialsError, "set this machine's clock"),
    ],
)
def test_permanent_failures_are_errors(faulty_s3, monkeypatch, fault, kind, said):
    monkeypatch.setattr(retry, "UPLOAD_SECONDS", 0.0)
    faulty_s3.faults.extend([fault, "none" if fault == "corrupt in storage" else fault])
    with pytest.raises(kind, match=said) as caught:
        put("s3://films/a")
    assert "test-access-key" not in str(caught.value)


def test_a_server_that_gives_no_etag_is_not_s3(faulty_s3, monkeypatch):
    monkeypatch.setattr(retry, "UPLOAD_SECONDS", 0.0)
    faulty_s3.change = lambda method, headers: {}
    with pytest.raises(StorageWriteError, match="is not S3; check AWS_ENDPOINT_URL, and the prox"):
        put("s3://films/a")


def test_new_keys_in_a_file_are_read_after_a_refusal(faulty_s3, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    file = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    for key in ("old", "new"):
        file.write_text(f"[default]\naws_access_key_id={key}\naws_secret_access_key=x\n")
        if key == "new":
            faulty_s3.faults.append(Refusal(400, "ExpiredToken"))
            with pytest.raises(CredentialsError):
                put("s3://films/a")
        put("s3://films/a")
        assert f"Credential={key}/" in faulty_s3.headers["PUT"]["Authorization"]


@pytest.mark.parametrize(
    "fault", [503, "reset", "truncate", "corrupt", "reset in the body", "not text"]
)
def test_a_download_survives_transient_failures(faulty_s3, stored, fault):
    url = stored(IMAGE)
    read(url)  # shows that ETags are MD5s here
    faulty_s3.faults.append(fault)
    assert read(url) == IMAGE
    assert len(faulty_s3.answers) == 3


def test_a_download_survives_a_stall(faulty_s3, stored, short_timeout):
    url = stored(IMAGE)
    faulty_s3.faults.append("stall")
    assert read(url) == IMAGE


def test_a_stall_ends_at_the_deadline(faulty_s3, stored):
    url = stored(IMAGE)
    faulty_s3.faults.append("stall")
    with pytest.raises(LimitError, match=r"max_download_seconds=0\.3"):
        read(url, max_download_seconds=0.3)


def test_an_object_that_is_replaced_between_two_attempts_is_read_as_it_is_then(faulty_s3, stored):
    url = stored(IMAGE)
    faulty_s3.faults.extend(["truncate", "replaced"])
    assert read(url) == IMAGE[::-1]


@pytest.mark.parametrize("fault", [503, "truncate", "corrupt"])
def test_what_never_arrives_is_an_error(faulty_s3, stored, fault):
    url = stored(IMAGE)
    read(url)
    faulty_s3.faults.extend([fault] * 20)
    with pytest.raises(SourceReadError, match="s3://films/a in 4 attempts: "):
        read(url)


@pytest.mark.parametrize("fault", [503, "reset", "truncate", "reset in the body"])
def test_a_part_survives_transient_failures(faulty_s3, stored, small_parts, fault):
    url = stored(MB)
    faulty_s3.faults.extend(["none", fault, "none", fault])
    assert read(url) == MB


def test_an_object_that_is_replaced_is_an_error(faulty_s3, stored, small_parts):
    url = stored(MB)
    faulty_s3.faults.extend(["none", "none", "replaced"])
    with pytest.raises(SourceReadError, match="changed while it was read, s3://films/a: .*412"):
        read(url)


def test_parts_with_a_wrong_checksum_are_an_error(faulty_s3, stored, small_parts):
    url = stored(MB)
    for _ in range(2):  # with a second look at the object, and without
        faulty_s3.faults.extend(["none", "none", "corrupt"])
        with pytest.raises(SourceReadError, match="the checksum of s3://films/a differs"):
            read(url)
        assert read(url) == MB


# ETags that are no MD5


@pytest.fixture
def etag(faulty_s3):
    """A function that makes the proxy answer with this ETag, and these headers."""

    def answer_with(tag, **more):
        def change(method, headers):
            return {**headers, "ETag": tag, **more}

        faulty_s3.change, faulty_s3.without_if_match = change, True

    return answer_with


def test_an_etag_that_only_looks_like_an_md5_is_found_out(faulty_s3, stored, etag):
    etag('"0123456789abcdef0123456789abcdef"')
    for count in (2, 3):  # the first is read again
        put("s3://films/a", IMAGE)
        assert len(faulty_s3.answers) == count
    s3_storage._has_md5.clear()
    faulty_s3.answers.clear()
    for count in (2, 3):
        assert read("s3://films/a") == IMAGE
        assert len(faulty_s3.answers) == count


def test_such_an_etag_of_a_large_object_is_found_out_too(faulty_s3, stored, etag, small_parts):
    url = stored(MB)
    etag(f'"{"0" * 32}"')
    for whole in (1, 0):  # the whole object again, and not again
        faulty_s3.answers.clear()
        assert read(url) == MB
        assert len([each for each in faulty_s3.answers if each[3] == 200]) == whole


@pytest.mark.parametrize(
    "more", [{"x-amz-server-side-encryption": "aws:kms"}, {"ETag": '"1234-3"'}]
)
def test_objects_of_several_parts_or_encrypted_have_no_md5(faulty_s3, etag, more):
    etag(**{"tag": f'"{"0" * 32}"', **more})
    put("s3://films/a", IMAGE)
    assert [each[0] for each in faulty_s3.answers] == ["PUT"]


# Listings


@pytest.mark.parametrize("fault", [503, "reset", "truncate", "not text"])
def test_each_page_is_tried_again(faulty_s3, stored, monkeypatch, fault):
    monkeypatch.setattr(s3_listing, "PAGE", 4)
    names = [f"d/{n}.mp4" for n in range(9)]
    for name in names:
        stored(b"x", name)
    faulty_s3.faults.extend(["none", "none", fault, fault, fault, "none"])
    assert list(list_url("s3a://films/d/")) == [f"s3a://films/{name}" for name in names]


@pytest.mark.parametrize("fault", ["no token", "same token"])
def test_a_page_without_the_place_of_the_next_is_an_error(faulty_s3, stored, monkeypatch, fault):
    monkeypatch.setattr(s3_listing, "PAGE", 4)
    for n in range(9):
        stored(b"x", f"d/{n}.mp4")
    faulty_s3.faults.extend(["none", fault])
    with pytest.raises(SourceReadError, match="could not list s3://films/d/: S3 announces more"):
        list_url("s3://films/d/")


def test_a_listing_ends_at_the_time_limit(faulty_s3):
    faulty_s3.faults.extend(["stall"] * 9)
    with pytest.raises(LimitError, match=r"films/d/ took longer than max_download_seconds=0\.3"):
        list_url("s3://films/d/", limits=Limits(max_download_seconds=0.3))
