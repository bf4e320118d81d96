"""Parameters as HTML: those that differ from their defaults, and the rest behind a line."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from spark_keyframes.fields import doc_of, spelled
from spark_keyframes.html.render import rendered
from spark_keyframes.redaction import redact_text


def settings_html(parameters: Any) -> str:
    """Return the parameters of a dataclass as HTML that brings its style.

    Args:
        parameters: an object of a dataclass whose fields have texts, see `documented`.
    """
    changed: list[tuple[str, str, str]] = []
    left: list[tuple[str, str, str]] = []
    for each in fields(parameters):
        value = getattr(parameters, each.name)
        row = (each.name, value_words(value), spelled(doc_of(each), str))
        (left if value == each.default else changed).append(row)
    return rendered(
        "settings.html",
        name=type(parameters).__name__,
        changed=changed,
        left=left,
    )


def value_words(value: Any) -> str:
    """Return a value without secrets: an object of the user's is only named by its class."""
    if isinstance(value, list | tuple):
        inside = ", ".join(map(value_words, value))
        return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' * (len(value) == 1)})"
    if value is None or isinstance(value, str | bool | int | float):
        return redact_text(repr(value))
    name = type(value).__name__
    if is_dataclass(value) and type(value).__module__.startswith("spark_keyframes."):
        return f"{name}({_arguments(_changed(value))})"
    return name


def _changed(value: Any) -> Mapping[str, Any]:
    return {
        each.name: getattr(value, each.name)
        for each in fields(value)
        if each.default is MISSING or getattr(value, each.name) != each.default
    }


def _arguments(values: Mapping[str, Any]) -> str:
    return ", ".join(redact_text(f"{name}={value_words(value)}") for name, value in values.items())
