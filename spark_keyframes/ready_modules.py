"""Sets modules up: one with a key once per process and device, others for each run."""

import atexit
import logging
import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from spark_keyframes.errors import KeyframesError, ModuleError
from spark_keyframes.gpu_faults import gpu_faults
from spark_keyframes.hooks import calling, torn_down
from spark_keyframes.module import KeyframesModule, check_settings, copied
from spark_keyframes.threads import check_fork, renew_after_fork

if TYPE_CHECKING:
    import torch

logger = logging.getLogger("spark_keyframes")

_ready: dict[tuple[str, Hashable, str], KeyframesModule] = {}
_lock = threading.RLock()  # a setup may sample with another module
renew_after_fork(globals(), "_lock", threading.RLock)


@contextmanager
def ready_module(module: KeyframesModule, device: "torch.device") -> Iterator[KeyframesModule]:
    """Open a copy of `module` that is set up on `device`, or its equal that this process keeps.

    Raises:
        KeyframesError: of the module's own, or ModuleError: `setup` or `teardown` failed.
        ForkError: torch cannot compute in this process.
    """
    import torch

    check_fork(torch.get_num_threads())
    if module.key is not None:
        yield _kept(module, device)
        return
    # A copy: what setup adds must not be pickled with the caller's module later.
    ready = _set_up(module, device)
    with torn_down(lambda: _tear_down(ready)):
        yield ready


def _kept(module: KeyframesModule, device: "torch.device") -> KeyframesModule:
    kind = type(module)
    place = (f"{kind.__module__}.{kind.__qualname__}", module.key, str(device))
    with _lock:
        try:
            found = _ready.get(place)
        except TypeError:
            raise ModuleError(
                f"key of {kind.__name__} must be hashable, got {module.key!r}; use e.g. a tuple"
            ) from None
        if found is not None and type(found) is not kind:
            # A notebook's cell was run again, and the class is another one.
            del _ready[place]
            _tear_down(found)
            found = None
        if found is None:
            found = _ready[place] = _set_up(module, device)
        return found


def _set_up(module: KeyframesModule, device: "torch.device") -> KeyframesModule:
    with calling("setup", module, ModuleError, "clip"), gpu_faults():
        ready = copied(module)
        ready.setup(device)
        check_settings(ready)
    return ready


def _tear_down(module: KeyframesModule) -> None:
    with calling("teardown", module, ModuleError, "clip"):
        module.teardown()


@atexit.register
def _tear_down_all() -> None:
    while _ready:
        _, module = _ready.popitem()
        try:
            _tear_down(module)
        except KeyframesError as error:  # the others must still have their turn
            logger.warning("%s", error)
