"""Colours and text of the contact sheet."""

import io
import itertools
import logging
from bisect import bisect_right
from functools import cache, lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import ImageDraw, ImageFont

logger = logging.getLogger("spark_keyframes")

Colour = tuple[int, int, int]

PAPER: Colour = (250, 250, 249)
INK: Colour = (28, 32, 38)
MUTED: Colour = (107, 114, 128)
LINE: Colour = (229, 231, 235)
ACCENT: Colour = (13, 116, 110)
SHADE: Colour = (253, 236, 200)

# A character is drawn in the first font that has it. Pillow's own font has little more than ASCII,
# those of the package have the rest of Latin, Greek, Cyrillic and Chinese, and the system's, which
# Pillow finds by name, may have others.
_PILLOW = "Pillow"
_OWN = ("dejavu-sans.ttf", "droid-sans-fallback.ttf")
_SYSTEM = (
    *("NotoSansCJK-Regular.ttc", "DroidSansFallbackFull.ttf", "wqy-microhei.ttc"),
    *("PingFang.ttc", "AppleSDGothicNeo.ttc", "Arial Unicode.ttf", "msyh.ttc", "malgun.ttf"),
    *("DejaVuSans.ttf", "NotoSans-Regular.ttf", "FreeSans.ttf"),
)
_NO_CHARACTER = "\uffff"  # Unicode says that it never is one, so no font has it
_ELLIPSIS = "…"
_LONGEST = 1000  # characters of a line that are looked at


def draw_text(
    draw: "ImageDraw.ImageDraw",
    at: tuple[float, float],
    text: str,
    size: int,
    colour: Colour = INK,
    *,
    anchor: str = "ls",
    width: float | None = None,
) -> None:
    """Draw one line of text, cut with an ellipsis at `width` pixels; `anchor` is Pillow's."""
    text = " ".join(text.split())
    if width is not None:
        text = cut_text(text, size, width)
    x, y = at
    x -= text_width(text, size) * {"l": 0, "m": 0.5, "r": 1}[anchor[0]]
    y += _baseline(size, anchor[1])
    for name, run in _runs(text):
        font = _font(name, size)
        draw.text((x, y), run, fill=colour, font=font, anchor="ls")
        x += font.getlength(run)


@cache
def _baseline(size: int, anchor: str) -> float:
    """Return how far the baseline, which all fonts share, is below what Pillow's anchor means."""
    ordinary = _font(_PILLOW, size)
    tops = (ordinary.getbbox("0", anchor=f"l{kind}")[1] for kind in (anchor, "s"))
    return next(tops) - next(tops)


def text_width(text: str, size: int) -> float:
    """Return how wide a line of text is, in pixels."""
    return sum(_font(name, size).getlength(run) for name, run in _runs(text))


def cut_text(text: str, size: int, width: float, *, keep: str = "start") -> str:
    """Return the text, or as much of its start or end, with an ellipsis, as fits into `width`."""
    if len(text) <= _LONGEST and text_width(text, size) <= width:
        return text

    def cut(count: int) -> str:
        if keep == "end":
            return f"{_ELLIPSIS}{text[len(text) - count :].lstrip()}"
        return f"{text[:count].rstrip()}{_ELLIPSIS}"

    # By halving: one character at a time takes seconds for a text of thousands.
    counts = range(1, min(len(text), _LONGEST) + 1)
    return cut(bisect_right(counts, width, key=lambda count: text_width(cut(count), size)))


def format_time(seconds: float, *, tenths: bool = True) -> str:
    """Return a time as m:ss.s, or as h:mm:ss.s from one hour on; without `tenths` as m:ss."""
    tens = round(seconds * 10)
    sign, tens = ("−", -tens) if tens < 0 else ("", tens)
    minutes, rest = divmod(tens, 600)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    tail = f"{rest // 10:02d}.{rest % 10}" if tenths else f"{rest // 10:02d}"
    return f"{sign}{head}:{tail}"


def format_score(score: float, decimals: int = 3) -> str:
    """Return a score with a minus sign where it is below 0, and not the shorter hyphen."""
    return f"{score:.{decimals}f}".replace("-", "−")


def _runs(text: str) -> "Iterator[tuple[str, str]]":
    """Yield the text in parts, each with the font that has its characters."""
    for name, part in itertools.groupby(text, _font_of):
        yield name, "".join(part)


@lru_cache(maxsize=10_000)
def _font_of(character: str) -> str:
    """Return the name of the first font that has a character; Pillow's where none has it."""
    if character.isspace():
        return _PILLOW
    for name in (_PILLOW, *_OWN, *_SYSTEM):
        if (font := _found(name)) and _glyph(font, character) != _glyph(font, _NO_CHARACTER):
            return name
    logger.warning(
        "no font here has %r (U+%04X), so that the contact sheet shows a box; install one, such "
        "as Noto Sans CJK (fonts-noto-cjk)",
        character,
        ord(character),
    )
    return _PILLOW


def _glyph(font: "ImageFont.FreeTypeFont", character: str) -> tuple[Any, bytes]:
    mask = font.getmask(character)
    return mask.size, bytes(mask)


@cache
def _found(name: str) -> "ImageFont.FreeTypeFont | None":
    """Return the font of this name in any size, or None where there is none."""
    try:
        return _font(name, 16)
    except OSError:
        return None


@cache
def _font(name: str, size: int) -> "ImageFont.FreeTypeFont":
    """Return a font at a size in pixels; OSError where there is none of this name."""
    from PIL import ImageFont

    if name == _PILLOW:
        ordinary: Any = ImageFont.load_default(size)
        return ordinary  # type: ignore[no-any-return]
    if name in _OWN:
        # Read, not opened by its path: the package may be in a zip.
        data = resources.files("spark_keyframes.images").joinpath("fonts", name).read_bytes()
        return ImageFont.truetype(io.BytesIO(data), size)
    return ImageFont.truetype(name, size)
