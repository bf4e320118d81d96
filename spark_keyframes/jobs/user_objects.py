"""Modules, selectors and callbacks that a command line gives as import paths."""

from collections.abc import Mapping
from typing import Any

from spark_keyframes.engine import Callback
from spark_keyframes.errors import ParameterError
from spark_keyframes.imports import described, load_object
from spark_keyframes.jobs.options import JobOptions
from spark_keyframes.module import KeyframesModule
from spark_keyframes.selection import Selector

ARGUMENTS = {"module": "module_args", "selector": "selector_args", "callbacks": "callbacks_args"}
"""The parameters that may be objects, and the options for their keyword arguments."""


def load_objects(given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the objects by parameter, and what they were made from, see `JobOptions.imports`.

    Args:
        given: values of the command line. `module` and `selector` are import paths such as
            "mypkg:Brightness", or the name of a selector; `callbacks` are import paths.

    Raises:
        ParameterError: an import path or its arguments are wrong.
    """
    objects: dict[str, Any] = {}
    imports: dict[str, Any] = {}
    for name, base in (("module", KeyframesModule), ("selector", Selector)):
        path, arguments = given.get(name, ""), given.get(ARGUMENTS[name], {})
        if ":" in path or (path and name == "module"):
            objects[name] = _load(path, arguments, base, name)
            imports[name] = {"class": path, "args": arguments}
        elif arguments:
            raise ParameterError(f"`{ARGUMENTS[name]}` needs an import path in `{name}`")
    paths = given.get("callbacks", [])
    arguments = given.get("callbacks_args", [{} for _ in paths])
    if not isinstance(arguments, list) or len(arguments) != len(paths):
        raise ParameterError(
            f"`callbacks_args` must be a list with an object for each of `callbacks`, which are "
            f"{len(paths)}; got {arguments!r}"
        )
    if paths:
        pairs = list(zip(paths, arguments, strict=True))
        objects["callbacks"] = [_load(path, args, Callback, "callbacks") for path, args in pairs]
        imports["callbacks"] = [{"class": path, "args": args} for path, args in pairs]
    return objects, imports


def object_settings(options: JobOptions) -> dict[str, Any]:
    """Return the names, import paths and arguments of the sampler's objects, for JSON.

    None is the default of `module` and `callbacks`, which older checkpoints do not have.

    Raises:
        ParameterError: an object cannot be described; see `imports.described`.
    """
    return {
        name: options.imports.get(name) or _setting(getattr(options.sampler, name), name)
        for name in ARGUMENTS
    }


def _load(path: str, arguments: Any, base: type, name: str) -> Any:
    if not isinstance(arguments, dict):
        raise ParameterError(
            f'`{ARGUMENTS[name]}` must be JSON objects such as {{"size": 72}}, got {arguments!r}'
        )
    return load_object(path, arguments, base, name)


def _setting(value: Any, name: str) -> Any:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, tuple):
        return [described(each, name) for each in value] or None
    return described(value, name)
