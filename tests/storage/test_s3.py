"""Reads and writes s3:// through botocore, against moto's server behind a proxy that sees all."""

import hashlib
import logging
import os
import subprocess
import sys

import pytest

from spark_keyframes.engine import ImageWriter
from spark_keyframes.errors import (
    AccessError,
    BucketNotFoundError,
    CredentialsError,
    KeyframesError,
    LimitError,
    ParameterError,
    SourceNotFoundError,
    UnsupportedSchemeError,
)
from spark_keyframes.limits import Limits
from spark_keyframes.storage import (
    Access,
    check_accepted,
    check_writable,
    list_url,
    open_url,
    write_url,
)
from spark_keyframes.storage.s3 import client as s3_client
from spark_keyframes.storage.s3 import s3_storage
from tests.storage.faults import Refusal

IMAGE = hashlib.shake_256(b"image").digest(200_001)
MB = hashlib.shake_256(b"video").digest(1 << 20)


def read(url, **options):
    with open_url(url, **options) as file:
        return file.read()


def put(url, data=b"data"):
    write_url(url, data, content_type="image/jpeg")


@pytest.mark.parametrize(
    ("scheme", "key"),
    [
        ("s3", "a key/做饭.jpg"),
        ("s3a", "100%/%41?x=1&y#z.jpg"),
        ("s3n", "~a!'()*;:@$,[]+.jpg"),
        ("S3A", "folder//twice.jpg"),
    ],
)
def test_an_object_is_read_as_it_was_written_under_any_key(faulty_s3, scheme, key):
    url = f"{scheme}://films/{key}"
    put(url, IMAGE)
    stored = faulty_s3.s3.client.get_object(Bucket="films", Key=key)
    assert stored["Body"].read() == IMAGE
    assert stored["ContentType"] == "image/jpeg"
    assert read(url) == IMAGE
    assert list_url(url) == {url: len(IMAGE)}
    assert list_url(f"{scheme}://films") == {url: len(IMAGE)}


def test_writing_again_replaces_and_an_empty_object_is_read(faulty_s3):
    put("s3://films/a", b"one")
    put("s3://films/a", b"")
    assert read("s3://films/a") == b""


def test_a_large_object_is_fetched_in_parts_of_one_version(faulty_s3, small_parts):
    put("s3://films/a", MB)
    faulty_s3.answers.clear()
    assert read("s3a://films/a") == MB
    assert {answer[3] for answer in faulty_s3.answers} == {206}
    assert len(faulty_s3.answers) == len(set(faulty_s3.ranges)) > 4
    assert faulty_s3.headers["GET"]["If-Match"] == f'"{hashlib.md5(MB).hexdigest()}"'


def test_of_a_part_of_a_video_little_more_is_fetched(faulty_s3, small_parts, monkeypatch):
    monkeypatch.setattr("spark_keyframes.storage.download.parts._AHEAD", 64 << 10)
    put("s3://films/a", MB)
    faulty_s3.ranges.clear()
    with open_url("s3://films/a", whole=False) as file:
        file.seek(-100, os.SEEK_END)
        assert file.read() == MB[-100:]
    spans = [[int(x) for x in each.removeprefix("bytes=").split("-")] for each in faulty_s3.ranges]
    assert sum(stop + 1 - start for start, stop in spans) < len(MB) / 3


def test_the_limits_and_rules_apply(faulty_s3):
    put("s3a://films/a", IMAGE)
    with pytest.raises(LimitError, match="max_download_bytes=1000: 200001"):
        read("s3a://films/a", limits=Limits(max_download_bytes=1000))
    for access in (Access(allowed_schemes=("s3",)), Access(allowed_hosts=("others",))):
        with pytest.raises(AccessError, match=r"s3a://films/a has .* allowed_"):
            read("s3a://films/a", access=access)
    allowed = Access(
        allowed_schemes=("s3a",), allowed_hosts=("films",), private_addresses=False
    )  # the endpoint is the user's own
    assert read("s3a://films/a", access=allowed) == IMAGE


def test_what_is_not_there_is_named(faulty_s3):
    said = "no such object, s3a://films/none: .*NoSuchKey.*http://127"
    with pytest.raises(SourceNotFoundError, match=said):
        read("s3a://films/none")
    with pytest.raises(SourceNotFoundError, match="no such bucket, s3://mistyped/a"):
        read("s3://mistyped/a")
    with pytest.raises(BucketNotFoundError, match="no such bucket, s3://mistyped/a"):
        put("s3://mistyped/a")
    assert "mistyped" not in faulty_s3.s3.buckets


@pytest.mark.parametrize(
    "url", ["s3://", "s3://films", "s3://b/a", "s3://films/../a", "s3://key:pa55word@films/a"]
)
def test_an_address_that_cannot_be_one_is_not_requested(faulty_s3, url):
    for act in (read, put):
        with pytest.raises(KeyframesError, match="S3") as caught:
            act(url)
        assert "pa55word" not in str(caught.value)
    assert faulty_s3.answers == []


# Output folders


def test_an_empty_object_is_written_once_per_folder_and_settings(faulty_s3, monkeypatch):
    for _ in range(3):
        check_accepted("s3a://films/out/")
        check_accepted("s3a://films/out")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "new")
    check_accepted("s3a://films/out")
    assert faulty_s3.answers == [("PUT", "films", "out/.spark_keyframes_check", 200)] * 2


def test_what_cannot_be_written_is_told_at_the_start(faulty_s3):
    with pytest.raises(BucketNotFoundError, match="such bucket, s3://mistyped/out: ") as caught:
        ImageWriter("s3://mistyped/out", ".jpg").check()
    assert ".spark_keyframes_check" not in str(caught.value)
    faulty_s3.faults.append(Refusal(403, "AccessDenied"))
    with pytest.raises(CredentialsError, match="refused to store s3://films/x: .*no permission"):
        check_accepted("s3://films/x")
    for place in ("s3://f", "s3a://films/../a", f"s3://films/{'a' * 1020}"):
        for check in (check_writable, check_accepted):
            with pytest.raises(ParameterError) as caught:
                check(place)
            assert "00000" not in str(caught.value)
    check_writable("s3://films")
    check_writable("s3a://films/out")


@pytest.mark.parametrize("fault", [503, "stall", "reset"])
def test_a_transient_failure_is_left_to_the_uploads(faulty_s3, monkeypatch, fault):
    monkeypatch.setattr(s3_storage, "CHECK_TIMEOUT", 0.3)
    faulty_s3.faults.append(fault)
    check_accepted("s3://films/x")
    check_accepted("s3://films/x")
    assert [each[3] for each in faulty_s3.answers] == [503 if fault == 503 else 0, 200]


# Settings


def test_missing_keys_are_named(faulty_s3, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    said = (
        "no credentials for S3, which s3://films/a needs: .*AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, "
        ".*set AWS_SKIP_SIGNATURE to true"
    )
    for act in (read, put, list_url, check_accepted):
        with pytest.raises(CredentialsError, match=said):
            act("s3://films/a")
    assert faulty_s3.answers == []


def test_public_buckets_are_read_without_keys(faulty_s3, monkeypatch):
    s3 = faulty_s3.s3.client
    s3.put_object(Bucket="films", Key="a", Body=b"data", ACL="public-read")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    assert read("s3://films/a") == b"data"
    assert "Authorization" not in faulty_s3.headers["GET"]
    s3.put_object(Bucket="films", Key="b", Body=b"data")
    with pytest.raises(CredentialsError, match="AWS_SKIP_SIGNATURE is set, .*: unset it"):
        read("s3://films/b")


def test_keys_of_a_profile_are_used_and_a_wrong_profile_is_named(faulty_s3, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    file = tmp_path / "credentials"
    file.write_text("[films]\naws_access_key_id = ours\naws_secret_access_key = secret\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_PROFILE", "films")
    put("s3://films/a")
    assert "Credential=ours/" in faulty_s3.headers["PUT"]["Authorization"]
    monkeypatch.setenv("AWS_PROFILE", "other")
    with pytest.raises(CredentialsError, match=r"\(other\) could not be found; check AWS_PROFILE"):
        read("s3://films/a")


def test_the_variables_of_the_environment_apply_at_once(faulty_s3, monkeypatch):
    put("s3://films/a")
    assert "/us-east-1/s3/" in faulty_s3.headers["PUT"]["Authorization"]
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    monkeypatch.setenv("AWS_REQUEST_PAYER", "requester")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", faulty_s3.url)
    assert read("s3://films/a") == b"data"
    assert "/eu-west-3/s3/" in faulty_s3.headers["GET"]["Authorization"]
    assert faulty_s3.headers["GET"]["x-amz-request-payer"] == "requester"
    for name, wrong in (("AWS_REGION", "not a region"), ("AWS_ENDPOINT_URL_S3", "host:9000")):
        monkeypatch.setenv(name, wrong)
        with pytest.raises(ParameterError, match=r"no client for S3: .*; check AWS_ENDPOINT"):
            read("s3://films/a")
        monkeypatch.undo()
        faulty_s3.apply(monkeypatch)


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("AWS_SECRET_ACCESS_KEY", "secret\n", "AWS_SECRET_ACCESS_KEY holds a line end"),
        ("AWS_SESSION_TOKEN", "tok\nen", "AWS_SESSION_TOKEN holds a line end"),
        ("AWS_DEFAULT_REGION", "us-east-1 ", "AWS_DEFAULT_REGION holds a line end"),
        ("AWS_PROFILE", "films\n", "AWS_PROFILE holds a line end"),
        ("AWS_ENDPOINT_URL", "ftp://host", "ftp://host.* was not a valid URI; check AWS_ENDPOINT"),
    ],
)
def test_a_wrong_variable_is_not_tried_again(faulty_s3, monkeypatch, name, wrong, said):
    monkeypatch.setenv(name, wrong)
    for act in (read, put, list_url, check_accepted):
        with pytest.raises(ParameterError, match=said) as caught:
            act("s3://films/a")
        assert "secret" not in str(caught.value)
        assert "\n" not in str(caught.value)
    assert faulty_s3.answers == []


def test_the_bucket_is_in_the_host_where_that_is_set(faulty_s3, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://s3.local")
    monkeypatch.setenv("http_proxy", faulty_s3.url)
    monkeypatch.setenv("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "true")
    faulty_s3.faults.append(503)
    check_accepted("s3://films/out")
    assert faulty_s3.paths == ["http://films.s3.local/out/.spark_keyframes_check"]


def test_without_botocore_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "botocore", None)
    said = r"s3a:// needs botocore, .* pip install 'spark_keyframes\[s3\]'"
    for act, stage in ((read, "open"), (put, "upload"), (check_writable, "parameters")):
        with pytest.raises(UnsupportedSchemeError, match=said) as caught:
            act("s3a://films/a")
        assert caught.value.stage == stage


def test_a_forked_process_makes_its_own_client(faulty_s3):
    put("s3://films/a", IMAGE)
    before = s3_client.client_for("s3://films/a", stage="open")
    child = os.fork()
    if not child:
        with s3_client._lock:
            status = int(s3_client._built is not None)
        status |= 0 if read("s3://films/a") == IMAGE else 2
        os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert s3_client.client_for("s3://films/a", stage="open") is before


def test_importing_the_package_does_not_import_botocore():
    program = "import sys, spark_keyframes; print('botocore' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout == "False\n"


def test_no_log_holds_keys_or_signatures(faulty_s3, caplog, monkeypatch):
    monkeypatch.setattr(s3_client, "_built", None)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "test-session-token")
    caplog.set_level(logging.DEBUG)
    put("s3://films/a", IMAGE)
    faulty_s3.faults.append(Refusal(403, "SignatureDoesNotMatch"))
    with pytest.raises(CredentialsError, match="SignatureDoesNotMatch.*AWS_SECRET_ACC") as caught:
        read("s3://films/a")
    assert "test-access-key" not in str(caught.value)
    assert [record for record in caplog.records if record.name.startswith("urllib3")]
    for secret in ("test-secret-key", "test-session-token", "Signature=", "test-access-key"):
        assert secret not in caplog.text
