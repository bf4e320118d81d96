"""Calls hooks of the user's objects, and names these objects in messages."""

from collections.abc import Iterator
from contextlib import contextmanager

from spark_keyframes.errors import HookError, KeyframesError
from spark_keyframes.urls import redact_text


@contextmanager
def calling(hook: str, owner: object, error: type[HookError], stage: str) -> Iterator[None]:
    """Turn what a hook raises into an `error` of `stage`, such as "setup of Brightness failed".

    An error of this package stays what it is, and its message also names the hook and the class of
    the user's.
    """
    name = f"{hook} of {type(owner).__name__}"
    try:
        yield
    except KeyframesError as raised:
        of_user = not type(owner).__module__.startswith(f"{__package__}.")
        if of_user and type(owner).__name__ not in str(raised):
            raised.args = (f"{name}: {raised}",)
        raise
    except Exception as raised:
        reason = redact_text(str(raised)) or "no message"
        message = f"{name} failed: {type(raised).__name__}: {reason}"
        raise error(message, stage=stage) from raised


def short_repr(owner: object) -> str:
    """Return how an object was made, `Brightness(size=72)`, from its method `params()` if any."""
    params: dict[str, object] = getattr(owner, "params", dict)()
    arguments = ", ".join(f"{name}={value!r}" for name, value in params.items())
    return f"{type(owner).__name__}({arguments})"
