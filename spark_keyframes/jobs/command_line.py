"""Commands for a terminal, made from the dataclass of their options."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import click

from spark_keyframes.checks import SIZE_UNITS, size_in_bytes
from spark_keyframes.command import (
    Choice,
    Command,
    Group,
    Number,
    Option,
    PlaceType,
    Text,
    run_command,
)
from spark_keyframes.errors import ParameterError
from spark_keyframes.fields import doc_of, spelled
from spark_keyframes.jobs.failure_limit import MaxFailures
from spark_keyframes.jobs.option_groups import ACCESS, GROUPS, LIMITS, OF_PARAMETERS
from spark_keyframes.jobs.user_objects import ARGUMENTS, load_objects

_SPECIAL: dict[str, dict[str, Any]] = {
    "text": {"metavar": "TEXT", "multiple": True},
    "module": {"metavar": "PACKAGE:CLASS"},
    "selector": {"metavar": "NAME|PACKAGE:CLASS"},
    "callbacks": {"metavar": "PACKAGE:CLASS", "many": True},
}
"""For click: `text`, which may be repeated, and what may be import paths of objects."""
_ARGUMENTS_HELP = {
    "module": "Its keyword arguments, such as '{\"size\": 72}'.",
    "selector": "Its keyword arguments, such as '{\"n\": 4}'.",
    "callbacks": 'A list with the keyword arguments of each, such as \'[{}, {"folder": "x"}]\'.',
}
_PLACES = {"WHERE": "file", "FILE": "file", "FOLDER": "dir"}
"""What a shell completes for the value of such a name."""
_FOLDERS = ("model_path", "output_tos_dir")

_Options = TypeVar("_Options")


def parse(
    options: type[_Options],
    arguments: Sequence[str] | None = None,
    *,
    program: str,
    **about: Any,
) -> _Options:
    """Return the options given on the command line; exit with 2 and one line where they are wrong.

    Args:
        options: the dataclass to make, see `command_of`.
        arguments: without the program's name; None: those of this process.
        program: name of the program, for messages.
        about: of `command_of`.
    """
    made: list[_Options] = []
    command = command_of(options, name=program, run=made.append, **about)
    status = run_command(command, arguments, program)
    if not made:
        raise SystemExit(status)
    return made[0]


def command_of(
    options: type[_Options],
    *,
    name: str,
    run: Callable[[_Options], int | None],
    common: Sequence[str] = (),
    arguments: Sequence[click.Argument] = (),
    more: Sequence[Option] = (),
    kind: type[Command] = Command,
    groups: Sequence[Group] = GROUPS,
    **about: Any,
) -> Command:
    """Return a command that makes the options, and calls `run` with them.

    Args:
        options: a dataclass. Each of its fields is an option, and so is each field of the
            dataclasses that it holds, but for those of its `not_offered`.
        name: of the command.
        run: returns the exit code.
        common: fields whose options are in the short help.
        arguments: those of the fields that are no options; they have their names.
        more: options that belong to no field.
        kind: of the command.
        groups: of the options, in the order of the help.
        about: of `Command`.
    """

    def called(given: dict[str, Any]) -> int | None:
        try:
            made = options_from(options, given)
        except ParameterError as error:
            click.get_current_context().fail(with_flags(str(error), options))
        return run(made)

    names = {str(each.name) for each in arguments}
    params = [*arguments, *options_of(options, common, names), *more]
    return kind(name, params=params, run=called, groups=groups, **about)


def options_from(options: type[_Options], given: dict[str, Any]) -> _Options:
    """Return the dataclass from the values of a command line.

    Raises:
        ParameterError: a value is wrong, or values exclude each other.
    """
    given = dict(given)
    texts = given.pop("text", ())
    if texts:
        given |= {"text": texts[0]} if len(texts) == 1 else {"texts": texts}
    objects, sources = load_objects(given)
    values = _values(options, given | objects)
    if "imports" in {field.name for field in fields(options)}:  # type: ignore[arg-type]
        values["imports"] = sources
    return options(**values)


def options_of(
    options: type, common: Sequence[str] = (), arguments: Collection[str] = ()
) -> Iterator[Option]:
    """Yield an option for each field of a dataclass, and of those that it holds.

    Args:
        options: the dataclass.
        common: fields whose options are in the short help, in this order.
        arguments: fields that are no options.
    """
    found = [each for each in _fields(options) if each[1].name not in arguments]
    places = {name: place for place, name in enumerate(common)}
    found.sort(key=lambda each: places.get(each[1].name, len(places)))
    for group, field in found:
        kind = _SPECIAL.get(field.name) or _kind_of_option(field)
        yield Option(
            [_flags(field)],
            group=group,
            common=field.name in common,
            help=_help(field, options),
            **{"type": Text(), "default": None, **kind},
        )
        if field.name in ARGUMENTS:
            yield Option(
                [_flag(ARGUMENTS[field.name])],
                group=group,
                type=Text(_json),
                metavar="JSON",
                help=_ARGUMENTS_HELP[field.name],
            )


def with_flags(text: str, options: type) -> str:
    """Return a text in which each option's `name`, in backticks, became its --name."""
    names = {field.name for _, field in _fields(options)} | set(ARGUMENTS.values())
    return spelled(text, lambda name: _flag(name) if name in names else name)


def size(text: str) -> int:
    """Return the bytes of "8589934592", "8G" or "512M"; units are powers of 1024.

    Raises:
        ValueError: the text is no size.
    """
    return size_in_bytes(text)


def _fields(owner: type, group: Group | None = None) -> Iterator[tuple[Group, Field[Any]]]:
    """Yield the fields that are options, with their group, nested ones last."""
    nested = _nested(owner)
    own = [field for field in fields(owner) if field.init and field.name not in nested]
    for field in own:
        if found := field.metadata.get("group") or group or _group_of_parameter(field.name):
            yield found, field
    names = {field.name for field in own} | set(getattr(owner, "not_offered", ()))
    for name, part in nested.items():
        within = {"limits": LIMITS, "access": ACCESS}.get(name)
        yield from (each for each in _fields(part, within) if each[1].name not in names)


def _group_of_parameter(name: str) -> Group | None:
    return next((group for group, names in OF_PARAMETERS.items() if name in names), None)


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
    """Return the value for a field, from what click made of it."""
    kind = _kind(field)
    if kind is MaxFailures:
        return MaxFailures.parse(given)
    return dict(given) if get_origin(kind) is Mapping else given


def _kind(field: Field[Any]) -> Any:
    """Return the type of a field, without the None of an option that may be left out."""
    if get_origin(field.type) in (Union, UnionType):
        return next(kind for kind in get_args(field.type) if kind is not NoneType)
    return field.type


def _kind_of_option(field: Field[Any]) -> dict[str, Any]:
    """Return what click must know of a field's type."""
    kind = _kind(field)
    if kind is bool:
        return {"is_flag": True, "type": bool}
    if get_origin(kind) is Literal:
        choices = get_args(kind)
        return {"type": Choice(choices), "metavar": f"[{'|'.join(choices)}]"}
    if get_origin(kind) is tuple:
        # One at least: an empty shell variable would allow everything.
        return {"many": True, "metavar": "NAME"}
    if get_origin(kind) is Mapping:
        return {"type": Text(_key_value), "multiple": True, "metavar": "KEY=VALUE"}
    if _is_size(field):
        return {"type": Text(size), "metavar": "SIZE"}
    metavar = field.metadata.get("metavar") or ("N" if kind is int else "VALUE")
    place = "dir" if field.name in _FOLDERS else _PLACES.get(metavar)
    return {
        "type": Number(kind) if kind in (int, float) else PlaceType(place) if place else Text(),
        "metavar": metavar,
        "required": field.default is MISSING,  # as for no field of the kinds above
    }


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"must be JSON, got {text!r}: {error}") from None


def _key_value(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise ValueError(f"must be KEY=VALUE, got {text!r}")
    return key, value


def _is_size(field: Field[Any]) -> bool:
    return field.type is int and field.name.endswith("_bytes")


def _help(field: Field[Any], options: type) -> str:
    text = doc_of(field)
    default = _default(field)
    text = f"{text} Default: {default}." if default else text
    return with_flags(text, options)


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


def _flags(field: Field[Any]) -> str:
    """Return the name of an option, with that of its opposite where it has one."""
    flag, opposite = _flag(field.name), _flag(f"no_{field.name}")
    return f"{flag}/{opposite}" if _kind(field) is bool and field.default is not False else flag


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
