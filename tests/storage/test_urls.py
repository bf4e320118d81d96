"""The scheme, the host and the length of URLs."""

import base64
import subprocess
import sys

import pytest

from spark_keyframes.errors import KeyframesError, SourceReadError
from spark_keyframes.storage import Access, open_url
from spark_keyframes.urls import (
    LONGEST_URL,
    advice_on_url,
    check_length,
    host_of,
    is_host,
    is_local,
    scheme_of,
)
from spark_keyframes.video import open_source


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
        ("data:video/mp4;base64,AAAA", "data"),
        ("DATA:,a", "data"),
        ("data: first, second.mp4", ""),
        ("data:a.mp4", ""),
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
        ("http://[::1%a@b]/a.mp4", ""),
        ("http://[a@good.com/a.mp4", ""),
        ("http://a\\b@good.com/a.mp4", ""),
        ("x/y://good.com/a.mp4", ""),
    ],
)
def test_a_host_is_given_only_if_all_parsers_agree(url, host):
    assert host_of(url) == host


@pytest.mark.parametrize("text", ["", ".", "a..b", "a.b.", "a:80", "视频.cn", "*", "[::1]", "::g"])
def test_texts_that_are_no_host(text):
    assert not is_host(text)


def test_what_is_longer_than_a_url_is_not_parsed():
    longest = f"tos://bucket/{'a' * 8179}"
    assert len(longest) == LONGEST_URL
    check_length(longest)
    Access().check_url(longest)
    for call in (check_length, Access().check_url, open_source):
        with pytest.raises(SourceReadError, match="… is not read: it has 8,193 characters") as e:
            call(f"https://me:secret@host/{'/a' * 4085}")
        assert "secret" not in str(e.value)
        assert len(str(e.value)) < 1000


def test_the_bound_is_not_for_base64():
    text = base64.b64encode(bytes(100_000)).decode()
    with open_source(text, video_src_type="video_base64") as source:
        assert len(source.file.read()) == 100_000
    with pytest.raises(SourceReadError, match="use video_src_type='video_base64' for base64"):
        open_source(text)


def test_importing_loads_no_network_package():
    program = (
        "import sys, spark_keyframes.storage; "
        "print({'tos', 'requests', 'fsspec'} & set(sys.modules))"
    )
    output = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    assert output.stdout.decode().strip() == "set()"


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        (" https://host.invalid/a.mp4", "begins or ends with white space"),
        ("https://host.invalid/a.mp4\n", "begins or ends with white space"),
        ("/videos/a.mp4\u00a0", "begins or ends with white space"),
        ("/videos/a.mp4\n/videos/b.mp4", "one video per row"),
        ("'/videos/a.mp4'", "in quotes or brackets: remove"),
        ('"tos://b/k"', "in quotes or brackets: remove"),
        ("<https://host/a.mp4>", "in quotes or brackets: remove"),
        ("“a.mp4”", "in quotes or brackets: remove"),
        ("~/a.mp4", "~ is not expanded"),
        ("~me/a.mp4", "~ is not expanded"),
        ("dbfs:/mnt/a.mp4", "write /dbfs/"),
        ("dbfs:/Volumes/main/a.mp4", "write /Volumes/… for dbfs:/Volumes/"),
        ("hdfs:/a/b.mp4", "write hdfs:///path, or hdfs://name-node/"),
        ("tos:/bucket/a.mp4", "write two slashes after the scheme: tos://"),
        ("s3a:/bucket/a.mp4", "write two slashes after the scheme: tos://bucket/key"),
        ("https:/host/a.mp4", "write two slashes after the scheme: tos://bucket/key"),
    ],
)
def test_an_error_says_what_is_often_wrong(url, advice):
    with pytest.raises(KeyframesError) as caught:
        open_url(url)
    assert f"; {advice}" in str(caught.value) or advice in str(caught.value).rpartition("; ")[2]


@pytest.mark.parametrize(
    "name", ["a b.mp4", "it's.mp4", "~a.mp4", "a:b.mp4", "12:30.mp4", "C:/a.mp4", "[a].mp4", "a'"]
)
def test_nothing_is_wrong_with_other_names(name, tmp_path):
    assert not advice_on_url(name)
    assert not advice_on_url(f"{tmp_path}/{name}")
    assert not advice_on_url(f"file:{tmp_path}/{name}")
    assert not advice_on_url(f"https://host/{name}")


@pytest.mark.parametrize("name", [" a.mp4", "'a'", "a\n.mp4", "~/a.mp4", "tos:/b/a.mp4", "a "])
def test_a_file_of_such_a_name_is_still_read(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"video")
    with open_url(name) as file:
        assert file.read() == b"video"
