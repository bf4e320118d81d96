"""Calls hooks of the user's objects, checks what they give, and names them in messages."""

import dataclasses
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from spark_keyframes.errors import HookError, KeyframesError, ModuleError
from spark_keyframes.redaction import redact_text

logger = logging.getLogger("spark_keyframes")


@contextmanager
def calling(hook: str, owner: object, error: type[HookError], stage: str) -> Iterator[None]:
    """Turn what a hook raises into an `error` of `stage`, such as "setup of Brightness failed".

    An error of this package keeps its class; its message then also names the hook and the user's
    class.
    """
    name = f"{hook} of {type(owner).__name__}"
    try:
        yield
    except KeyframesError as raised:
        of_user = not type(owner).__module__.startswith(f"{__package__}.")
        if of_user and f" of {type(owner).__name__}" not in str(raised):
            raised.args = (f"{name}: {redact_text(str(raised))}",)
        raise
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as raised:  # SystemExit in a thread would be lost without a word
        message = f"{name} failed: {type(raised).__name__}: {text_of(raised)}"
        raise error(message, stage=stage) from raised


def call_all(steps: Iterable[Callable[[], object]]) -> None:
    """Call each step, also after one has failed; then raise the first KeyframesError."""
    errors: list[KeyframesError] = []
    for step in steps:
        try:
            step()
        except KeyframesError as error:
            errors.append(error)
    if errors:
        raise errors[0]


@contextmanager
def torn_down(*steps: Callable[[], object]) -> Iterator[None]:
    """Call all steps at the end. Their error is only logged where it would hide another."""
    try:
        yield
    except GeneratorExit:  # an iterator was closed early, which is no error
        call_all(steps)
        raise
    except BaseException:
        try:
            call_all(steps)
        except KeyframesError as error:
            logger.warning("%s", error)
        raise
    else:
        call_all(steps)


def text_of(error: BaseException) -> str:
    """Return the redacted message of an exception of any class."""
    try:
        return redact_text(str(error)) or "no message"
    except Exception:  # noqa: BLE001 - its __str__ is the user's code too
        return "no message"


def short_repr(owner: object) -> str:
    """Return how an object was made, `Brightness(size=72)`, from its method `params()` if any."""
    try:
        params: dict[str, object] = (params_of(owner) or dict)()
        arguments = shown_arguments(params)
    except Exception:  # noqa: BLE001 - a message must not fail because of the user's code
        arguments = "…"
    return f"{type(owner).__name__}({arguments})"


def params_of(owner: object) -> Callable[[], Any] | None:
    """Return what gives the arguments that make an equal object; None where nothing does.

    It is the object's method `params()`; without one, a dataclass knows them itself.
    """
    own: Any = getattr(owner, "params", None)
    if callable(own):
        return own  # type: ignore[no-any-return]
    if not dataclasses.is_dataclass(owner) or isinstance(owner, type):
        return None
    names = [each.name for each in dataclasses.fields(owner) if each.init]
    return lambda: {name: getattr(owner, name) for name in names}


def shown_arguments(values: Mapping[str, object]) -> str:
    """Return arguments as messages may show them, `size=72, folder='s3://bucket/a'`."""
    return ", ".join(redact_text(f"{name}={value!r}") for name, value in values.items())


def finite_scores(scores: Any, count: int, module: object) -> list[float]:
    """Return what a module gave as floats; ModuleError unless it is `count` finite numbers."""
    name = f"predict_step of {type(module).__name__}"
    if hasattr(scores, "detach"):
        scores = scores.detach().float().cpu()  # numpy knows no bfloat16 and no CUDA
    raw = np.asarray(scores)
    if raw.dtype.kind in "SUMmc":
        raise ModuleError(f"{name} gave values of type {raw.dtype}; return numbers")
    values = raw.astype(np.float64)
    if values.shape != (count,):
        gave = f"{len(values)} scores" if values.ndim == 1 else f"shape {values.shape}"
        raise ModuleError(f"{name} gave {gave} for {count} frames; return one number for each")
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise ModuleError(
            f"{name} gave {values[bad[0]]} for {bad.size} of {count} frames; scores must be "
            "finite. A model in half precision can overflow: try float32"
        )
    result: list[float] = values.tolist()
    return result


def finite_embeddings(rows: Any, module: object, *, size: int | None) -> Any:
    """Return embeddings, a tensor of shape (N, D), as an array.

    An index must not have others than finite ones of one length: they would end each search of it.

    Args:
        rows: what the module gave.
        module: for messages.
        size: D of the frames before these; None: there are none.

    Raises:
        ModuleError: some are not finite, or of another length.
    """
    values = rows.cpu().numpy()
    if size not in (None, values.shape[1]):
        raise ModuleError(
            f"embed_images of {type(module).__name__} gave {size} numbers for some frames, and "
            f"{values.shape[1]} for others; return as many for each"
        )
    if bad := int((~np.isfinite(values)).any(axis=1).sum()):
        raise ModuleError(
            f"embed_images of {type(module).__name__} gave numbers that are not finite for {bad} "
            f"of {len(values)} frames. A model in half precision can overflow: try float32"
        )
    return values
