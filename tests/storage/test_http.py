"""Downloads from a real web server on loopback."""

import gzip
import logging
import tempfile
import threading
import warnings

import pytest

from spark_keyframes.errors import HttpStatusError, SourceReadError, UnsupportedSchemeError
from spark_keyframes.storage import open_url, write_url
from spark_keyframes.storage.download import remote
from spark_keyframes.storage.http import http_storage as http
from tests.storage.web_server import VIDEO, answer, chunked, hang_up


def read(url: str) -> bytes:
    with open_url(url) as file:
        return file.read()


def test_a_file_is_read_completely_from_an_unnamed_temporary_file(web, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    web.paths["/a.mp4"] = [answer()]
    with open_url(f"{web.url}/a.mp4") as file:
        assert file.read() == VIDEO
        assert file.seek(256) == 256
        assert file.read(3) == b"\0\1\2"
        assert not file.writable()
        assert list(tmp_path.iterdir()) == []  # a killed task leaves nothing
    assert web.seen[0].headers["Accept-Encoding"] == "identity"


def test_an_empty_file_is_read_as_empty(web):
    web.paths["/a.mp4"] = [answer(body=b"")]
    assert read(f"{web.url}/a.mp4") == b""


def test_a_missing_file_is_not_retried(web):
    web.paths["/a.mp4"] = [answer(404)]
    with pytest.raises(HttpStatusError, match=r"status 404 for .*/a\.mp4; .*check") as caught:
        open_url(f"{web.url}/a.mp4?signature=secret")
    assert caught.value.status == 404
    assert "secret" not in str(caught.value)
    assert len(web.seen) == 1


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_file_is_an_error(web, status):
    web.paths["/a.mp4"] = [answer(status, b"")]
    with pytest.raises(HttpStatusError, match=f"status {status}"):
        open_url(f"{web.url}/a.mp4")


@pytest.mark.parametrize(
    "failure",
    [
        answer(500, b"oops"),
        answer(503, b"", Retry_After="0"),
        answer(429, b""),
        answer(body=VIDEO[:1_500_000], announce=len(VIDEO)),
        chunked(VIDEO[:1000], is_complete=False),
        hang_up,
    ],
    ids=["500", "503", "429", "cut", "cut chunks", "no answer"],
)
def test_transient_failures_are_retried(web, failure):
    web.paths["/a.mp4"] = [failure, failure, answer()]
    assert read(f"{web.url}/a.mp4") == VIDEO
    assert len(web.seen) == 3


def test_a_server_that_always_fails_is_given_up(web):
    web.paths["/a.mp4"] = [answer(502, b"")]
    with pytest.raises(HttpStatusError, match=r"status 502 .* in 4 attempts") as caught:
        open_url(f"{web.url}/a.mp4?secret")
    assert caught.value.status == 502
    assert len(web.seen) == 4


def test_a_body_that_is_always_incomplete_is_an_error(web):
    web.paths["/a.mp4"] = [answer(body=VIDEO[:1000], announce=len(VIDEO))]
    with pytest.raises(SourceReadError, match=r"/a\.mp4 in 4 attempts") as caught:
        open_url(f"{web.url}/a.mp4?secret")
    assert "secret" not in str(caught.value)


def test_a_chunked_body_without_a_length_is_complete(web):
    web.paths["/a.mp4"] = [chunked(VIDEO[:1000], VIDEO[1000:])]
    assert read(f"{web.url}/a.mp4") == VIDEO


def test_a_server_without_an_answer_is_given_up(web, monkeypatch):
    monkeypatch.setattr(http, "TIMEOUT", (1.0, 0.05))
    monkeypatch.setattr(remote, "ATTEMPTS", 2)
    done = threading.Event()
    web.paths["/a.mp4"] = [lambda handler: done.wait(5)]
    with pytest.raises(SourceReadError, match="in 2 attempts"):
        open_url(f"{web.url}/a.mp4")
    done.set()


def test_a_refused_connection_is_named():
    with pytest.raises(SourceReadError, match=r"Connection refused.*HTTPS_PROXY") as caught:
        open_url("http://127.0.0.1:1/a.mp4?secret")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://", "http://host:port/a", "http://[/a", "http://a b/c"])
def test_an_invalid_address_is_a_source_read_error(url):
    with pytest.raises(SourceReadError):
        open_url(url)


def test_an_unrequested_compression_is_undone(web):
    web.paths["/a.mp4"] = [answer(body=gzip.compress(VIDEO), Content_Encoding="gzip")]
    assert read(f"{web.url}/a.mp4") == VIDEO


def test_a_plain_body_labelled_as_compressed_is_read(web):
    web.paths["/a.mp4"] = [answer(Content_Encoding="gzip")]
    assert read(f"{web.url}/a.mp4") == VIDEO


def test_a_damaged_compressed_body_is_an_error(web):
    body = gzip.compress(VIDEO)[:-100]
    web.paths["/a.mp4"] = [answer(body=body, Content_Encoding="gzip")]
    with pytest.raises(SourceReadError, match="damaged gzip data"):
        open_url(f"{web.url}/a.mp4")


def test_an_unknown_compression_is_an_error(web):
    web.paths["/a.mp4"] = [answer(Content_Encoding="br")]
    with pytest.raises(SourceReadError, match="Content-Encoding 'br'"):
        open_url(f"{web.url}/a.mp4")


def test_redirects_are_followed(web):
    web.paths["/a.mp4"] = [answer(302, b"", Location="/b.mp4")]
    web.paths["/b.mp4"] = [answer()]
    assert read(f"{web.url}/a.mp4") == VIDEO


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/a", "tos://bucket/a"])
def test_redirects_to_other_schemes_are_not_followed(web, target):
    web.paths["/a.mp4"] = [answer(302, b"", Location=target)]
    with pytest.raises(SourceReadError, match="scheme other than http and https"):
        open_url(f"{web.url}/a.mp4?secret")
    assert len(web.seen) == 1


def test_a_redirect_loop_is_an_error(web):
    web.paths["/a.mp4"] = [answer(302, b"", Location="/a.mp4?secret")]
    with pytest.raises(SourceReadError, match="in a circle") as caught:
        open_url(f"{web.url}/a.mp4?secret")
    assert "secret" not in str(caught.value)


def test_the_target_of_a_redirect_is_not_parsed_if_it_is_too_long(web, monkeypatch):
    """requests normalises it in quadratic time."""

    def send_bytes(handler):
        handler.wfile.write(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: http://a")
        handler.wfile.write("\u0323\u0301".encode() * 8000 + b"\r\n\r\n")

    web.paths["/a"] = [send_bytes]
    monkeypatch.setattr("requests.sessions.urlparse", None)  # would parse it
    with pytest.raises(SourceReadError, match="at most 8,192"):
        read(f"{web.url}/a")


def test_cookies_of_a_redirect_are_sent_but_not_enormous_ones(web):
    cookie = "key=value; Path=/"
    web.paths["/a"] = [answer(302, b"", Location="/b", Set_Cookie=cookie)]
    web.paths["/b"] = [answer()]
    assert read(f"{web.url}/a") == VIDEO
    assert web.seen[-1].headers["Cookie"] == "key=value"
    large = f"key={'v' * 5000}; expires=1-a-{'1' * 5000}"
    web.paths["/c"] = [answer(302, b"", Location="/b", Set_Cookie=large)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # http.cookiejar prints a traceback as a warning
        assert read(f"{web.url}/c") == VIDEO
    assert web.seen[-1].headers["Cookie"] is None


def test_user_info_is_sent_to_its_own_host_only(web):
    web.paths["/a.mp4"] = [
        answer(302, b"", Location=f"{web.url.replace('127.0.0.1', 'localhost')}/b")
    ]
    web.paths["/b"] = [answer()]
    assert read(web.url.replace("://", "://user:p%40ss@") + "/a.mp4") == VIDEO
    assert web.seen[0].headers["Authorization"] == "Basic dXNlcjpwQHNz"  # user:p@ss
    assert web.seen[1].headers["Authorization"] is None


def test_netrc_is_not_read(web, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("default login someone password from-netrc\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    web.paths["/a.mp4"] = [answer(302, b"", Location=f"{web.url}/b.mp4")]
    web.paths["/b.mp4"] = [answer()]
    assert read(f"{web.url}/a.mp4") == VIDEO
    assert [request.headers["Authorization"] for request in web.seen] == [None, None]


def test_the_log_of_urllib3_holds_no_signature(web, caplog):
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "urllib3")
    malformed = b"HTTP/1.1 200 OK\r\n: no name\r\nContent-Length: 2\r\n\r\nab"
    web.paths["/a.mp4"] = [answer(302, b"", Location="/b.mp4?Signature=secret")]
    web.paths["/b.mp4"] = [lambda handler: handler.wfile.write(malformed)]
    assert read(f"{web.url}/a.mp4?Signature=secret") == b"ab"
    assert "GET /b.mp4" in caplog.text
    assert "Failed to parse headers" in caplog.text
    assert "secret" not in caplog.text


def test_writing_is_refused():
    with pytest.raises(UnsupportedSchemeError, match="read-only"):
        write_url("https://host/a.jpg", b"", content_type="image/jpeg")


@pytest.mark.parametrize(
    "host", ["me%3Asecret", "me=secret", "secret%40host", "me(secret", "me%3As\\"]
)
def test_a_host_that_may_be_a_password_is_not_looked_up(host, monkeypatch):
    monkeypatch.setattr("socket.getaddrinfo", lambda *args, **kwargs: pytest.fail("looked up"))
    with pytest.raises(SourceReadError, match="it is not a valid URL; check its host"):
        open_url(f"http://{host}/part@host/a.mp4")
