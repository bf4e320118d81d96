"""The command line of a job, made from the dataclass of its options."""

import argparse
import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, NoReturn, TypeVar, Union, get_args, get_origin

from spark_keyframes.checks import SIZE_UNITS, size_in_bytes
from spark_keyframes.errors import ParameterError
from spark_keyframes.fields import doc_of, spelled
from spark_keyframes.jobs.failure_limit import MaxFailures
from spark_keyframes.jobs.options import GROUPS, INPUT, JobOptions
from spark_keyframes.jobs.user_objects import ARGUMENTS, load_objects
from spark_keyframes.redaction import redact_text

_TITLES = {
    "sampler": "the parameters of the operator",
    "limits": "the most that one video may take before it fails",
    "access": "which URLs may be read, where strangers can add to the list",
}
"""Of the group of options for each field that is a dataclass itself."""

_SPECIAL: dict[str, dict[str, Any]] = {
    "text": {"metavar": "TEXT", "action": "append"},
    "module": {"metavar": "PACKAGE:CLASS"},
    "selector": {"metavar": "NAME|PACKAGE:CLASS"},
    "callbacks": {"metavar": "PACKAGE:CLASS", "nargs": "+"},
}
"""For argparse: `text`, which may be repeated, and what may be import paths of objects."""
_ARGUMENTS_HELP = {
    "module": "Its keyword arguments, such as '{\"size\": 72}'.",
    "selector": "Its keyword arguments, such as '{\"n\": 4}'.",
    "callbacks": 'A list with the keyword arguments of each, such as \'[{}, {"folder": "x"}]\'.',
}

_UNKNOWN = "unrecognized arguments: "

_Options = TypeVar("_Options", bound=JobOptions)


def parse(
    options: type[_Options],
    arguments: Sequence[str] | None = None,
    *,
    program: str,
    description: str,
    example: str,
) -> _Options:
    """Return the options given on the command line; exit with 2 and one line where they are wrong.

    Args:
        options: the dataclass to make. Each of its fields is an option, and so is each field of
            the dataclasses that it holds.
        arguments: without the program's name; None: those of this process.
        program: name of the program, for messages.
        description: what it does.
        example: a command.
    """
    parser = _Parser(
        prog=program,
        description=description,
        epilog=f"example: {example}",
        argument_default=argparse.SUPPRESS,  # what is not given keeps the dataclass's default
    )
    groups = {title: parser.add_argument_group(title) for title in GROUPS}
    for title, field in sorted(_fields(options), key=lambda entry: entry[0] != INPUT):
        if title not in groups:
            groups[title] = parser.add_argument_group(title)
        kind = _SPECIAL.get(field.name) or _argument_type(field)
        groups[title].add_argument(_flag(field.name), help=_help(field, options), **kind)
        if field.name in ARGUMENTS:
            flag = _flag(ARGUMENTS[field.name])
            groups[title].add_argument(
                flag, type=_json, metavar="JSON", help=_ARGUMENTS_HELP[field.name]
            )
    given = vars(parser.parse_args(arguments))
    texts = given.get("text", ())
    given |= {"text": texts[0]} if len(texts) == 1 else {"texts": tuple(texts)}
    if len(texts) > 1:
        del given["text"]
    try:
        objects, sources = load_objects(given)
        return options(**_values(options, given | objects), imports=sources)
    except ParameterError as error:
        parser.error(with_flags(str(error), options))


class _Parser(argparse.ArgumentParser):
    """Prints one line for a wrong option, without the usage of all."""

    def error(self, message: str) -> NoReturn:
        """Print the message and a hint, and exit with 2."""
        # Redacted, because argparse quotes the arguments that it refuses.
        text = redact_text(" ".join(message.split()) + self._hint(message))
        self.exit(2, f"{self.prog}: error: {text}; see --help\n")

    def _hint(self, message: str) -> str:
        if not message.startswith(_UNKNOWN):
            return ""
        unknown = message.removeprefix(_UNKNOWN).split()[0]
        if not unknown.startswith("-"):
            return "; quote a pattern, so that the shell does not expand it: 'videos/*.mp4'"
        close = difflib.get_close_matches(unknown.partition("=")[0], self._option_string_actions)
        return f"; did you mean {close[0]}?" if close else ""


def with_flags(text: str, options: type) -> str:
    """Return a text in which each option's `name`, in backticks, became its --name."""
    names = {field.name for _, field in _fields(options)} | set(ARGUMENTS.values())
    return spelled(text, lambda name: _flag(name) if name in names else name)


def size(text: str) -> int:
    """Return the bytes of "8589934592", "8G" or "512M"; units are powers of 1024."""
    try:
        return size_in_bytes(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _fields(owner: type, title: str = "") -> Iterator[tuple[str, Field[Any]]]:
    """Yield the fields that are options, with the title of their group, nested ones last."""
    nested = _nested(owner)
    own = [field for field in fields(owner) if field.init and field.name not in nested]
    for field in own:
        if group := field.metadata.get("group", title):
            yield group, field
    names = {field.name for field in own} | set(getattr(owner, "not_offered", ()))
    for name, part in nested.items():
        yield from (each for each in _fields(part, _TITLES[name]) if each[1].name not in names)


def _nested(owner: type) -> dict[str, type]:
    """Return the fields that are dataclasses themselves."""
    types = {field.name: field.type for field in fields(owner)}
    return {name: kind for name, kind in types.items() if is_dataclass(kind)}  # type: ignore[misc]


def _values(owner: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a dataclass's fields, as far as they were given."""
    plain = {f.name: _value(f, given[f.name]) for f in fields(owner) if f.name in given}
    # An option of the job hides the operator's parameter of the same name: `min_gap` of a search.
    rest = {name: value for name, value in given.items() if name not in plain}
    nested = {name: part(**_values(part, rest)) for name, part in _nested(owner).items()}
    return plain | nested


def _value(field: Field[Any], given: Any) -> Any:
    """Return the value for a field, from what argparse made of it."""
    kind = _kind(field)
    if kind is MaxFailures:
        return MaxFailures.parse(given)
    if isinstance(given, list):
        return dict(given) if get_origin(kind) is Mapping else tuple(given)
    return given


def _kind(field: Field[Any]) -> Any:
    """Return the type of a field, without the None of an option that may be left out."""
    if get_origin(field.type) in (Union, UnionType):
        return next(kind for kind in get_args(field.type) if kind is not NoneType)
    return field.type


def _argument_type(field: Field[Any]) -> dict[str, Any]:
    """Return what argparse must know of a field's type."""
    kind = _kind(field)
    if kind is bool:
        has_opposite = field.default is not False
        return {"action": argparse.BooleanOptionalAction if has_opposite else "store_true"}
    if get_origin(kind) is Literal:
        return {"choices": get_args(kind)}
    if get_origin(kind) is tuple:
        # Not "*": an empty shell variable would allow everything.
        return {"nargs": "+", "metavar": "NAME"}
    if get_origin(kind) is Mapping:
        return {"type": _key_value, "action": "append", "metavar": "KEY=VALUE"}
    if _is_size(field):
        return {"type": size, "metavar": "SIZE"}
    metavar = field.metadata.get("metavar") or ("N" if kind is int else "VALUE")
    required = field.default is MISSING  # as for no field of the kinds above
    return {
        "type": str if kind is MaxFailures else kind,
        "metavar": metavar,
        "required": required,
    }


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be JSON, got {text!r}: {error}") from None


def _key_value(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"must be KEY=VALUE, got {text!r}")
    return key, value


def _is_size(field: Field[Any]) -> bool:
    return field.type is int and field.name.endswith("_bytes")


def _help(field: Field[Any], options: type) -> str:
    text = doc_of(field)
    default = _default(field)
    text = f"{text} Default: {default}." if default else text
    return with_flags(text, options).replace("%", "%%")


def _default(field: Field[Any]) -> str:
    """Return a field's default as the command line takes it; "" where there is none to show."""
    default: Any = field.default
    if isinstance(default, bool):
        return "on" if default else ""
    if _is_size(field):
        unit = next(unit for unit in reversed(SIZE_UNITS) if default % SIZE_UNITS[unit] == 0)
        return f"{default // SIZE_UNITS[unit]}{unit}"
    if isinstance(default, str | int | float):
        return str(default) or "''"
    return ""


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
