"""The allowed schemes, hosts and folders, after redirects too."""

import os
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_keyframes.errors import (
    AccessError,
    ParameterError,
    SourceNotFoundError,
    UnsupportedSchemeError,
)
from spark_keyframes.storage import Access, open_url
from spark_keyframes.storage import local as local_storage
from tests.storage.web_server import VIDEO, answer


def read(url, **access):
    with open_url(str(url), access=Access(**access)) as file:
        return file.read()


# The values of Access.


def test_values_are_normalised():
    access = Access(
        allowed_schemes=["HTTPS", "local"],
        allowed_hosts=["Videos.Example.COM.", "*.Example.org", "[::1]"],
        allowed_roots=[Path("/data/videos")],
    )
    assert access.allowed_schemes == ("https", "file")
    assert access.allowed_hosts == ("videos.example.com", "*.example.org", "::1")
    assert access.allowed_roots == ("/data/videos",)
    assert hash(access) == hash(access)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"allowed_schemes": "https"},
            "^allowed_schemes must be a tuple, got the single 'https'; use e.g. .*\"tos\"",
        ),
        (
            {"allowed_schemes": ("https://",)},
            "^allowed_schemes must hold schemes such as .*, got 'https://'",
        ),
        ({"allowed_schemes": ("",)}, "schemes such as .*, got ''"),
        ({"allowed_hosts": ("https://a.b",)}, "without scheme, port and path, got 'https://a.b'"),
        ({"allowed_hosts": ("a.b:80",)}, "got 'a.b:80'"),
        ({"allowed_hosts": ("*",)}, "got '\\*'"),
        ({"allowed_hosts": ("[a.bc",)}, "got '\\[a.bc'"),
        ({"allowed_hosts": ("aa.b]",)}, "got 'aa.b]'"),
        ({"allowed_hosts": ("a.*.b",)}, "got 'a.\\*.b'"),
        ({"allowed_hosts": ("视频.cn",)}, "in ASCII"),
        ({"allowed_hosts": 3}, "^allowed_hosts must be a tuple of strings, got 3"),
        ({"allowed_roots": "/data"}, "the single '/data'"),
        ({"allowed_roots": Path("/data")}, "the single"),
        ({"allowed_roots": ("data",)}, "absolute paths of folders, got 'data'"),
        ({"allowed_roots": (3,)}, "must hold strings, got 3"),
        ({"allowed_roots": ("/data\0",)}, "absolute paths of folders, got '/data"),
        ({"private_addresses": 0}, "private_addresses must be True or False, got 0"),
    ],
)
def test_an_invalid_value_is_refused_with_advice(values, message):
    with pytest.raises(ParameterError, match=message):
        Access(**values)


# Schemes.


@pytest.mark.parametrize(
    ("url", "scheme"),
    [
        ("/videos/a.mp4", "file"),
        ("FILE:///videos/a.mp4", "file"),
        ("file:/videos/a.mp4", "file"),
        ("local:///videos/a.mp4", "file"),
        ("http://127.0.0.1:1/a.mp4", "http"),
        ("tos://bucket/a.mp4", "tos"),
        ("memory://bucket/a.mp4", "memory"),
    ],
)
def test_schemes_that_are_not_allowed_are_not_opened(url, scheme):
    message = f"has scheme '{scheme}', and allowed_schemes are https, s3; add"
    with pytest.raises(AccessError, match=message):
        read(url, allowed_schemes=("https", "s3"))


def test_a_redirect_to_a_scheme_that_is_not_allowed_is_not_followed(web):
    web.paths["/a"] = [answer(302, b"", Location="https://127.0.0.1:1/secret")]
    with pytest.raises(AccessError, match=r"/a is not read: .* has scheme 'https'"):
        read(f"{web.url}/a", allowed_schemes=("http",))


# Hosts and buckets.


@pytest.mark.parametrize(
    ("url", "is_allowed"),
    [
        ("http://example.com/a", True),
        ("http://[::1]:80/a", True),
        ("http://EXAMPLE.com.:80/a", True),
        ("http://user:p%40ss@example.com/a", True),
        ("http://a.b.example.org/a", True),
        ("http://example.org/a", False),
        ("http://badexample.com/a", False),
        ("http://evil.net/://example.com/a", False),
        ("http://evil.net%2f.example.org/a", False),
        ("http://[::2]:80/a", False),
        ("http://example.com.evil.net/a", False),
        ("http://example.com@evil.net/a", False),
        ("http://evil.net\\@example.com/a", False),
        ("http://evil.net#@example.com/a", False),
        ("http://evil.net?@example.com/a", False),
        ("http://exam\tple.com/a", False),
        ("http:///example.com/a", False),
        ("tos://example.com/a", True),
        ("s3://bucket/a", False),
        ("sftp://example.com:22/a", True),
        ("sftp://example.com@evil.net/a", False),
        ("/example.com/a", True),
    ],
)
def test_hosts(url, is_allowed):
    access = Access(allowed_hosts=("example.com", "*.example.org", "::1"))
    if is_allowed:
        access.check_url(url)
    else:
        with pytest.raises(AccessError, match=r"are example\.com, \*\.example\.org, ::1; add"):
            access.check_url(url)


@settings(max_examples=300, deadline=None)
@given(
    st.text("aA1.@:/\\?#[]%2eF \t\n;&=+-_~!,é", max_size=14),
    st.text("a.@:/\\?#", max_size=6),
)
def test_the_host_that_is_checked_is_the_one_that_is_connected_to(before, after):
    try:
        url = requests.Request("GET", f"http://{before}good.com{after}").prepare().url
        Access(allowed_hosts=("good.com",)).check_url(url)
    except (requests.RequestException, AccessError, ValueError):
        return
    assert urlsplit(url).hostname.removesuffix(".") == "good.com"


def test_a_bucket_that_is_not_allowed_is_not_requested(tos):
    tos.objects["bucket", "a"] = tos.objects["other-bucket", "a"] = b"data"
    assert read("tos://bucket/a", allowed_hosts=("bucket",)) == b"data"
    with pytest.raises(AccessError, match="has host 'other-bucket'"):
        read("tos://other-bucket/a", allowed_hosts=("bucket",))
    assert tos.requests == 1


def test_a_redirect_to_a_host_that_is_not_allowed_is_not_followed(web):
    elsewhere = web.url.replace("127.0.0.1", "localhost")
    web.paths["/a"] = [answer(302, b"", Location="/b")]
    web.paths["/b"] = [answer(302, b"", Location=f"{elsewhere}/secret?secret")]
    web.paths["/secret"] = [answer()]
    with pytest.raises(
        AccessError, match=r"/a is not read: .*/secret has host 'localhost'"
    ) as caught:
        read(f"{web.url}/a?token", allowed_hosts=("127.0.0.1",))
    assert [request.path for request in web.seen] == ["/a?token", "/b"]
    assert "token" not in str(caught.value)
    assert "secret?" not in str(caught.value)
    assert read(f"{web.url}/a", allowed_hosts=("127.0.0.1", "localhost")) == VIDEO


# Folders.


@pytest.fixture
def folders(tmp_path):
    """An allowed root with a video, and a secret outside it."""
    (tmp_path / "root" / "deep").mkdir(parents=True)
    (tmp_path / "root" / "a.mp4").write_bytes(b"video")
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "root-of-others").mkdir()
    (tmp_path / "root-of-others" / "a.mp4").write_bytes(b"secret")
    return tmp_path


def test_files_in_an_allowed_root_are_read(folders):
    root = folders / "root"
    (root / "deep" / "link.mp4").symlink_to("../a.mp4")
    (folders / "linked-root").symlink_to("root")
    for allowed in (root, folders / "linked-root", "/"):
        for path in (root / "a.mp4", root / "deep" / "../a.mp4", root / "deep" / "link.mp4"):
            assert read(path, allowed_roots=(str(allowed),)) == b"video"
        assert (
            read((folders / "linked-root" / "a.mp4").as_uri(), allowed_roots=(allowed,)) == b"video"
        )


@pytest.mark.parametrize(
    "path",
    [
        "secret",
        "nothing here",
        "root/../secret",
        "root/deep/../../secret",
        "root-of-others/a.mp4",
        "root/link",
        "root/up/secret",
        "root/deep/chain",
    ],
)
@pytest.mark.parametrize("form", ["{}", "file://{}", "file:{}", "file://localhost{}", "local://{}"])
def test_files_outside_the_allowed_roots_are_not_opened(folders, path, form):
    root = folders / "root"
    (root / "link").symlink_to(folders / "secret")
    (root / "up").symlink_to("..")
    (root / "deep" / "chain").symlink_to("../link")
    with pytest.raises(AccessError, match="in none of allowed_roots: .*/root, /none; add"):
        read(form.format(folders / path), allowed_roots=(root, "/none"))


@pytest.mark.parametrize("dots", ["%2e%2e/secret", "deep/..%2f..%2fsecret", ".%2E/secret"])
def test_percent_encoded_dots_are_decoded_before_the_check(folders, dots):
    with pytest.raises(AccessError):
        read(f"file://{folders}/root/{dots}", allowed_roots=(folders / "root",))


def test_a_symlink_that_changes_before_the_open_is_refused(folders, monkeypatch):
    link = folders / "root" / "link"
    link.symlink_to("a.mp4")
    own_open = os.open

    def swap_and_open(path, flags, *args, **kwargs):
        link.unlink()
        link.symlink_to(folders / "secret")
        return own_open(path, flags, *args, **kwargs)

    monkeypatch.setattr(local_storage.os, "open", swap_and_open)
    with pytest.raises(AccessError):
        read(link, allowed_roots=(folders / "root",))
    assert read(link) == b"secret"


@pytest.mark.parametrize(
    "url",
    [
        "zip://a.mp4::file://{}",
        "zip://a.mp4::{}",
        "tar://a.mp4::file://{}",
        "simplecache://{}",
        "filecache://x::file://{}",
        "dir://x::file://{}",
        "reference://{}",
        "generic://file://{}",
        "git://{}:a.mp4",
    ],
)
def test_nested_file_systems_do_not_bypass_schemes_and_folders(folders, url):
    archive = folders / "secret.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.mp4", "secret")
    with pytest.raises(UnsupportedSchemeError, match="give the URL of the file itself"):
        read(url.format(archive))


def test_a_chain_in_a_path_is_part_of_the_path(folders):
    url = f"memory://bucket/a::file://{folders}/secret"
    with pytest.raises(SourceNotFoundError):
        read(url)
    with pytest.raises(SourceNotFoundError, match="no file"):
        read(f"simplecache::file://{folders}/secret")  # a plain path with this name
