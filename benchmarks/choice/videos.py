"""Plans videos whose events are known: their shots, and where each question has its answer.

A question asks for an object of one colour. An event is a shot that shows it. Look-alikes show the
same object in another colour, or another object in the same colour. The objects of a video are
large or small: the tiny CLIP sees large ones clearly, and takes small ones for others.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from spark_keyframes.demo.drawing.objects import KINDS as OBJECTS
from spark_keyframes.demo.scene import Scene, random_scene

SPANS = {"large": (0.4, 0.82), "small": (0.2, 0.5)}
"""Smallest and largest object, as a share of the view's height: large in even draws."""
LOOKALIKES = 0.3
"""The share of the shots without an event that show a look-alike."""
EVENTS = {"one": 1, "two": 2, "many": 8, "close": 8}
"""The number of events of each question, by its name; those of "close" lie in 12 shots in a row."""
_CLOSE = 12


@dataclass(frozen=True)
class Question:
    """What is asked of a video, and where it shows it."""

    name: str
    text: str
    events: tuple[tuple[float, float], ...]
    """Start and end of each event, in seconds."""


@dataclass(frozen=True)
class Video:
    """The plan of a video."""

    scenes: list[Scene]
    """The shots, one after the other. A scene that comes back has the same seed as before."""
    questions: list[Question]
    fps: float
    """Candidates per second."""
    size: str
    """Of the objects; see SPANS."""

    @property
    def times(self) -> list[float]:
        """The candidates' times, in seconds."""
        return [i / self.fps for i in range(round(self.scenes[-1].end * self.fps))]

    def shot_at(self, seconds: float) -> int:
        """Return the number of the shot at a moment before the end."""
        return bisect_right([scene.start for scene in self.scenes], seconds) - 1


@dataclass(frozen=True)
class Kind:
    """A kind of video."""

    name: str
    minutes: int
    fps: float
    """Candidates per second."""
    shots: Callable[[np.random.Generator, float], Iterator[Shot]]


@dataclass(frozen=True)
class Shot:
    """The length of a shot; with a home, the camera stands still."""

    seconds: float
    home: int | None = None
    """Shots with the same number show the same picture."""


def plan(kind: Kind, seed: int, draw: int) -> Video:
    """Return the plan of draw number `draw`; equal arguments give equal plans."""
    rng = np.random.default_rng([seed, list(KINDS).index(kind.name), draw])
    shots = list(kind.shots(rng, 60 * kind.minutes))
    size = list(SPANS)[draw % len(SPANS)]
    wanted = _wanted(rng)
    places = _event_places(rng, [i for i, shot in enumerate(shots) if shot.home is None])
    asked = {place: name for name, of_name in places.items() for place in of_name}
    homes: dict[int, Scene] = {}
    scenes: list[Scene] = []
    start = 0.0
    for number, shot in enumerate(shots):
        if number in asked:
            scene = _scene(rng, size, *wanted[asked[number]])
        elif shot.home is None:
            scene = _other_scene(rng, size, wanted)
        elif shot.home in homes:
            scene = homes[shot.home]
        else:
            scene = _other_scene(rng, size, wanted)
            scene = homes[shot.home] = replace(scene, last=scene.first)
        end = start + shot.seconds
        scenes.append(replace(scene, start=start, end=end))
        start = end
    return Video(
        scenes=scenes,
        questions=[
            Question(
                name,
                f"a {wanted[name][1]} {wanted[name][0]}",
                tuple((scenes[i].start, scenes[i].end) for i in sorted(places[name])),
            )
            for name in EVENTS
        ],
        fps=kind.fps,
        size=size,
    )


def _wanted(rng: np.random.Generator) -> dict[str, tuple[str, str]]:
    """Return the object and the colour of each question, all objects different."""
    objects = [str(name) for name in rng.choice(list(OBJECTS), len(EVENTS), replace=False)]
    return {
        question: (name, str(rng.choice(sorted(set(OBJECTS[name].colours)))))
        for question, name in zip(EVENTS, objects, strict=True)
    }


def _event_places(rng: np.random.Generator, free: list[int]) -> dict[str, list[int]]:
    """Return which of the shots are the events of each question."""
    first = int(rng.integers(len(free) - _CLOSE + 1))
    around = free[first : first + _CLOSE]
    places = {"close": rng.choice(around, EVENTS["close"], replace=False).tolist()}
    others = [place for place in free if place not in places["close"]]
    chosen = iter(rng.permutation(others).tolist())
    return places | {
        name: [next(chosen) for _ in range(count)]
        for name, count in EVENTS.items()
        if name != "close"
    }


def _scene(rng: np.random.Generator, size: str, name: str | None, colour: str | None) -> Scene:
    span = float(rng.uniform(*SPANS[size]))
    return replace(random_scene(rng, name, colour=colour), span=span)


def _other_scene(rng: np.random.Generator, size: str, wanted: dict[str, tuple[str, str]]) -> Scene:
    """Return a scene that no question asks for, perhaps a look-alike of what one does."""
    while True:
        name, colour = None, None
        if rng.random() < LOOKALIKES:
            name, colour = wanted[str(rng.choice(list(wanted)))]
            if rng.random() < 0.5:
                colour = None
            else:
                having = [n for n, kind in OBJECTS.items() if colour in kind.colours]
                name = str(rng.choice(having))
        scene = _scene(rng, size, name, colour)
        if (scene.object, scene.colour) not in wanted.values():
            return scene


def _cuts(rng: np.random.Generator, seconds: float, least: float = 3) -> Iterator[Shot]:
    """Shots of up to 20 seconds, the most of them 4 to 10."""
    while seconds > 0:
        length = float(np.clip(rng.lognormal(np.log(7), 0.6), least, 20))
        length = seconds if seconds - length < least else length
        yield Shot(length)
        seconds -= length


def _static(rng: np.random.Generator, seconds: float) -> Iterator[Shot]:
    """Two still pictures, 20 to 90 seconds at a time, with 2 to 6 short shots between."""
    while seconds > 0:
        length = min(float(rng.uniform(20, 90)), seconds)
        yield Shot(length, home=int(rng.integers(2)))
        seconds -= length
        for _ in range(int(rng.integers(2, 7))):
            if seconds > 20:
                length = float(rng.uniform(3, 8))
                yield Shot(length)
                seconds -= length


def _film(rng: np.random.Generator, seconds: float) -> Iterator[Shot]:
    """Two to five minutes of cuts, then a still picture for one to five minutes, and so on.

    No shot is shorter than 5 seconds, so that each has a candidate.
    """
    home = 0
    while seconds > 0:
        length = min(float(rng.uniform(120, 300)), seconds)
        yield from _cuts(rng, length, least=5)
        seconds -= length
        if seconds > 0:
            length = min(float(rng.uniform(60, 300)), seconds)
            yield Shot(length, home)
            seconds -= length
        home += 1


KINDS = {
    kind.name: kind
    for kind in (
        Kind("5 minutes of cuts", 5, 1.0, _cuts),
        Kind("20 minutes of cuts", 20, 0.5, _cuts),
        Kind("20 minutes, mostly still", 20, 0.5, _static),
        Kind("2 hours of both", 120, 0.25, _film),
    )
}
