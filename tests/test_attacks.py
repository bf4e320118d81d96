"""Malicious videos and URLs, given to the sampler: the table of docs/security.md."""

import base64
import gzip
import re
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import av
import pytest

from spark_keyframes import Access, Limits
from spark_keyframes.errors import (
    AccessError,
    InvalidBase64Error,
    KeyframesError,
    LimitError,
    NotAVideoError,
    SourceReadError,
)
from spark_keyframes.storage.download import meter
from tests.attack_files import Watch, playlists, with_data_reference, with_linked_segment
from tests.storage.web_server import WebServer, answer, slowly, without_proxies
from tests.video.clips import clip

REPO = Path(__file__).parent.parent
KINDS = ["hls", "hls with a key", "ffconcat", "sdp", "dash"]


@pytest.fixture
def web(monkeypatch):
    without_proxies(monkeypatch)
    with WebServer() as server:
        server.paths["/secret.ts"] = [answer(body=b"secret")]
        yield server


@pytest.fixture(scope="session")
def small_ts():
    return clip("libx264", "mpegts", frames=10)


@pytest.fixture
def secret(tmp_path, small_ts):
    """A local file that must not be opened, and its watch."""
    path = tmp_path / "secret.ts"
    path.write_bytes(small_ts)
    with Watch(path) as watch:
        watch.path = path
        yield watch


@pytest.fixture(params=["process", "thread"])
def each_sampler(plain, request):
    """The sampler, once with each decoder."""
    return replace(plain, decoder=request.param)


# Playlists, which name other files.


@pytest.mark.parametrize("kind", ["hls", "ffconcat"])
def test_ffmpeg_without_the_whitelist_follows_a_playlist(tmp_path, secret, web, kind):
    """Shows that the attack works without protection, and that `Watch` detects it."""
    path = tmp_path / "a.m3u8"
    path.write_bytes(playlists(secret.path, f"{web.url}/secret.ts")[kind])
    options = {"protocol_whitelist": "file,http,tcp", "safe": "0"}
    with av.open(str(path), options=options) as video, suppress(av.error.FFmpegError):
        list(video.demux())
    assert secret.was_opened()
    assert web.seen


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", ["name", "content type", "bytes", "base64"])
def test_a_playlist_is_not_followed(tmp_path, plain, secret, web, kind, way):
    text = playlists(secret.path, f"{web.url}/secret.ts")[kind]
    path = tmp_path / "a.m3u8"
    path.write_bytes(text)
    web.paths["/a.m3u8"] = [answer(body=text, Content_Type="application/vnd.apple.mpegurl")]
    sampler, video = {
        "name": (plain, str(path)),
        "content type": (plain, f"{web.url}/a.m3u8"),
        "bytes": (replace(plain, video_src_type="video_binary"), text),
        "base64": (replace(plain, video_src_type="video_base64"), base64.b64encode(text).decode()),
    }[way]
    with pytest.raises(NotAVideoError, match="not a video but an "):
        sampler.sample(video)
    assert not secret.was_opened()
    assert [request.path for request in web.seen] == (["/a.m3u8"] if way == "content type" else [])


@pytest.mark.parametrize(
    "name", ["hls", "m3u8", "applehttp", "concat", "sdp", "dash", "image2", "lavfi"]
)
def test_the_name_of_a_container_does_not_allow_a_playlist(plain, secret, web, name):
    sampler = replace(plain, video_src_type="video_binary", video_format=name)
    for text in playlists(secret.path, f"{web.url}/secret.ts").values():
        with pytest.raises(NotAVideoError):
            sampler.sample(text)
        with pytest.raises(NotAVideoError):
            sampler.sample(b"\n" * 3000 + text)  # beyond the bytes that detection reads
    assert not secret.was_opened()
    assert not web.seen


def test_a_playlist_in_a_data_url_is_refused(plain, secret, web):
    text = playlists(secret.path, f"{web.url}/secret.ts")["hls"]
    data_url = f"data:application/vnd.apple.mpegurl;base64,{base64.b64encode(text).decode()}"
    with pytest.raises(NotAVideoError):
        replace(plain, video_src_type="video_base64").sample(data_url)
    for url in (data_url, f"concat:{secret.path}", f"subfile,,start,0,end,0,,:{secret.path}"):
        with pytest.raises(KeyframesError):
            plain.sample(url)
    with pytest.raises(InvalidBase64Error):
        replace(plain, video_src_type="video_base64").sample(f"file://{secret.path}")
    assert not secret.was_opened()


# Containers that refer to another file.


@pytest.mark.parametrize("kind", ["alis", "url "])
def test_an_mp4_that_refers_to_another_file(tmp_path, each_sampler, kind):
    original = clip("libx264", "mp4", frames=10)
    target = tmp_path / "secret.mp4"
    target.write_bytes(original)
    attack = tmp_path / "a.mp4"
    attack.write_bytes(with_data_reference(original, kind, target))
    with Watch(target) as watch:
        try:
            found = each_sampler.sample(str(attack))
        except KeyframesError:
            found = None
        assert not watch.was_opened()
        # FFmpeg ignores the URL and decodes the file's own data; an alias makes the row fail.
        assert (found is None) == (kind == "alis")
        if kind == "alis":
            # With these options FFmpeg opens the file.
            with av.open(str(attack), options={"enable_drefs": "1", "use_absolute_path": "1"}):
                assert watch.was_opened()


def test_a_matroska_file_that_continues_in_another(tmp_path, each_sampler):
    original = clip("libx264", "matroska", frames=10)
    target = tmp_path / "secret.mkv"
    target.write_bytes(original)
    attack = tmp_path / "a.mkv"
    attack.write_bytes(with_linked_segment(original, "secret.mkv", bytes(range(16))))
    with Watch(target) as watch:
        assert (
            each_sampler.sample(str(attack)).frame_ids
            == each_sampler.sample(original_of(attack, original)).frame_ids
        )
        assert not watch.was_opened()


def original_of(attack, original):
    path = attack.with_name("original.mkv")
    path.write_bytes(original)
    return str(path)


# Addresses.


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://2852039166/",
        "http://0xa9fea9fe/",
        "http://[::ffff:169.254.169.254]/",
        "http://[fd00:ec2::254]/latest/meta-data/",
        "http://100.100.100.200/latest/meta-data/",
        "http://100.96.0.96/volcstack/latest/",
    ],
)
def test_the_metadata_service_is_not_requested(plain, web, url):
    web.paths["/a.mp4"] = [answer(302, b"", Location=url)]
    for video in (url, f"{web.url}/a.mp4"):
        with pytest.raises(AccessError, match="such addresses are never read"):
            plain.sample(video)


@pytest.mark.parametrize("scheme", ["file", "ftp", "tos", "s3", "gopher", "local"])
def test_a_redirect_to_another_scheme_is_not_followed(plain, secret, web, scheme):
    web.paths["/a.mp4"] = [answer(302, b"", Location=f"{scheme}://{secret.path}")]
    with pytest.raises(SourceReadError, match="scheme other than http and https"):
        plain.sample(f"{web.url}/a.mp4")
    assert not secret.was_opened()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "127.1", "[::ffff:7f00:1]"]
)
def test_private_addresses_are_not_requested(plain, web, host):
    sampler = replace(plain, access=Access(private_addresses=False))
    with pytest.raises(AccessError, match="not a public address"):
        sampler.sample(web.url.replace("127.0.0.1", host) + "/secret.ts")
    assert not web.seen


@pytest.mark.parametrize(
    ("access", "url"),
    [
        (Access(allowed_schemes=("https", "tos")), "{web}/secret.ts"),
        (Access(allowed_schemes=("https", "tos")), "{file}"),
        (Access(allowed_schemes=("https", "tos")), "file://{file}"),
        (Access(allowed_schemes=("https", "tos")), "local://{file}"),
        (Access(allowed_hosts=("videos.example.com", "*.example.org")), "{web}/secret.ts"),
        (Access(allowed_hosts=("videos.example.com",)), "{web}/secret.ts#@videos.example.com"),
    ],
)
def test_schemes_and_hosts_that_are_not_allowed(plain, secret, web, access, url):
    with pytest.raises(AccessError, match="allowed_(schemes|hosts) are"):
        replace(plain, access=access).sample(url.format(web=web.url, file=secret.path))
    assert not secret.was_opened()
    assert not web.seen


def test_a_redirect_to_a_host_that_is_not_allowed(plain, web):
    elsewhere = web.url.replace("127.0.0.1", "localhost")
    web.paths["/a.mp4"] = [answer(302, b"", Location=f"{elsewhere}/secret.ts")]
    with pytest.raises(AccessError, match="'localhost', and allowed_hosts are"):
        replace(plain, access=Access(allowed_hosts=("127.0.0.1",))).sample(f"{web.url}/a.mp4")
    assert [request.path for request in web.seen] == ["/a.mp4"]


@pytest.mark.parametrize(
    "path",
    [
        "secret.ts",
        "root/../secret.ts",
        "root/link.ts",
        "root/up/secret.ts",
        "root/%2e%2e/secret.ts",
    ],
)
@pytest.mark.parametrize("form", ["{}", "file://{}", "file:{}", "local://{}"])
def test_a_path_that_leaves_the_allowed_folder(tmp_path, plain, secret, path, form):
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "link.ts").symlink_to(secret.path)
    (tmp_path / "root" / "up").symlink_to("..")
    sampler = replace(plain, access=Access(allowed_roots=(str(tmp_path / "root"),)))
    with pytest.raises(KeyframesError) as caught:
        sampler.sample(form.format(tmp_path / path))
    # In a plain path "%2e" is not decoded. It names a file that does not exist.
    assert isinstance(caught.value, AccessError) or ("%2e" in path and form == "{}")
    assert not secret.was_opened()


# Endless downloads.


def test_a_gzip_of_zeros_is_decompressed_up_to_the_limit(plain, web):
    # 6 GB as members of 64 MB, which is faster to compress.
    body = gzip.compress(bytes(64 << 20), 9) * 96
    web.paths["/a.mp4"] = [answer(body=body, Content_Encoding="gzip")]
    sampler = replace(plain, limits=Limits(max_download_bytes=100_000_000))
    # It ends at the first block beyond the limit. A block has less than 1 MB.
    with pytest.raises(LimitError, match="more than max_download_bytes=100000000: 100[0-9]{6};"):
        sampler.sample(f"{web.url}/a.mp4")
    # A .gz file is not decompressed.
    web.paths["/a.mp4.gz"] = [answer(body=body, Content_Type="application/gzip")]
    with pytest.raises(NotAVideoError, match="gzip data"):
        sampler.sample(f"{web.url}/a.mp4.gz")


def test_an_announced_size_of_ten_gigabytes_is_refused(plain, web):
    web.paths["/a.mp4"] = [answer(announce=10_000_000_000)]
    with pytest.raises(LimitError, match=r"max_download_bytes=8589934592: 10000000000") as caught:
        plain.sample(f"{web.url}/a.mp4?token=secret")
    assert caught.value.stage == "open"
    assert "secret" not in str(caught.value)
    assert len(web.seen) == 1


@pytest.mark.slow
@pytest.mark.parametrize("where", ["headers", "body", "redirect"])
def test_a_server_that_sends_single_bytes(plain, web, where, monkeypatch):
    monkeypatch.setattr(meter, "WINDOW", 0.5)  # seconds; the default is a minute
    head = {
        "headers": b"HTTP/1.1 200 OK\r\nX-Long: ",
        "body": b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
        "redirect": b"HTTP/1.1 302 Found\r\nContent-Length: 5000\r\nLocation: /b\r\n\r\n",
    }[where]
    web.paths["/a.mp4"] = [slowly(head, b"x", every=0.1)]
    begin = time.monotonic()
    with pytest.raises(LimitError, match="bytes per second, below min_download_rate=1024"):
        plain.sample(f"{web.url}/a.mp4")
    sampler = replace(plain, limits=Limits(max_download_seconds=1, min_download_rate=0))
    with pytest.raises(LimitError, match="longer than max_download_seconds=1;"):
        sampler.sample(f"{web.url}/a.mp4")
    assert time.monotonic() - begin < 15
    assert len(web.seen) == 2  # no retries


# The table.


def test_the_tests_that_the_table_names_exist():
    text = (REPO / "docs" / "security.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", text))
    here = "".join(path.read_text(encoding="utf-8") for path in (REPO / "tests").rglob("test_*.py"))
    assert named
    assert named <= set(re.findall(r"^def (test_\w+)", here, re.MULTILINE))
    ours = set(
        re.findall(r"^def (test_\w+)", Path(__file__).read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert ours - named <= {"test_the_tests_that_the_table_names_exist"}
