"""Figures that a part finds, their goals, and what all parts share."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

Goal = tuple[Literal["≥", "≤", "="], float]


@dataclass(frozen=True)
class Figure:
    """Something that was measured or checked."""

    name: str
    value: float | str
    unit: str = ""
    goal: Goal | None = None
    """None: there is none"""
    note: str = ""

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is met; None: there is none."""
        if self.goal is None:
            return None
        if isinstance(self.value, str):
            return False
        sign, bound = self.goal
        if sign == "=":
            return self.value == bound
        return self.value >= bound if sign == "≥" else self.value <= bound

    def row(self) -> str:
        """Return a line of the table."""
        shown = self.value if isinstance(self.value, str) else f"{self.value:,.4g}"
        met = {None: "", True: "met", False: "MISSED"}[self.is_met]
        goal = "" if self.goal is None else f"{self.goal[0]} {self.goal[1]:g}"
        line = f"{self.name:<58}{shown:>12} {self.unit:<10}{goal:>10} {met:<7}{self.note}"
        return line.rstrip()

    def as_json(self) -> dict[str, Any]:
        """Return all fields."""
        return asdict(self) | {"is_met": self.is_met}


@dataclass(frozen=True)
class Setting:
    """What all parts share."""

    device: torch.device
    cache: Path
    """folder of videos and models"""
    videos: Path
    """folder of real clips; where it is missing, drawn ones are used"""
    deadline: float
    """`time.monotonic()` at which no further measurement begins"""
    left_out: list[str] = field(default_factory=list)
    """what was not measured, because the time was over"""

    @property
    def on_gpu(self) -> bool:
        """Whether there is a card; without one, all is as small as possible."""
        return self.device.type == "cuda"

    def while_time(self, cases: Iterable[Any], what: str) -> Iterable[Any]:
        """Yield the cases that can still begin, and note the others."""
        for case in cases:
            if time.monotonic() < self.deadline:
                yield case
            else:
                self.left_out.append(f"{what}: {case}")

    def synchronize(self) -> None:
        """Wait for the card."""
        if self.on_gpu:
            torch.cuda.synchronize(self.device)
