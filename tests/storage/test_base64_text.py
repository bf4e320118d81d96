"""base64 is taken in the forms in which programs hand it on; errors name a place, not the text."""

import base64
import json
import textwrap
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_keyframes.errors import InvalidBase64Error
from spark_keyframes.storage.base64_text import decode_base64

DATA = bytes(range(256)) * 3 + b"?>"
TEXT = base64.b64encode(DATA).decode()
SAFE = base64.urlsafe_b64encode(DATA).decode()

ENCODED = [
    lambda data: base64.b64encode(data).decode(),
    lambda data: base64.urlsafe_b64encode(data).decode(),
    lambda data: base64.encodebytes(data).decode(),
]
UNPADDED = [lambda text: text, lambda text: text.rstrip("=")]
LINES = [
    lambda text: text,
    lambda text: "\n".join(textwrap.wrap(text, 76)) + "\n",
    lambda text: "  " + "\r\n\t".join(textwrap.wrap(text, 64)),
]
WRAPPED = [
    lambda text: text,
    lambda text: text.encode(),
    lambda text: repr(text.encode()),
    json.dumps,
    lambda text: json.dumps(text).replace("/", r"\/"),
    lambda text: quote(text, safe=""),
    lambda text: quote(text).replace("%2B", "%2b"),
    lambda text: f"data:video/mp4;base64,{text}",
    lambda text: f"data:video/mp4;codecs=avc1;base64,{quote(text, safe='')}",
    lambda text: f"\n 'DATA:;base64,{text.strip()}' ",
]
forms = st.tuples(*map(st.sampled_from, (ENCODED, UNPADDED, LINES)))


@given(st.binary(max_size=99), forms, st.sampled_from(WRAPPED))
def test_every_form_gives_the_bytes(data, form, wrapped):
    text = data
    for step in (*form, wrapped):
        text = step(text)
    assert decode_base64(text) == data


@given(st.integers(0, len(TEXT) - 3), st.sampled_from("!#$&*.:;<>?@^`{|}~\x00\x1b€ä\ufeff"), forms)
def test_the_place_of_the_first_wrong_character_is_shown_and_nothing_else(place, wrong, form):
    text = DATA
    for step in form:
        text = step(text)
    wrongly = f"{text[:place]}{wrong}{text[place:]}"
    with pytest.raises(InvalidBase64Error) as caught:
        decode_base64(f"{wrongly}!")
    message = str(caught.value)
    assert f"character {wrong!a} is not of its alphabet, at position {place:,} of" in message
    assert not any(text[at : at + 8] in message for at in range(len(text) - 8))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("QUJD+-AA", "the standard and the URL-safe alphabet are mixed, at position 5 of 8"),
        ("QUJD%5FAA%2F", "alphabet are mixed, at position 9 of 12"),
        ("QUJD+QU/ RA", r"a blank may have been a '\+', at position 8 of 11"),
        ("QUJDR", "something is missing, at position 5 of 5"),
        ("QUJDR===", "character '=' is not of its alphabet, at position 7 of 8"),
        ("QUJD%zz", "character '%' is not of its alphabet, at position 4 of 7"),
        ("QUJD%41", "character '%' is not of its alphabet, at position 4 of 7"),
        (r"QUJD\x41", r"character '\\\\' is not of its alphabet, at position 4"),
        ("QU=JD", "character 'J' is not of its alphabet, at position 3 of 5"),
        ("data:video/mp4,abc", "data URL without base64"),
        ("b'QUJD", 'character "\'" is not of its alphabet, at position 1 of 6'),
        ("/videos/my film.mp4", "character '.' is not of its alphabet, at position 15"),
    ],
)
def test_what_could_mean_several_things_is_refused(value, reason):
    with pytest.raises(InvalidBase64Error, match=reason):
        decode_base64(value)


def test_blanks_between_digits_are_still_taken_where_the_padding_is_right():
    assert decode_base64("QUJD QUJD") == b"ABCABC"
    assert decode_base64(" QU\tJD\vRA = =") == b"ABCD"
