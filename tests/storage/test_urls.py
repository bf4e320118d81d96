"""The scheme and host of URLs, and what messages may show of them."""

import subprocess
import sys

import pytest

from spark_keyframes.redaction import redact_text, redact_url
from spark_keyframes.urls import host_of, is_host, is_local, scheme_of


@pytest.mark.parametrize(
    ("url", "scheme"),
    [
        ("/videos/a.mp4", ""),
        ("a.mp4", ""),
        ("what? a:b#c.mp4", ""),
        ("FILE:///a.mp4", "file"),
        ("file:/a.mp4", "file"),  # Hadoop's form
        ("https://host/a.mp4", "https"),
        ("tos://bucket/a.mp4", "tos"),
        ("s3a://bucket/a.mp4", "s3a"),
    ],
)
def test_scheme(url, scheme):
    assert scheme_of(url) == scheme


@pytest.mark.parametrize("url", ["/a.mp4", "what? a:b#c.mp4", "FILE:///a", "file:/a", "local:///a"])
def test_local_urls(url):
    assert is_local(url)


@pytest.mark.parametrize("url", ["http://host/a", "tos://bucket/a", "hdfs:///a", "localhost://a"])
def test_urls_that_are_not_local(url):
    assert not is_local(url)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://user:secret@Host.Example.:80/a?b", "host.example"),
        ("tos://bucket/a@b", "bucket"),
        ("http://[2400:3200::1]:80/a", "2400:3200::1"),
        ("http://user@[::1]", "::1"),
        ("http://evil.net\\@example.com/a", ""),
        ("http://[1.2.3.4.5::]/a", ""),
        ("http://exam\tple.com/a", ""),
        ("http://:80/a", ""),
        ("/videos/a.mp4", ""),
    ],
)
def test_a_host_is_given_only_if_all_parsers_agree(url, host):
    assert host_of(url) == host


@pytest.mark.parametrize("text", ["", ".", "a..b", "a.b.", "a:80", "视频.cn", "*", "[::1]", "::g"])
def test_texts_that_are_no_host(text):
    assert not is_host(text)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://host:80/a/b.mp4?signature=secret#secret", "https://host:80/a/b.mp4"),
        ("https://user:secret@host/a.mp4", "https://host/a.mp4"),
        ("https://user:p@secret@host/a.mp4", "https://host/a.mp4"),
        ("https://user:sec/ret@host/a.mp4", "https://***"),
        ("https://user:sec?ret@host/a.mp4", "https://***"),
        ("https://host?secret", "https://host"),
        ("http://[::1]:80/a.mp4?secret", "http://[::1]:80/a.mp4"),
        ("tos://secret:secret@bucket/a.mp4", "tos://bucket/a.mp4"),
        ("tos://bucket/勺 子.mp4", "tos://bucket/勺 子.mp4"),
        ("/folder/what?#.mp4", "/folder/what?#.mp4"),
    ],
)
def test_redacted_urls_hold_no_secrets(url, shown):
    assert redact_url(url) == shown


def test_very_long_values_are_cut():
    assert len(redact_url("QUJD" * 1_000_000)) < 1000


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no URL: 5 / 3 is 1?", "no URL: 5 / 3 is 1?"),
        ("get http://me:pw@host/a.mp4?X-Tos-Signature=1 failed", "get http://host/a.mp4 failed"),
        ("'http://host/a.mp4?sig=1': gone", "'http://host/a.mp4 gone"),
        ("with url: /a.mp4?X-Tos-Signature=1 (x)", "with url: /a.mp4?*** (x)"),
        ("tos://bucket/key; check it", "tos://bucket/key; check it"),
        ("http://me:p/w@host/a", "http://***"),
    ],
)
def test_user_info_and_queries_are_removed(text, shown):
    assert redact_text(text) == shown


def test_importing_loads_no_network_package():
    program = (
        "import sys, spark_keyframes.storage; "
        "print({'tos', 'requests', 'fsspec'} & set(sys.modules))"
    )
    output = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert output.stdout.decode().strip() == "set()"
