"""Messages show where a video is, and no secret of its URL, whatever stands around it."""

import pickle
import time

import pytest

from spark_keyframes.errors import KeyframesError, LimitError
from spark_keyframes.redaction import redact_text, redact_url
from spark_keyframes.storage import Access
from spark_keyframes.urls import host_of, scheme_of


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://host:80/a/b.mp4?signature=secret#secret", "https://host:80/a/b.mp4"),
        ("https://user:secret@host/a.mp4", "https://host/a.mp4"),
        ("https://user:p@secret@host/a.mp4", "https://host/a.mp4"),
        ("https://user:sec%2Fret@host/a.mp4", "https://host/a.mp4"),
        ("https://user:sec/ret@host/a.mp4", "https://***"),
        ("https://user:sec?ret@host/a.mp4", "https://***"),
        ("https://user:12/secret@host/a.mp4", "https://***"),
        ("https://user:@secret/?@host/a.mp4", "https://***"),
        ("https://host/a.mp4?mail=me@home", "https://host/a.mp4"),
        ("https://host?secret", "https://host"),
        ("http://[::1]:80/a.mp4?secret", "http://[::1]:80/a.mp4"),
        ("tos://secret:secret@bucket/a.mp4", "tos://bucket/a.mp4"),
        ("tos://bucket/勺 子.mp4", "tos://bucket/勺 子.mp4"),
        ("tos://bucket/photo@2x/dt=2024-01-01/a;b.mp4",) * 2,
        ("s3://bucket/user%40example.com/what%3F.mp4",) * 2,
        ("file:/videos/a@b.mp4", "file:/videos/a@b.mp4"),
        ("/folder/what?#.mp4", "/folder/what?#.mp4"),
        ("/folder/dt=2024-01-01/me@home.mp4", "/folder/dt=2024-01-01/me@home.mp4"),
        ("/folder/a.mp4?sig=secret", "/folder/a.mp4?***"),
        ("me:secret@host/a.mp4", "***@host/a.mp4"),
    ],
)
def test_redacted_urls_hold_no_secrets(url, shown):
    assert redact_url(url) == shown
    assert redact_url(shown) == shown


@pytest.mark.parametrize(
    ("before", "shown"),
    [
        (" ", " "),
        ("\t", "\\t"),
        ("\u200b", "\\u200b"),
        ("<", "<"),
        ('"', '"'),
        ("url=", "url="),
    ],
)
@pytest.mark.parametrize("scheme", ["http://", "HTTP://", "https:/", "http//", "//", "http:\\\\"])
def test_whatever_stands_before_a_url_it_is_redacted(before, shown, scheme):
    url = f"{before}{scheme}me:secret@host/a.mp4?X-Tos-Signature=secret"
    assert redact_url(url) == f"{shown}{scheme}host/a.mp4"


@pytest.mark.parametrize(
    "url",
    [
        "http%3A%2F%2Fme%3Asecret%40host%2Fa.mp4%3Fsig%3Dsecret",
        "http%253A%252F%252Fme%253Asecret%2540host",
        "https://host/a.mp4%3Fsig%3Dsecret",
        "https://host/a.mp4%253fsig%253dsecret",
        "https://host/a.mp4;token=secret",
        "https://host/a.mp4&token=secret",
        "https://host/a.mp4#access_token=secret",
        "https://host/token=secret/a.mp4",
        "https://host/?x=eyJhbGciOiJIUzI1NiJ9.secret",
        "http://me：secret＠host/a.mp4",
        "http://proxy/http://me:secret@host/a.mp4",
        "http:me:secret@host/a.mp4",
        "me: secret @host/a.mp4",
        "http://me secret@host/a.mp4",
        "http://host/exp=1~acl=/*~hmac=secret/a.mp4",
        "http://host/hdnts=exp=1~acl=/*~hmac=secret/a.mp4",
        "http://host/auth_key=1-0-0-secret/a.mp4",
        "http://host/auth=secret/a.mp4",
    ],
)
def test_secrets_in_other_forms_are_not_shown(url):
    assert "secret" not in redact_url(url)


def test_tokens_and_access_keys_are_not_shown_anywhere():
    token, key = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", "AKLTZmI0MTA1ZjQ0ZTkx"
    assert redact_url(f"/videos/{token}/a.mp4") == "/videos/***/a.mp4"
    assert redact_text(f"denied to {key}: {token}.") == "denied to ***: ***."


def test_very_long_values_are_cut():
    assert len(redact_url("QUJD" * 100_000)) < 1000
    assert len(redact_url("\x1b" * 10_000)) < 1000
    text = redact_text("begin " + "word " * 10_000 + "end")
    assert (text[:6], text[-3:]) == ("begin ", "end")
    assert len(text) < 11_000


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no URL: 5 / 3 is 1?", "no URL: 5 / 3 is 1?"),
        ("get http://me:pw@host/a.mp4?X-Tos-Signature=1 failed", "get http://host/a.mp4 failed"),
        ("'http://host/a.mp4?sig=1': gone", "'http://host/a.mp4 gone"),
        ("with url: /a.mp4?X-Tos-Signature=1 (x)", "with url: /a.mp4?*** (x)"),
        ("tos://bucket/key; check it", "tos://bucket/key; check it"),
        ("http://me:p/w@host/a", "http://***"),
        ("http://host:80: refused", "http://host:80: refused"),
        ("to http://me: secret@host/a", "to http://host/a"),
        ("Authorization: Bearer secret refused", "Authorization:*** refused"),
        ("{'token': 'secret', 'size': 3}", "{'token':*** 'size': 3}"),
        ("password = secret", "password =***"),
        ("http://me:secret-token:a@host/a", "http://***"),
        (
            '{"fs.azure.account.key.a.windows.net": "secret"}',
            '{"fs.azure.account.key.a.windows.net":***',
        ),
        ('{"password": "a secret", "size": 3}', '{"password":*** "size": 3}'),
        ('{\\"token\\": \\"secret\\", \\"size\\": 3}', '{\\"token\\":*** \\"size\\": 3}'),
        ('"secretKey": "secret"', '"secretKey":***'),
        ("fs.s3a.secret.key=secret fps=3", "fs.s3a.secret.key=*** fps=3"),
        ("tokens: ['secret']", "tokens:***"),
        ("token      =   secret", "token      =***"),
        ("Authorization: AWS key:secret", "Authorization:***"),
        ('Authorization: Digest username="u", response="secret"', "Authorization:***"),
        (
            "{'Authorization': b'Basic secret', 'Range': '0-'}",
            "{'Authorization':*** 'Range': '0-'}",
        ),
        ("Cookie: a=b; c=secret", "Cookie:***"),
        ("of http://me:pw secret@host/a: gone", "of http://host/a: gone"),
        ("of http://me:a/b secret@host/a: gone", "of http://host/a: gone"),
        ("get http://host/a?sig=a secret&x=1 failed", "get http://host/a failed"),
        ("SECRET_KEY is not set; set ACCESS_KEY too", "SECRET_KEY is not set; set ACCESS_KEY too"),
        ("no tokenizer.json: see docs", "no tokenizer.json: see docs"),
        ("two\nlines\r\x1b[2J", "two\\nlines\\r\\x1b[2J"),
    ],
)
def test_user_info_and_queries_are_removed(text, shown):
    assert redact_text(text) == shown
    assert redact_text(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "http://host:80/a.mp4: refused; copy s3://bucket/photo@2x/b.mp4",
        "'http://host:80' refused, as row 3 of 'photo@2x.mp4' was",
        "http://host/a.mp4: no such file; ask ops@example.com",
        "first pass: 3 of 4 frames; second pass: 7",
        "authorized: yes, author: me, bypass: 3, compass=4, passes: 2",
        "tokenizer.json: no such file, /tokens/a.mp4, /secret.d/a.mp4: gone",
        "'/secrets/token.json': no such file, '/secrets/password.txt': denied",
        "frame 3: pts 12.5, host=a.example.com, port=80, id: 00f7, key: a/b.mp4",
        "/data/dt=2024-01-01/part=3/a b=c.mp4 and d&e.mp4",
        "passing 3 videos: 4 frames, password must be set",
    ],
)
def test_ordinary_texts_stay_as_they_are(text):
    assert redact_text(text) == text


def test_a_traceback_keeps_its_lines():
    trace = 'Traceback:\n  File "a.py", line 1, in get\nOSError: http://me:pw@host/a\r\x85\u2028'
    shown = 'Traceback:\n  File "a.py", line 1, in get\nOSError: http://host/a\\r\\x85\\u2028'
    assert redact_text(trace, lines=True) == shown


@pytest.mark.parametrize(
    "sign", ["\n", "\r", "\t", "\0", "\x1b", "\x85", "\u2028", "\u202e", "\u2066", "\ud800"]
)
def test_a_character_that_acts_on_a_log_is_escaped(sign):
    escaped = sign.encode("unicode_escape").decode()
    assert redact_url(f"http://host/{sign}a.mp4") == f"http://host/{escaped}a.mp4"
    error = LimitError(f"said {sign} it", stage=f"open{sign}")
    assert str(error) == f"said {escaped} it"
    assert error.stage == f"open{escaped}"


def test_names_in_other_scripts_stay_as_they_are():
    name = "/視頻/勺　子 – é ñ ü видео नमस्ते 🥄.mp4"
    assert redact_url(name) == redact_text(name) == str(KeyframesError(name)) == name


def test_every_error_of_the_package_is_redacted():
    error = KeyframesError("it got 'http://me:secret@host/a.mp4?sig=secret'\nWARNING all is well")
    assert str(error) == "it got 'http://host/a.mp4\\nWARNING all is well"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


# Each takes the longer, the more often a part of a pattern can match from other starts.
_REPEATED = {
    "http://": ("@", "a@", "a:", "[", "%25", "a.", "?a=", "1."),
    "": (
        *("a", ":", "/", "// ", "://", "?a=", "a ", "token", "token=", "sig ", "eyJ", "eyJaaaaaa."),
        *("AKIA", "\n", "\u200b", "&#;=", "%3A%2F", "//u:x ", "):", "me:pw@"),
    ),
    "//": (" ", "\\"),
    "http://h/": (";", "@:", "?", "%40:"),
    "token='": ("'", "basic ", "\\", " "),
    "token": ("s", ".a", "_", " ", "\\", "key."),
    "Authorization: '": ("\\", "\\'", "'", " ", "Authorization:", "cookie='"),
    "http://me:": (" ", "a ", "//", "/ ", "\\", "\\ ", ":\\", "' ", "http://me:"),
    "?a=": (" ", "b ", "b & ", "&a=1 ", "?a=", "?a=b ", "\\"),
}


def _allowed(url):
    Access(allowed_hosts=("host",)).check_url(url)


@pytest.mark.parametrize("function", [redact_url, redact_text, host_of, scheme_of])
@pytest.mark.parametrize("start", _REPEATED)
def test_the_time_is_linear_in_the_length(function, start):
    """Four times the length takes about four times the CPU time of this thread, not sixteen."""

    def seconds(text):
        began = time.thread_time()
        function(text)
        return time.thread_time() - began

    for part in _REPEATED[start]:
        short, long = (start + part * (size // len(part)) + ":x" for size in (4_000, 16_000))
        least = min(seconds(short) for _ in range(3))
        most = min(seconds(long) for _ in range(3))
        assert most < 9 * least + 0.005, part


def test_a_url_of_the_longest_length_is_checked_at_once():
    url = "http://" + "@" * 8_000 + ":x"
    began = time.thread_time()
    for _ in range(10):
        with pytest.raises(KeyframesError):
            _allowed(url)
    assert time.thread_time() - began < 1


def test_brackets_around_what_is_no_address_hide_all():
    """Redacting it again gives the same: the end of the brackets may be hidden with a value."""
    shown = redact_url("http://[bad,X-Amz-Signature=JJJJJJJJJJ]")
    assert shown == redact_url(shown) == "http://***"
    for host in ("[::1]:1", "[fe80::1%eth-0]"):
        assert redact_url(f"http://{host}/a.mp4?x=1") == f"http://{host}/a.mp4"
