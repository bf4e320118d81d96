"""Makes captions, and tells which scenes a caption fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spark_keyframes.demo.drawing.backgrounds import PLACES
from spark_keyframes.demo.drawing.objects import KINDS
from spark_keyframes.demo.scene import Scene

SYNONYMS: dict[str, tuple[str, ...]] = {
    "cup": ("mug", "cup of coffee"),
    "pan": ("frying pan", "skillet"),
    "pot": ("cooking pot", "saucepan"),
    "bottle": ("glass bottle",),
    "clock": ("alarm clock",),
    "cake": ("birthday cake",),
    "flower": ("blossom",),
    "house": ("home", "building"),
    "car": ("automobile",),
    "boat": ("ship", "sailing boat"),
    "knife": ("kitchen knife",),
}
_COLOUR_WORDS = {"silver": ("silver", "grey", "metal"), "black": ("black", "dark")}
_PLURALS = {"knife": "knives", "fish": "fish"}

ABSENT: tuple[str, ...] = (
    *("dog", "cat", "bird", "horse", "cow", "elephant", "lion", "mouse", "rabbit", "snake"),
    *("person", "man", "woman", "child", "face", "hand", "people", "crowd", "player", "baby"),
    *("bicycle", "train", "bus", "airplane", "truck", "rocket", "road", "bridge", "street"),
    *("phone", "computer", "television", "camera", "keyboard", "book", "pen", "paper", "letter"),
    *("shoe", "hat", "shirt", "dress", "bag", "umbrella", "glove", "ring", "watch", "key"),
    *("chair", "sofa", "bed", "door", "window", "lamp", "mirror", "shelf", "candle", "box"),
    *("ball", "guitar", "piano", "drum", "kite", "doll", "game", "flag", "tent", "rope"),
    *("mountain", "river", "beach", "snow", "rain", "cloud", "moon", "star", "fire", "forest"),
    *("pizza", "bread", "cheese", "rice", "soup", "meat", "chicken", "salad", "onion", "potato"),
    *("orange juice", "milk", "water", "wine", "tea", "sugar", "salt", "butter", "chocolate"),
    *("hammer", "saw", "ladder", "bucket", "broom", "scissors", "needle", "screw", "nail"),
)
"""Things that are never drawn; their captions fit no picture."""

_OPENINGS = (
    *("{}", "{}", "{}", "{}", "a {}", "a {}", "the {}", "one {}", "this is a {}", "there is a {}"),
    *("a photo of a {}", "a picture of a {}", "a drawing of a {}", "an image of a {}"),
    *("a cartoon of a {}", "a close-up of a {}", "a video of a {}", "a frame with a {}"),
    *("a scene with a {}", "someone holds a {}", "look at the {}", "where is the {}?"),
    *("a photo of the {}", "a cartoon {}", "show me a {}", "a {} in the middle"),
)


@dataclass(frozen=True)
class Caption:
    """A text and its claims."""

    text: str
    object: str | None
    """name of the object; None: something that is never drawn"""
    colour: str | None = None
    place: str | None = None

    def fits(self, scene: Scene) -> bool:
        """Return whether all claims of the text are true in the scene."""
        return (
            self.object == scene.object
            and self.colour in (None, scene.colour)
            and self.place in (None, scene.place)
        )


def describe(scene: Scene, rng: np.random.Generator) -> Caption:
    """Return a caption with the scene's object, and sometimes its colour and place."""
    noun = scene.object
    if noun in SYNONYMS and rng.random() < 0.3:
        noun = _choose(rng, SYNONYMS[noun])
    colour = scene.colour if rng.random() < 0.4 else None
    place = scene.place if rng.random() < 0.35 else None
    if colour:
        words = _COLOUR_WORDS.get(colour, (colour,))
        if colour == "brown" and scene.object in ("spoon", "fork"):
            words = (colour, "wooden")
        noun = f"{_choose(rng, words)} {noun}"
    several = noun == scene.object and not colour and rng.random() < 0.1
    text = _PLURALS.get(noun, noun + "s") if several else _open(noun, rng)
    if place:
        text = f"{text} {PLACES[place].phrase}"
    return Caption(text, scene.object, colour, place)


def describe_absent(rng: np.random.Generator) -> Caption:
    """Return a caption of something that no scene shows."""
    return Caption(_open(_choose(rng, ABSENT), rng), None)


def vocabulary_texts() -> list[str]:
    """Return texts to train a tokenizer on; common words are frequent in them."""
    nouns = [*KINDS, *(n for names in SYNONYMS.values() for n in names), *_PLURALS.values()]
    colours = [
        "red orange yellow green blue purple pink brown white silver black grey metal wooden"
    ]
    phrases = [place.phrase for place in PLACES.values()]
    return [*nouns * 3, *(o.format("") for o in _OPENINGS), *colours * 3, *phrases * 2, *ABSENT]


def _open(noun: str, rng: np.random.Generator) -> str:
    text = _choose(rng, _OPENINGS).format(noun)
    return text.replace(" a " + noun, " an " + noun) if noun[0] in "aeiou" else text


def _choose(rng: np.random.Generator, choices: Sequence[str]) -> str:
    return choices[int(rng.integers(len(choices)))]
