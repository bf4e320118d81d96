"""Reads and writes tos:// with the real SDK, against a server that checks the signatures."""

import hashlib
import logging
import os
import subprocess
import sys
import threading

import pytest

from spark_keyframes.errors import (
    CredentialsError,
    KeyframesError,
    ParameterError,
    SourceNotFoundError,
    SourceReadError,
    StorageWriteError,
)
from spark_keyframes.storage import check_writable, open_url, write_url
from spark_keyframes.storage.tos import client as tos_client
from tests.storage import tos_server
from tests.storage.tos_server import TosServer
from tests.storage.tos_signature import crc64

IMAGE = hashlib.shake_256(b"image").digest(200_001)  # above the SDK's threshold of 100-continue


def read(url: str) -> bytes:
    with open_url(url) as file:
        return file.read()


def put(url: str, data: bytes = b"data") -> None:
    write_url(url, data, content_type="image/jpeg")


def test_the_checksum_of_the_test_server_is_the_documented_one():
    assert crc64(b"123456789") == 0x995DC9BBDF1939FA  # the published check value of CRC-64/XZ


@pytest.mark.parametrize(
    "key",
    [
        "keyframes/cooking-0123456789abcdef/00000012.jpg",
        "a key with spaces.jpg",
        "做饭/勺子.jpg",
        "c++/1+1=2.jpg",
        "100%/%41?x=1&y#z.jpg",
        "~a!'()*;:@$,[].jpg",
        "folder//twice.jpg",
    ],
)
def test_an_object_is_read_as_it_was_written_under_any_key(tos, key):
    put(f"tos://bucket/{key}", IMAGE)
    assert tos.objects == {("bucket", key): IMAGE}
    assert tos.content_types["bucket", key] == "image/jpeg"
    assert read(f"tos://bucket/{key}") == IMAGE


def test_an_empty_object_is_read_as_empty(tos):
    put("tos://bucket/empty", b"")
    assert read("tos://bucket/empty") == b""


def test_writing_again_replaces(tos):
    put("tos://bucket/a", b"one")
    put("tos://bucket/a", b"two")
    assert tos.objects["bucket", "a"] == b"two"


def test_an_opened_file_is_seekable_and_read_only(tos):
    tos.objects["bucket", "a"] = b"0123456789"
    with open_url("tos://bucket/a") as file:
        file.seek(5)
        assert file.read() == b"56789"
        assert not file.writable()


def test_a_wrong_secret_is_refused_with_advice(tos, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "wrong-secret")
    with pytest.raises(CredentialsError) as caught:
        put("tos://bucket/a.jpg")
    message = str(caught.value)
    assert caught.value.stage == "upload"
    for part in ("tos://bucket/a.jpg", "403", "SignatureDoesNotMatch", "request-1", "SECRET_KEY"):
        assert part in message
    assert "wrong-secret" not in message
    assert tos.access_key not in message
    assert tos.objects == {}
    assert tos.requests == 1  # no retry
    with pytest.raises(CredentialsError, match="SignatureDoesNotMatch") as caught:
        open_url("tos://bucket/a.jpg")
    assert caught.value.stage == "open"


def test_the_region_is_part_of_the_signature(tos, monkeypatch):
    monkeypatch.setenv("TOS_REGION", "cn-elsewhere")
    with pytest.raises(CredentialsError, match="TOS_REGION"):
        put("tos://bucket/a.jpg")


def test_the_token_of_temporary_keys_is_sent_and_signed(monkeypatch):
    with TosServer(security_token="token-1") as server:
        server.apply(monkeypatch)
        put("tos://bucket/a")
        assert read("tos://bucket/a") == b"data"
        monkeypatch.setenv("TOS_SECURITY_TOKEN", "token-2")
        with pytest.raises(CredentialsError, match="TOS_SECURITY_TOKEN") as caught:
            put("tos://bucket/b")
        assert "token-2" not in str(caught.value)


def test_credentials_that_change_in_the_environment_are_used_at_once(tos, monkeypatch):
    put("tos://bucket/a")
    tos.secret_key = "rotated"
    with pytest.raises(CredentialsError):
        put("tos://bucket/b")
    monkeypatch.setenv("SECRET_KEY", "rotated")
    put("tos://bucket/b")
    assert tos.objects["bucket", "b"] == b"data"


def test_one_client_serves_all_threads(tos):
    urls = [f"tos://bucket/{i}" for i in range(32)]
    threads = [threading.Thread(target=put, args=(url, url.encode())) for url in urls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tos.objects == {("bucket", str(i)): url.encode() for i, url in enumerate(urls)}
    assert tos_client.client_for("open")[0] is tos_client.client_for("upload")[0]


def test_a_forked_child_builds_a_client_of_its_own(tos):
    put("tos://bucket/parent")
    with tos_client._lock:  # as if another thread held it during the fork
        child = os.fork()
        if child == 0:
            try:
                put("tos://bucket/child")
                os._exit(0)
            finally:
                os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert tos.objects["bucket", "child"] == b"data"


def test_another_process_needs_only_the_environment(tos):
    program = (
        "from spark_keyframes.storage import write_url; "
        "write_url('tos://bucket/a', b'x', content_type='')"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env=os.environ | tos.environment)
    assert tos.objects["bucket", "a"] == b"x"


def test_netrc_does_not_replace_the_signature(tos, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password from-netrc\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    put("tos://bucket/a")
    assert read("tos://bucket/a") == b"data"


def test_a_trailing_slash_of_the_endpoint_is_removed(tos, monkeypatch):
    monkeypatch.setenv("TOS_ENDPOINT", tos.environment["TOS_ENDPOINT"] + "/")
    put("tos://bucket/a")
    assert read("tos://bucket/a") == b"data"


def test_a_missing_object_or_bucket_is_not_found(tos):
    with pytest.raises(SourceNotFoundError, match="no such object.*tos://bucket/nope.*NoSuchKey"):
        open_url("tos://bucket/nope")
    with pytest.raises(SourceNotFoundError, match="no such bucket.*tos://nope-bucket/a"):
        open_url("tos://nope-bucket/a")
    with pytest.raises(StorageWriteError, match="no such bucket.*NoSuchBucket.*request-3"):
        put("tos://nope-bucket/a")


def test_an_archived_object_is_no_credentials_error(tos, monkeypatch):
    monkeypatch.setattr(
        "tests.storage.tos_server.refusal", lambda *request: (403, "InvalidObjectState")
    )
    with pytest.raises(SourceReadError, match="restore it first"):
        open_url("tos://bucket/a")


@pytest.mark.parametrize(
    "url",
    [
        "tos://",
        "tos://bucket",
        "tos://bucket/",
        "tos:///key",
        "tos://Bucket/key",
        "tos://b/key",
        "tos://-bucket/key",
        "tos://bucket/a/../b",
        "tos://bucket/./b",
    ],
)
def test_an_invalid_address_is_refused_without_a_request(tos, url):
    with pytest.raises(SourceReadError, match="TOS"):
        open_url(url)
    with pytest.raises(StorageWriteError, match="TOS"):
        put(url)
    assert tos.requests == 0


@pytest.mark.parametrize("letter", ["x", "勺"])
def test_a_key_has_at_most_1024_bytes(tos, letter):
    longest = letter * (1024 // len(letter.encode()))
    put(f"tos://bucket/{longest}")
    assert read(f"tos://bucket/{longest}") == b"data"
    before = tos.requests
    for act, error in ((put, StorageWriteError), (open_url, SourceReadError)):
        with pytest.raises(error, match=r"at most 1024 bytes in UTF-8, got \d+ in .*use a shorter"):
            act(f"tos://bucket/{longest}{letter}")
    with pytest.raises(ParameterError, match="at most 1024 bytes"):
        check_writable(f"tos://bucket/{longest}")
    check_writable(f"tos://bucket/{longest[:200]}")
    assert tos.requests == before


def test_a_key_with_a_lone_surrogate_is_refused_without_a_request(tos):
    for act, error in ((put, StorageWriteError), (open_url, SourceReadError)):
        with pytest.raises(error, match="must be valid Unicode"):
            act("tos://bucket/a\ud800")
    assert tos.requests == 0


@pytest.mark.parametrize("name", ["ACCESS_KEY", "SECRET_KEY"])
@pytest.mark.parametrize("value", ["", "  ", None])
def test_a_missing_key_is_named_and_never_means_anonymous(tos, monkeypatch, name, value):
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    word = "not set" if value is None else "empty"
    with pytest.raises(CredentialsError, match=f"TOS: {name} is {word}; ") as caught:
        put("tos://bucket/a")
    assert caught.value.stage == "upload"
    assert tos.requests == 0


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO])
def test_errors_and_logs_hold_no_secrets(tos, monkeypatch, caplog, level):
    caplog.set_level(level)
    for name in ("tos", "tos.auth", "urllib3"):
        caplog.set_level(level, name)
    signatures = []
    own = tos_server.refusal

    def refusal(about, method, path, query, headers, body):
        signatures.append(headers["Authorization"].rpartition("=")[2])
        return own(about, method, path, query, headers, body)

    monkeypatch.setattr(tos_server, "refusal", refusal)
    monkeypatch.setattr(tos, "access_key", "very-secret-token")  # which the server repeats
    for fault in (503, "reset", "none"):
        tos.faults.append(fault)
    monkeypatch.setenv("SECRET_KEY", "very-secret")
    monkeypatch.setenv("TOS_SECURITY_TOKEN", "very-secret-token")
    with pytest.raises(KeyframesError) as caught:
        put("tos://bucket/a")
    assert "very-secret" not in caplog.text
    assert signatures
    assert not [signature for signature in signatures if signature in caplog.text]
    assert "retry" in caplog.text  # the SDK's log itself is kept
    assert "very-secret" not in repr(caught.value)
    assert "very-secret" not in repr(tos_client.client_for("open")[1])
