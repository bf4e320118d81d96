"""Colours and text of the contact sheet."""

from bisect import bisect_right
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import ImageDraw, ImageFont

Colour = tuple[int, int, int]

PAPER: Colour = (250, 250, 249)
INK: Colour = (28, 32, 38)
MUTED: Colour = (107, 114, 128)
LINE: Colour = (229, 231, 235)
ACCENT: Colour = (13, 116, 110)
SHADE: Colour = (253, 236, 200)

# Pillow's own font has no Chinese, Japanese or Korean characters. Common systems have one of these.
_WIDE_FONTS = ("NotoSansCJK-Regular.ttc", "wqy-microhei.ttc", "PingFang.ttc", "msyh.ttc")
_WIDE_FROM = 0x2E80  # first code point of the East Asian scripts


@cache
def font(size: int, *, wide: bool = False) -> "ImageFont.FreeTypeFont":
    """Return the font at a size in pixels; with `wide`, one that has East Asian scripts."""
    from PIL import ImageFont

    for name in _WIDE_FONTS if wide else ():
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    found: Any = ImageFont.load_default(size)
    return found  # type: ignore[no-any-return]


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
    chosen = font(size, wide=_is_wide(text))
    text = " ".join(text.split())
    if width is not None and chosen.getlength(text) > width:
        # By halving: one character at a time takes seconds for a text of thousands.
        lengths = range(1, len(text) + 1)
        fits = bisect_right(lengths, width, key=lambda n: chosen.getlength(f"{text[:n]}…"))
        text = f"{text[:fits].rstrip()}…"
    draw.text(at, text, fill=colour, font=chosen, anchor=anchor)


def format_time(seconds: float, *, tenths: bool = True) -> str:
    """Return a time as m:ss.s, or as h:mm:ss.s from one hour on; without `tenths` as m:ss."""
    tens = round(seconds * 10)
    sign, tens = ("-", -tens) if tens < 0 else ("", tens)
    minutes, rest = divmod(tens, 600)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    tail = f"{rest // 10:02d}.{rest % 10}" if tenths else f"{rest // 10:02d}"
    return f"{sign}{head}:{tail}"


def _is_wide(characters: Iterable[str]) -> bool:
    return any(ord(character) >= _WIDE_FROM for character in characters)
