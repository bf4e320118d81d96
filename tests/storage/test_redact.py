"""Of a URL in other people's messages, only what may be seen."""

import pytest

from spark_keyframes.urls import redact_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no URL: 5 / 3 is 1?", "no URL: 5 / 3 is 1?"),
        ("get http://me:pw@host/a.mp4?X-Tos-Signature=1 failed", "get http://host/a.mp4 failed"),
        ("'http://host/a.mp4?sig=1': gone", "'http://host/a.mp4 gone"),
        ("exceeded with url: /a.mp4?X-Tos-Signature=1 (x)", "exceeded with url: /a.mp4 (x)"),
        ("tos://bucket/key; check it", "tos://bucket/key; check it"),
        ("http://me:p/w@host/a", "http://***"),
    ],
)
def test_user_info_and_queries_are_left_out(text, shown):
    assert redact_text(text) == shown
