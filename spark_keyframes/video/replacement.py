"""Replaces frames that cannot be decoded by those before them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import heappop, heappush

import av

from spark_keyframes.errors import DecodeError, NoFramesError

_MOST_LATE = 16
"""Frames that the decoder may return before one that is shown earlier."""


class LostFrameError(Exception):
    """A wanted frame cannot be decoded."""

    def __init__(self, number: int) -> None:
        super().__init__(f"frame {number} is lost")
        self.number = number


def replaced(
    pictures: Iterable[tuple[int, av.VideoFrame]],
    wanted: Sequence[int],
    is_reset: Callable[[int], bool],
    *,
    exactly: bool,
) -> Iterator[tuple[int, int, av.VideoFrame]]:
    """Yield each wanted frame, or the one before it if it is not there.

    Args:
        pictures: frames with their numbers, as they are decoded in sequence: some may come late.
        wanted: numbers of frames, increasing, at least one.
        is_reset: whether the decoder returns all frames with lower numbers before one.
        exactly: raise LostFrameError if one of them is not there.

    Returns:
        For each wanted frame its number, that of the frame in its place, and that frame. A wanted
        frame is left out if no frame was decoded before it.
    """
    done = 0
    on_screen: tuple[int, av.VideoFrame] | None = None
    for number, picture in _in_order(pictures, is_reset):
        while done < len(wanted) and wanted[done] < number:
            if exactly:
                raise LostFrameError(wanted[done])
            if on_screen is not None:
                yield wanted[done], *on_screen
            done += 1
        on_screen = number, picture
        if done < len(wanted) and wanted[done] == number:
            yield number, number, picture
            done += 1
        if done == len(wanted):
            return
    for lost in wanted[done:]:
        if exactly:
            raise LostFrameError(lost)
        if on_screen is not None:
            yield lost, *on_screen


def _in_order(
    pictures: Iterable[tuple[int, av.VideoFrame]], is_reset: Callable[[int], bool]
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Yield frames by their numbers, none twice; hold those behind one that may come late."""
    held: dict[int, av.VideoFrame] = {}
    numbers: list[int] = []
    last = -1

    def held_from(count: int) -> Iterator[tuple[int, av.VideoFrame]]:
        nonlocal last
        while numbers and (last in (-1, numbers[0] - 1) or len(numbers) > count):
            last = heappop(numbers)
            yield last, held.pop(last)

    for number, picture in pictures:
        if is_reset(number):
            while numbers and numbers[0] < number:
                last = heappop(numbers)
                yield last, held.pop(last)
            last = max(last, number - 1)
        if number > last and number not in held:
            held[number] = picture
            heappush(numbers, number)
        yield from held_from(_MOST_LATE)
    yield from held_from(0)


def nothing_decoded(
    packets: int, max_pixels: int, *, is_damaged: bool
) -> NoFramesError | DecodeError:
    """Return the error for a video of so many packets of which no frame could be decoded."""
    if not is_damaged:
        return NoFramesError(f"none of the video's {packets} packets holds a frame to show")
    return DecodeError(
        f"none of the video's {packets} packets could be decoded: they are damaged, or their "
        f"frames have more than {max_pixels} pixels, the max_pixels of limits"
    )
