"""Where the parts of a clip lie: what mutations cut, swap and lie about.

A layout is a function that walks the bytes of one container format and notes down its units and
the fields in them. It only ever sees clips that are whole, so it may trust them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["size", "count", "time", "picture"]


@dataclass(frozen=True)
class Unit:
    """A box, chunk, element, packet, page or NAL unit: bytes start…stop, its content from body."""

    start: int
    body: int
    stop: int
    level: int = 0
    """How many units it lies in."""


@dataclass(frozen=True)
class Field:
    """A number in the header of something: bytes start…stop."""

    start: int
    stop: int
    kind: Kind
    order: Literal["big", "little"] = "big"


@dataclass
class Structure:
    """What is known of a clip."""

    units: list[Unit] = field(default_factory=list)
    fields: list[Field] = field(default_factory=list)

    def unit(self, start: int, body: int, stop: int, level: int = 0) -> None:
        """Note down a unit."""
        self.units.append(Unit(start, body, stop, level))

    def big(self, kind: Kind, start: int, size: int) -> None:
        """Note down a field of `size` bytes, the highest first."""
        self.fields.append(Field(start, start + size, kind, "big"))

    def little(self, kind: Kind, start: int, size: int) -> None:
        """Note down a field of `size` bytes, the lowest first."""
        self.fields.append(Field(start, start + size, kind, "little"))

    def of_kind(self, kind: Kind) -> list[Field]:
        """The fields of one kind."""
        return [field for field in self.fields if field.kind == kind]


Layout = Callable[[bytes, Structure], None]


def dissect(data: bytes, layout: str) -> Structure:
    """The structure of a clip; one without units of its own is cut into 32 of the same size."""
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
