"""A callback that a job of the tests is given by import path."""

from pathlib import Path

from spark_keyframes import Callback


class Started(Callback):
    """Adds a line to a file for each video."""

    def __init__(self, file: str) -> None:
        self.file = file

    def on_video_start(self, source: str, text: str) -> None:
        with Path(self.file).open("a") as lines:
            lines.write(f"{source}\n")

    def params(self) -> dict[str, str]:
        return {"file": self.file}
