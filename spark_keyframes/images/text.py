"""Type and colours of the contact sheet."""

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

# Pillow's own font has no Chinese, Japanese or Korean; these are where systems keep one that has.
_WIDE_FONTS = ("NotoSansCJK-Regular.ttc", "wqy-microhei.ttc", "PingFang.ttc", "msyh.ttc")
_WIDE_FROM = 0x2E80  # the first code point of the scripts that it lacks


@cache
def font(size: int, *, wide: bool = False) -> "ImageFont.FreeTypeFont":
    """Return the sheet's font at a size in pixels; `wide`: one with East Asian scripts."""
    from PIL import ImageFont

    for name in _WIDE_FONTS if wide else ():
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    found: Any = ImageFont.load_default(size)
    return found  # type: ignore[no-any-return]


def write(
    draw: "ImageDraw.ImageDraw",
    at: tuple[float, float],
    text: str,
    size: int,
    colour: Colour = INK,
    *,
    anchor: str = "ls",
    width: float | None = None,
) -> None:
    """Write one line; `anchor` as in Pillow; cut with an ellipsis at `width` pixels."""
    chosen = font(size, wide=_is_wide(text))
    text = " ".join(text.split())
    if width is not None and chosen.getlength(text) > width:
        while text and chosen.getlength(f"{text}…") > width:
            text = text[:-1]
        text = f"{text.rstrip()}…"
    draw.text(at, text, fill=colour, font=chosen, anchor=anchor)


def clock(seconds: float, *, tenths: bool = True) -> str:
    """Return a time as m:ss.s, or h:mm:ss.s from an hour on; without tenths as m:ss."""
    tens = round(seconds * 10)
    sign, tens = ("-", -tens) if tens < 0 else ("", tens)
    minutes, rest = divmod(tens, 600)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    tail = f"{rest // 10:02d}.{rest % 10}" if tenths else f"{rest // 10:02d}"
    return f"{sign}{head}:{tail}"


def _is_wide(characters: Iterable[str]) -> bool:
    return any(ord(character) >= _WIDE_FROM for character in characters)
