"""A module of a user's own that leaves a file for each of its setups."""

import os
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from tests.own import Brightness


@dataclass(frozen=True)
class Counted(Brightness):
    folder: str = ""

    def setup(self, device):
        import torch

        text = f"{os.getpid()} {device} {torch.get_num_threads()}"
        (Path(self.folder) / uuid4().hex).write_text(text)
