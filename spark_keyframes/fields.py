"""Dataclass fields that carry their documentation, so that each text is written once.

Command line, ML Params, docstrings and pages are made from these texts. A text names other
parameters in backticks; each reader gets them in its own spelling, see `spelled`.
"""

import re
from collections.abc import Callable
from dataclasses import Field, field
from typing import Any


def documented(default: Any, doc: str, **options: Any) -> Any:
    """Return a dataclass field with a text.

    Args:
        default: immutable, since all objects share it.
        doc: what the field means: one or more sentences, beginning with a capital.
        options: of `dataclasses.field`.
    """
    return field(default=default, metadata={"doc": doc}, **options)


def doc_of(documented_field: "Field[Any]") -> str:
    """Return the text of a field; "" where it has none."""
    text: str = documented_field.metadata.get("doc", "")
    return text


def spelled(text: str, spelling: Callable[[str], str]) -> str:
    """Return `text` with each parameter in backticks as `spelling` gives it, without backticks."""
    return re.sub(r"`([a-z][a-z0-9_]*)`", lambda found: spelling(found[1]), text)


def camel_case(name: str) -> str:
    """Return `max_num_frames` as `maxNumFrames`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
