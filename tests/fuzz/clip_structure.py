"""The structure of a clip, which mutations change: its units, and the fields in them.

A layout is a function that parses one container format. It only gets valid clips, so it checks
nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["size", "count", "time", "picture", "flags"]


@dataclass(frozen=True)
class Unit:
    """A box, chunk, element, packet, page or NAL unit."""

    start: int
    body: int
    stop: int
    level: int = 0
    """Number of units that contain it."""


@dataclass(frozen=True)
class Field:
    """A number in a header: the bytes from `start` up to `stop`."""

    start: int
    stop: int
    kind: Kind
    order: Literal["big", "little"] = "big"


@dataclass
class Structure:
    """The units and fields of a clip."""

    units: list[Unit] = field(default_factory=list)
    fields: list[Field] = field(default_factory=list)

    def unit(self, start: int, body: int, stop: int, level: int = 0) -> None:
        """Add a unit: its content begins at `body`, it ends before `stop`."""
        self.units.append(Unit(start, body, stop, level))

    def big(self, kind: Kind, start: int, size: int) -> None:
        """Add a big-endian field of `size` bytes."""
        self.fields.append(Field(start, start + size, kind, "big"))

    def little(self, kind: Kind, start: int, size: int) -> None:
        """Add a little-endian field of `size` bytes."""
        self.fields.append(Field(start, start + size, kind, "little"))

    def of_kind(self, kind: Kind) -> list[Field]:
        """Return the fields of one kind."""
        return [field for field in self.fields if field.kind == kind]


Layout = Callable[[bytes, Structure], None]


def parse_structure(data: bytes, layout: str) -> Structure:
    """Return the structure of a clip. Without a parser, it has 32 units of equal size."""
    from tests.fuzz.box_formats import BOXES
    from tests.fuzz.packet_formats import PACKETS

    structure = Structure()
    walk = (BOXES | PACKETS).get(layout)
    if walk is not None:
        walk(data, structure)
    else:
        step = len(data) // 32 + 1
        for start in range(0, len(data), step):
            structure.unit(start, start, min(start + step, len(data)))
    structure.fields = [field for field in structure.fields if field.stop <= len(data)]
    return structure
