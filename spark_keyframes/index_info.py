"""How the index of a video was made. An index of another model is refused."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from spark_keyframes.errors import IndexMismatchError
from spark_keyframes.fields import doc_of


def _about(doc: str, **options: Any) -> Any:
    return field(metadata={"doc": doc}, **options)


@dataclass(frozen=True, kw_only=True)
class IndexInfo:
    """How the candidates of a video were made, and how long it is."""

    model: str = _about("`clip_model_name`, or the module that replaces CLIP, with its arguments.")
    revision: str | None = _about("A hash of the model's files, as in `made_by`.")
    preprocessing: str | None = _about("How frames were resized, cropped and scaled.")
    dimensions: int | None = _about(
        "The length of each embedding. Null without candidates.", default=None
    )
    fps: float = _about("As the parameter.")
    video_stream: int | None = _about("As the parameter.")
    start: float | None = _about(
        "Of the part that was indexed, in seconds. Null: the start.", default=None
    )
    end: float | None = _about(
        "Of the part that was indexed, in seconds. Null: the end.", default=None
    )
    duration: float | None = _about(
        "How long the video is, in seconds. Null if that is unknown.", default=None
    )
    version: str = _about("The version of spark_keyframes.")

    def cell(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)


_MODEL = ("model", "revision", "preprocessing", "dimensions")
_CANDIDATES = ("fps", "video_stream")


def check_info(found: dict[str, Any], asked: IndexInfo, *, candidates: bool) -> None:
    """Raise IndexMismatchError where an index was made in another way than is asked for.

    Args:
        found: `index_info` of a row.
        asked: how the sampler would make it.
        candidates: whether the candidates must be the same, and not only the model.
    """
    now = asked.cell()
    names = _MODEL + (_CANDIDATES if candidates else ())
    # Without candidates, an index has no dimensions.
    unknown = {"dimensions"} if None in (found.get("dimensions"), now["dimensions"]) else set()
    if different := [
        name for name in names if found.get(name) != now[name] and name not in unknown
    ]:
        parts = "; ".join(f"{name} {found.get(name)!r}, not {now[name]!r}" for name in different)
        advice = "use that model" if set(different) & set(_MODEL) else "use the same settings"
        raise IndexMismatchError(
            f"the index was made with {parts}; {advice}, or index the videos again"
        )


def damaged(how: str) -> IndexMismatchError:
    """Return the error of an index whose candidates cannot be used; `how` completes a sentence."""
    return IndexMismatchError(
        f"the index is damaged: a frame id, a timestamp or an embedding {how}; index the videos "
        "again"
    )


def index_info_columns() -> dict[str, tuple[str, str]]:
    """Return the fields as those of a struct: by name, the type in SQL and the text."""
    types: dict[Any, str] = {
        **dict.fromkeys((float, float | None), "double"),
        **dict.fromkeys((int, int | None), "int"),
    }
    return {each.name: (types.get(each.type, "string"), doc_of(each)) for each in fields(IndexInfo)}
