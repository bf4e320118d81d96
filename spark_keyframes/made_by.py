"""What made a result: the text, the model, and the settings that decide which frames are chosen."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from spark_keyframes.fields import doc_of

__version__ = "0.1.0"
"""Of this package; pyproject.toml reads it here."""


def _about(doc: str) -> Any:
    return field(metadata={"doc": doc})


@dataclass(frozen=True)
class MadeBy:
    """What made the keyframes of a video."""

    text: str | None = _about(
        "The text that the frames were compared with. Null for several: their column has them."
    )
    model: str = _about(
        "`clip_model_name`, or the module that replaces CLIP, with its arguments; then `rerank`, "
        "if given."
    )
    revision: str | None = _about(
        "A hash of the model's files: weights, configuration and tokenizer. Of a module of your "
        "own, its attribute `revision`. With `rerank`, the hashes of both models."
    )
    fps: float = _about("As the parameter.")
    max_num_frames: int = _about("As the parameter.")
    selector: str = _about("The selector, with its arguments where they are not the defaults.")
    version: str = _about("The version of spark_keyframes.")

    def cell(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)


def joint_revision(first: str | None, second: str | None) -> str:
    """Return the revisions of two models as one."""
    return f"{first}, {second}"


def made_by_columns() -> dict[str, tuple[str, str]]:
    """Return the fields as those of a struct: by name, the type in SQL and the text."""
    types: dict[Any, str] = {float: "double", int: "bigint"}
    return {each.name: (types.get(each.type, "string"), doc_of(each)) for each in fields(MadeBy)}
