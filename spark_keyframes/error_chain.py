"""What led to an error of another package, and what it keeps in memory."""

import traceback
from collections.abc import Iterator


def error_chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and all errors that led to it, nearest first, each once.

    Packages record the cause as `__cause__` or `__context__`, as an attribute (urllib3 as `reason`,
    TOS as `cause`), or as an argument of the error (requests).
    """
    found = [error]
    for current in found:  # the list grows during the loop
        yield current
        # vars(), not getattr(): a property of an unknown class could raise.
        behind = [vars(current).get("reason"), vars(current).get("cause")]
        behind += [current.__cause__, current.__context__, *current.args]
        for each in behind:
            if isinstance(each, BaseException) and not any(each is known for known in found):
                found.append(each)


def free_stack_frames(error: BaseException) -> None:
    """Free what the stack frames of a kept error refer to, such as a video in memory."""
    for current in error_chain(error):
        traceback.clear_frames(current.__traceback__)


def root_cause(error: BaseException) -> str:
    """Return a short reason for an error of requests or of the TOS SDK.

    The text of such an error holds the URL with its query, so it is never returned. The operating
    system's message, such as "Connection refused", is safe. Without one, the reason is the name of
    the last class in the chain.
    """
    name = ""
    for current in error_chain(error):
        if isinstance(current, OSError) and current.strerror:
            return current.strerror
        name = type(current).__name__
    return name
