"""What the doctor was asked to look at, beside this machine."""

import json
from dataclasses import asdict, dataclass
from typing import Self


@dataclass(frozen=True, kw_only=True)
class Options:
    """The arguments of `check`, as far as checks need them. It crosses process borders as JSON."""

    model_path: str | None = None
    """As the parameter of the sampler; None: no model of the user's is looked at."""
    clip_model_name: str = "openai/clip-vit-base-patch32"
    """As the parameter of the sampler."""
    write: str = ""
    """URL or path of a folder, in which one object is written, read and removed; empty: none."""
    only: tuple[str, ...] = ()
    """Modules of the checks to run; empty: all."""
    in_task: bool = False
    """Whether the checks run in a task of Spark."""
    assigned_gpus: tuple[str, ...] = ()
    """Addresses of the GPUs that Spark assigned to the task."""

    def to_json(self) -> str:
        """Return the options as one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the options of `to_json`."""
        fields = json.loads(text)
        tuples = {name: tuple(fields[name]) for name in ("only", "assigned_gpus")}
        return cls(**{**fields, **tuples})
