"""Walks through the stretches of a video, and counts and times their frames."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction

import av

from spark_keyframes.video.frame import Frame
from spark_keyframes.video.gops import RunFailedError
from spark_keyframes.video.packet_reader import NOTHING
from spark_keyframes.video.packet_source import PacketSource
from spark_keyframes.video.packet_table import Stretch
from spark_keyframes.video.run_decoder import RunDecoder
from spark_keyframes.video.sequential import MonotonicTimes
from spark_keyframes.video.window import Window

logger = logging.getLogger("spark_keyframes")


@dataclass
class Part:
    """A stretch, with what decoding has told about it."""

    start: int
    stop: int
    frames: Sequence[int]
    reason: str
    number: int
    """Number of its first frame in `PacketTable.presented`."""
    stamps: list[int | None] | None = None
    """Timestamps of the frames of a doubtful stretch, once all of it was decoded."""
    teaches: bool = False
    """Whether the decoder may have learned here what it needs later, as the depth of reordering."""
    leading: Collection[int] = ()
    """Packets of these frames that are behind `stop`."""


@dataclass
class Item:
    """A frame, decoded or not."""

    frame_id: int
    time: Fraction
    number: int = -1
    """In `PacketTable.presented`; -1 if it is not there."""
    picture: av.VideoFrame | None = field(default=None, repr=False)
    frames: tuple[Frame, ...] = ()
    """The frame itself, or the one that replaces it, or none if there is neither."""
    is_decoded: bool = False


def parts_of(stretches: Sequence[Stretch]) -> list[Part]:
    """Return the stretches as parts, of which nothing was decoded."""
    parts: list[Part] = []
    number = 0
    for each in stretches:
        parts.append(Part(each.start, each.stop, each.frames, each.reason, number))
        number += len(each.frames)
    return parts


class StretchWalk:
    """One pass over the parts of a video, in order.

    Args:
        source: the packets.
        runs: decodes frames of sound parts.
        new_times: begins to count the times of all frames.
        parts: of the video. A doubtful part gets its `stamps`; if it ends later than was known, it
            takes the place of those after it.
        look: called with each frame before it is yielded.
    """

    def __init__(
        self,
        source: PacketSource,
        runs: RunDecoder,
        new_times: Callable[[], MonotonicTimes],
        parts: list[Part],
        look: Callable[[av.VideoFrame], None],
    ) -> None:
        self.times = new_times()
        self.next_id = 0
        self._table = source.table
        self._runs = runs
        self._new_times = new_times
        self._parts = parts
        self._look = look
        # One for all doubtful parts: it learns how far frames are reordered.
        self._codec = next(source.codecs(strict=False))
        self._lowest = 0
        """Number of the first frame behind the last doubtful part."""
        self._placed: list[Item] = []
        runs.begin_parts()

    def parts(self) -> Iterator[tuple[int, Part]]:
        """Yield each part with its index; some may go while the one before is decoded."""
        at = 0
        while at < len(self._parts):
            yield at, self._parts[at]
            at += 1

    def may_hold(self, part: Part, frame_ids: Collection[int]) -> bool:
        """Return whether the next part must be decoded for these frames, or may hold one."""
        count = len(part.frames) if part.stamps is None else len(part.stamps)
        ids = range(self.next_id, self.next_id + count)
        # By what it learned before, the decoder returns more frames, or fewer.
        is_unknown = bool(part.reason) and (part.stamps is None or part.teaches)
        return is_unknown or any(frame_id in frame_ids for frame_id in ids)

    def items(self, at: int, *, is_needed: bool = True) -> Generator[Item]:
        """Yield the frames of the next part; those of a doubtful one decoded, if it is needed."""
        part = self._parts[at]
        if not part.reason:
            pts = self._table.pts
            for number, index in enumerate(part.frames, part.number):
                yield self._item(self.times.time_at(pts[index]), number)
            return
        if part.stamps is not None and not is_needed:
            for stamp in part.stamps:
                yield self._item(self.times.time_at(stamp))
        else:
            yield from self._decoded_items(at)
        following = at + 1
        self._lowest = self._parts[following].number if following < len(self._parts) else NOTHING

    def decode(
        self,
        batch: Sequence[Item],
        last: Item | None,
        at: int,
        window: Window = Window(),
        *,
        exactly: bool = False,
    ) -> Iterator[Frame]:
        """Yield the frames of a batch, all of them in sound parts.

        Args:
            batch: their items.
            last: a later one to decode but not to yield, unless it is decoded or before the window.
            at: index of the part that is decoded next.
            window: the part of the video that is asked for.
            exactly: raise LostFrameError where a frame is damaged.
        """
        items = {item.number: item for item in batch}
        is_inside = last is not None and self.times.seconds(last.time) >= window.start
        if last is not None and is_inside and not last.is_decoded:
            items[last.number] = last
        if not items:
            return
        again = self._needed_from(at)
        self._runs.hold(again)
        found = self._runs.frames(list(items), exactly=exactly, lowest=self._lowest)
        with closing(found):
            for each in found:
                item = items[each.wanted]
                item.is_decoded = True
                shown = item
                if each.number == each.wanted:
                    item.picture = each.picture
                else:
                    shown = self._place(each.number)
                item.frames = (self._frame(shown, each.picture),)
                if item is not last:
                    yield from item.frames
                    # Whoever has the batch must not hold all frames of it.
                    item.frames, item.picture = (), None
        if last is not None:
            last.is_decoded = True
        self._runs.forget(again)

    def _item(self, time: Fraction, number: int = -1, picture: av.VideoFrame | None = None) -> Item:
        item = Item(self.next_id, time, number, picture)
        if picture is not None:
            item.is_decoded, item.frames = True, (self._frame(item, picture),)
        self.next_id += 1
        return item

    def _frame(self, item: Item, picture: av.VideoFrame) -> Frame:
        self._look(picture)
        return Frame(item.frame_id, self.times.seconds(item.time), picture)

    def _place(self, number: int) -> Item:
        """Return the item of any frame in a sound part that was passed."""
        known = self._placed
        if not known or not known[0].number <= number <= known[-1].number:
            times, frame_id = self._new_times(), 0
            for part in self._parts:
                stamps = part.stamps or [self._table.pts[index] for index in part.frames]
                known = [
                    Item(frame_id + offset, times.time_at(stamp), part.number + offset)
                    for offset, stamp in enumerate(stamps)
                ]
                if not part.reason and number < part.number + len(known):
                    break
                frame_id += len(known)
            self._placed = known
        return known[number - known[0].number]

    def _needed_from(self, at: int) -> int:
        """Return the first packet that may be needed from a part on."""
        if at >= len(self._parts):
            return NOTHING
        return self._table.start_before(self._parts[at].start)

    def _decoded_items(self, at: int) -> Generator[Item]:
        """Decode a doubtful part, up to where the packets are right again."""
        part, table = self._parts[at], self._table
        logger.info(
            "decoding packets %d to %d of %d in sequence: %s",
            part.start,
            part.stop - 1,
            len(table),
            part.reason,
        )
        stamps: list[int | None] = []
        end = _End(self._parts, at + 1, table.resets, table.pts)
        self._runs.hold(self._needed_from(at + 1))
        start = table.start_before(part.start) if part.start else 0
        # Leading frames belong to the part before.
        before = self._parts[at - 1] if at else None
        known = {*before.leading, *(i for i in before.frames if i >= part.start)} if before else ()
        most = len(table) if part.stamps is None else len(part.stamps)
        indexes: list[int] = []
        depth = self._codec.reorder_depth
        with closing(self._runs.in_sequence(start, self._codec)) as pictures:
            for index, picture in pictures:
                if index is not None and (index < part.start or index in known):
                    continue
                if len(stamps) == most or (part.stamps is None and end.is_reached(index)):
                    break
                if end.has_moved:
                    self._runs.hold(self._needed_from(end.at))
                stamps.append(picture.pts)
                if part.stamps is not None and stamps[-1] != part.stamps[len(stamps) - 1]:
                    raise _other_frames(part)
                indexes.append(-1 if index is None else index)
                yield self._item(self.times.time_of(picture), -1, picture)
            else:
                end.at = len(self._parts) if part.stamps is None else at + 1
        self._runs.forget(self._needed_from(end.at))
        if part.stamps is not None:
            if len(stamps) < most:
                raise _other_frames(part)
            return
        part.stamps = stamps
        # Packets without a frame are soon decoded, and may teach what the depth does not show.
        part.teaches = self._codec.reorder_depth != depth or not stamps
        self._runs.counters.no_longer_expect(
            index for each in self._parts[at + 1 : end.at] for index in each.frames
        )
        part.stop = self._parts[end.at - 1].stop
        part.leading = {index for index in indexes if index >= part.stop}
        del self._parts[at + 1 : end.at]


def _other_frames(part: Part) -> RunFailedError:
    return RunFailedError(f"packet {part.start} and those behind it gave other frames before")


class _End:
    """Looks for the end of a doubtful part: from there, frames come as the packets tell.

    That is so if the first frame of a sound part comes at its place, and the decoder is reset with
    it. Otherwise a sound part must have come as a whole.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        at: int,
        resets: Callable[[int], bool],
        pts: Sequence[int],
    ) -> None:
        self.at = at
        """Index of the part that follows, as far as is known."""
        self.has_moved = False
        """Whether that has changed with the last frame."""
        self._parts = parts
        self._resets = resets
        self._pts = pts
        self._checked: list[int] = []
        """The frames of the part before `at` that must come before it, in this order."""
        self._seen: list[int] = []

    def is_reached(self, index: int | None) -> bool:
        """Take the packet of the next frame; return whether the frame is behind the end."""
        self.has_moved = False
        while self.at < len(self._parts) and self._begins(index, self._parts[self.at]):
            part = self._parts[self.at]
            if self._checked and self._seen == self._checked:
                return True
            is_reset = self._resets(part.start)
            if part.frames and is_reset and index == part.frames[0]:
                return True
            self._checked = [] if is_reset else list(part.frames)
            self._seen = []
            self.at += 1
            self.has_moved = True
        if self._checked and index is not None:
            self._seen.append(index)
        return False

    def _begins(self, index: int | None, part: Part) -> bool:
        """Return whether a frame is one of the part, or a later one."""
        if index is None or index < part.start:
            return False
        return index >= part.stop or self._pts[index] >= self._pts[part.start]
