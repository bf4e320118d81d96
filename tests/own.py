"""A module, a selector and a callback of a user's own, in an importable place."""

from dataclasses import asdict, dataclass

from spark_keyframes import Callback, KeyframesModule, Selector


@dataclass(frozen=True)
class Brightness(KeyframesModule):
    """Scores each frame by its mean brightness, in a picture of `size` pixels at most."""

    size: int = 1000

    def preprocess(self, rgb):
        return rgb[: self.size, : self.size].mean()

    def predict_step(self, inputs, texts):
        return inputs

    def params(self):
        return asdict(self)


@dataclass(frozen=True)
class Last(Selector):
    """The last candidates."""

    def select(self, scores, k):
        return range(max(0, len(scores) - k), len(scores))

    def params(self):
        return {}


@dataclass(frozen=True)
class Refuse(Callback):
    """Fails videos whose name holds a word."""

    word: str = "nothing"

    def on_video_start(self, source, text):
        if self.word in source:
            raise ValueError(f"no {self.word} here")

    def params(self):
        return {"word": self.word}
