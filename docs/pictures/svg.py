"""A small SVG writer, whose colours follow the reader's light or dark theme."""

from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

# Of each name: on white, and on a dark page. The first colours are Okabe and Ito's, which
# colour-blind people can tell apart.
_COLOURS = {
    "accent": ("#d55e00", "#f58a3c"),
    "blue": ("#0072b2", "#56b4e9"),
    "green": ("#00805f", "#35c49a"),
    "ink": ("#1c1f24", "#e8eaed"),
    "muted": ("#596270", "#a7b0bd"),
    "line": ("#d4d8de", "#444c57"),
    "shade": ("#dff1e9", "#1d3b31"),
    "box": ("#f1f3f6", "#262c34"),
    "soft": ("#b9d6ea", "#2f6a92"),
    "paper": ("#ffffff", "#16191d"),
}
_ON_ACCENT = ("#ffffff", "#16191d")


class Svg:
    """Collects shapes; `str()` is the picture."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self._size = width, height
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
            'font-family="sans-serif" font-size="13">',
            f"<title>{escape(title)}</title>",
            f"<style>{_style()}</style>",
            f'<rect width="{width}" height="{height}" class="f-paper"/>',
        ]

    def __str__(self) -> str:
        return "\n".join([*self._parts, "</svg>"]) + "\n"

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        colour: str = "ink",
        anchor: str = "start",
        size: int = 13,
        bold: bool = False,
    ) -> None:
        """Write a line of text whose base line is at y."""
        more = "" if anchor == "start" else f' text-anchor="{anchor}"'
        more += "" if size == 13 else f' font-size="{size}"'
        more += ' font-weight="bold"' if bold else ""
        self._parts.append(
            f'<text x="{_n(x)}" y="{_n(y)}" class="f-{colour}"{more}>{escape(text)}</text>'
        )

    def rect(
        self, x: float, y: float, width: float, height: float, fill: str, *, edge: str = ""
    ) -> None:
        """Draw a rectangle, with round corners where it has an edge."""
        more = f' rx="4" stroke-width="1.2" class="f-{fill} s-{edge}"' if edge else ""
        more = more or f' class="f-{fill}"'
        at = f'x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}"'
        self._parts.append(f"<rect {at}{more}/>")

    def rects(self, boxes: Iterable[tuple[float, float, float, float]], fill: str) -> None:
        """Draw many rectangles (x, y, width, height) of one colour."""
        path = "".join(f"M{_n(x)} {_n(y)}h{_n(w)}v{_n(h)}h-{_n(w)}z" for x, y, w, h in boxes)
        if path:
            self._parts.append(f'<path d="{path}" class="f-{fill}"/>')

    def line(
        self,
        points: Sequence[tuple[float, float]],
        colour: str = "line",
        *,
        width: float = 1,
        dashed: bool = False,
        arrow: bool = False,
    ) -> None:
        """Draw a line through points, with an arrow head at its end if asked for."""
        more = ' stroke-dasharray="4 3"' if dashed else ""
        path = " ".join(f"{_n(x)},{_n(y)}" for x, y in points)
        self._parts.append(
            f'<polyline points="{path}" class="s-{colour} n" stroke-width="{width:g}"{more}/>'
        )
        if arrow:
            self._head(points[-2], points[-1], colour)

    def dot(self, x: float, y: float, radius: float, fill: str = "accent") -> None:
        """Draw a disc with a thin edge of the page's colour."""
        self._parts.append(
            f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}" class="f-{fill} s-paper"/>'
        )

    def number(self, x: float, y: float, number: int | str) -> None:
        """Draw a number in a disc."""
        self._parts.append(f'<circle cx="{_n(x)}" cy="{_n(y)}" r="10" class="f-accent"/>')
        self.text(x, y + 4.5, str(number), colour="on", anchor="middle", bold=True)

    def triangle(self, x: float, y: float, fill: str = "accent") -> None:
        """Draw a small triangle that points up to (x, y)."""
        self._parts.append(f'<path d="M{_n(x)} {_n(y)}l-4 7h8z" class="f-{fill}"/>')

    def _head(self, before: tuple[float, float], end: tuple[float, float], colour: str) -> None:
        (x0, y0), (x, y) = before, end
        dx, dy = (x > x0) - (x < x0), (y > y0) - (y < y0)  # lines run along the axes
        left = x - 8 * dx - 4 * dy, y - 8 * dy - 4 * dx
        right = x - 8 * dx + 4 * dy, y - 8 * dy + 4 * dx
        corners = " ".join(f"{_n(a)},{_n(b)}" for a, b in (end, left, right))
        self._parts.append(f'<polygon points="{corners}" class="f-{colour}"/>')


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _style() -> str:
    def rules(theme: int) -> str:
        return "".join(
            f".f-{name}{{fill:{pair[theme]}}}.s-{name}{{stroke:{pair[theme]}}}"
            for name, pair in {**_COLOURS, "on": _ON_ACCENT}.items()
        )

    return f"{rules(0)}.n{{fill:none}}@media (prefers-color-scheme:dark){{{rules(1)}}}"
