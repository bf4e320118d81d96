"""Objects of the user's by import path, for command lines and saved ML stages.

An object is written as `{"class": "mypackage.module:Class", "args": {...}}`. `require` is for
packages that not every face needs.
"""

import importlib
import json
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, TypeVar

from spark_keyframes.errors import MissingPackageError, ParameterError
from spark_keyframes.hooks import params_of, text_of

T = TypeVar("T")


def require(package: str, what: str, *, install: str = "") -> None:
    """Raise MissingPackageError unless a package is installed.

    Args:
        package: its name, as in `import`.
        what: needs it, as the message says.
        install: what to give to pip, if that is another name.
    """
    if find_spec(package) is None:
        raise MissingPackageError(
            f"{what} needs {package}, which is not installed; pip install {install or package}"
        )


def load_object(path: str, arguments: Mapping[str, Any], base: type[T], name: str) -> T:
    """Import a class and construct an object of it.

    Args:
        path: "package.module:Class".
        arguments: keyword arguments of the constructor.
        base: what the class must be a subclass of.
        name: of the parameter, for errors.

    Raises:
        ParameterError: there is no such class, it is of another kind, or its constructor fails.
    """
    module_name, colon, class_name = path.partition(":")
    if not (colon and module_name and class_name):
        raise ParameterError(f"{name} must be module:Class, got {path!r}; e.g. mypackage:MyClass")
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:
        raise ParameterError(
            f"{name} {path!r} cannot be imported: {text_of(error)}; install the package, or add "
            "its folder to PYTHONPATH (spark-submit: --py-files)"
        ) from error
    for part in class_name.split("."):
        if not hasattr(found, part):
            raise ParameterError(f"{name} {path!r}: {module_name} has no {class_name}")
        found = getattr(found, part)
    if not (isinstance(found, type) and issubclass(found, base)):
        raise ParameterError(f"{name} {path!r} must be a subclass of {base.__name__}")
    try:
        made: T = found(**arguments)
        return made
    except ParameterError:
        raise
    except Exception as error:
        raise ParameterError(
            f"{name} {path!r} cannot be constructed from {', '.join(arguments) or 'nothing'}: "
            f"{type(error).__name__}: {text_of(error)}"
        ) from error


def object_from(value: Any, base: type[T], name: str) -> T:
    """Return an object from itself, its import path, or a mapping as `described` returns.

    Raises:
        ParameterError: see `load_object`; or the value is none of these.
    """
    if isinstance(value, str):
        return load_object(value, {}, base, name)
    if isinstance(value, Mapping):
        arguments = value.get("args", {})
        if set(value) - {"class", "args"} or not isinstance(arguments, Mapping):
            raise ParameterError(
                f'{name} must be {{"class": "module:Class", "args": {{…}}}}, got {dict(value)}'
            )
        return load_object(str(value.get("class", "")), arguments, base, name)
    if isinstance(value, base):
        return value
    raise ParameterError(
        f"{name} must be an object of a subclass of {base.__name__}, or its import path, "
        f"got {value!r}"
    )


def described(value: object, name: str) -> dict[str, Any]:
    """Return how to construct an equal object elsewhere: `{"class": ..., "args": ...}`.

    The arguments are what the object's method `params()` returns, for JSON, or the fields of a
    dataclass.

    Raises:
        ParameterError: the class cannot be imported by name, the object has no `params`, or they
            are no JSON.
    """
    kind = type(value)
    path = f"{kind.__module__}:{kind.__qualname__}"
    found: Any = sys.modules.get(kind.__module__)
    for part in kind.__qualname__.split("."):
        found = getattr(found, part, None)
    if kind.__module__ == "__main__" or found is not kind:
        raise ParameterError(
            f"{name} cannot be saved: its class {kind.__qualname__} cannot be imported by name; "
            "move it into a module of a package"
        )
    params = params_of(value)
    if params is None:
        raise ParameterError(
            f"{name} cannot be saved: {kind.__qualname__} has no method params(); let it return "
            "the arguments of the constructor as a dict"
        )
    try:
        arguments = params()
        if not isinstance(arguments, dict) or not all(isinstance(key, str) for key in arguments):
            raise TypeError(f"{arguments!r} is no dict of names")
        json.dumps(arguments, allow_nan=False)
    except Exception as error:
        raise ParameterError(
            f"{name} cannot be saved: params() of {kind.__qualname__} is no JSON: {error}"
        ) from error
    return {"class": path, "args": arguments}
