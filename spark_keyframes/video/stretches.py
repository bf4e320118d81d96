"""Divides the packets of a video with unreliable timestamps into sound and doubtful stretches.

Of a sound stretch, the packets tell the frames and their order, so that single frames of it can be
decoded. A doubtful one must be decoded in sequence. See `Stretch` for where one ends.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median_low

from spark_keyframes.video.packet_table import PacketTable, Stretch
from spark_keyframes.video.problems import NO_KEYFRAME, Problems
from spark_keyframes.video.returned_order import ReturnedOrder, usual_step

GAP = "frames seem to be missing"
OTHER_ORDER = "frames are shown in another order than they come in, or one is missing"


def longest_step(usual: int) -> int:
    """Return how long frames stay at most where none is missing, by how long most of them stay."""
    return usual * 3 // 2


def find_stretches(
    table: PacketTable,
    problems: Problems,
    depth: int | None,
    order: ReturnedOrder | None = None,
) -> list[Stretch]:
    """Return the stretches of a video; empty if none of them is sound.

    Args:
        table: of all packets, with its `gop_starts`.
        problems: those of the video, none of them of the whole stream.
        depth: by how many frames the decoder can reorder frames from the first packet on; None: by
            as many as the stream needs.
        order: in which the decoder returns the frames; None: in that of their timestamps.
    """
    gops = _Gops(table, depth, order)
    for index, extent, reason in problems.places:
        gops.mark(index, reason, is_join=extent == "join", is_open_ended=extent == "on")
    gops.check_all()
    found: list[Stretch] = []
    for number, gop in enumerate(gops.all):
        reason = "; ".join(sorted(gops.reasons[number]))
        if found and reason and found[-1].reason:
            last = found.pop()
            found.append(Stretch(last.start, gop.stop, (), _joined(last.reason, reason)))
        else:
            found.append(Stretch(gop.start, gop.stop, () if reason else gop.frames, reason))
    return found if any(not stretch.reason for stretch in found) else []


def join_short(stretches: list[Stretch], least: int = 32) -> list[Stretch]:
    """Return the stretches, with short sound parts as a part of the doubtful ones around them.

    To decode what is before a doubtful stretch once more may take longer than what it saves.

    Args:
        stretches: of a video.
        least: packets of a sound part, of one or more stretches, that stays as it is.

    Returns:
        Stretches; none if all of them would be doubtful.
    """
    found: list[Stretch] = []
    sound: list[Stretch] = []
    for each in stretches:
        if not each.reason:
            sound.append(each)
            continue
        if sound and found and each.start - sound[0].start < least:
            last = found.pop()
            found.append(Stretch(last.start, each.stop, (), _joined(last.reason, each.reason)))
        else:
            found += [*sound, each]
        sound = []
    found += sound
    return found if any(not each.reason for each in found) else []


def _joined(*reasons: str) -> str:
    return "; ".join(sorted({each for reason in reasons for each in reason.split("; ")}))


@dataclass
class _Gop:
    """The packets from one where decoding may start to the next one."""

    start: int
    stop: int
    leading: list[int] = field(default_factory=list)
    """Those that are shown before its first packet, and so belong to the stretch before."""
    trailing: list[int] = field(default_factory=list)
    """Its first packet, and those that are shown after it."""
    frames: Sequence[int] = ()
    """All of its stretch, in order."""


class _Gops:
    """All GOPs, with what is wrong with each stretch that begins with one."""

    def __init__(self, table: PacketTable, depth: int | None, order: ReturnedOrder | None) -> None:
        self._table = table
        self._depth = depth
        self._order = order
        self.reasons: dict[int, set[str]] = defaultdict(set)
        self.all: list[_Gop] = []
        starts = table.gop_starts
        if starts[0] > 0:
            self.reasons[0].add(NO_KEYFRAME)
            shown = [i for i in range(starts[0]) if table.is_shown(i)]
            self.all.append(_Gop(0, starts[0], trailing=shown))
        for start, stop in pairwise([*starts, len(table)]):
            gop = _Gop(start, stop)
            for index in range(start, stop):
                if table.is_shown(index):
                    is_leading = table.pts[index] < table.pts[start]
                    (gop.leading if is_leading else gop.trailing).append(index)
            self.all.append(gop)
        if self.all[0].leading:
            self.reasons[0].add("the first keyframe has leading frames")
        self._starts = [gop.start for gop in self.all]
        self._open_ended = len(self.all)
        self._usual = 1
        """Step between the places of two frames in `order`."""

    def mark(self, index: int, reason: str, *, is_join: bool, is_open_ended: bool) -> None:
        """Note what is wrong at a packet."""
        number = bisect_right(self._starts, index) - 1
        gop = self.all[number]
        if is_join and index == gop.start and self._is_clean(number):
            return
        self.reasons[number].add(reason)
        if number and (gop.leading or index == gop.start):
            self.reasons[number - 1].add(reason)
        if is_open_ended and number < self._open_ended:
            for following in range(number, self._open_ended):
                self.reasons[following].add(reason)
            self._open_ended = number

    def _is_clean(self, number: int) -> bool:
        """Return whether the frames before a GOP do not matter to it, nor the other way round."""
        gop = self.all[number]
        return self._table.resets(gop.start) and not gop.leading

    def check_all(self) -> None:
        """Look for what the timestamps of each stretch tell together, and set its frames."""
        pts = self._table.pts
        followers: list[_Gop | None] = [*self.all[1:], None]
        for gop, following in zip(self.all, followers, strict=True):
            leading = following.leading if following is not None else []
            gop.frames = sorted([*gop.trailing, *leading], key=pts.__getitem__)
        steps = [pts[b] - pts[a] for gop in self.all for a, b in pairwise(gop.frames)]
        if (order := self._order) is not None:
            places = (order[b] - order[a] for gop in self.all for a, b in pairwise(gop.frames))
            self._usual = usual_step(places)
        # A lost frame is seldom marked as such. With it, the next ones may be lost too.
        longest = longest_step(median_low(steps)) if steps else 0
        for number, (gop, following) in enumerate(zip(self.all, followers, strict=True)):
            leading = following.leading if following is not None else []
            if not gop.frames:
                self.reasons[number].add("no packet is shown")
                continue
            if any(pts[a] == pts[b] for a, b in pairwise(gop.frames)):
                self.reasons[number].add("a timestamp is repeated")
                if leading:  # maybe only by such a timestamp
                    self.reasons[number + 1].add("a timestamp is repeated")
            if following is not None and self._goes_back(gop, following):
                self.reasons[number].add("timestamps go backwards")
                self.reasons[number + 1].add("timestamps go backwards")
            steps = [pts[b] - pts[a] for a, b in pairwise(gop.frames)]
            if following is not None and not self._is_clean(number + 1):
                steps.append(pts[following.start] - pts[gop.frames[-1]])
            if any(step > longest for step in steps):
                self.reasons[number].add(GAP)
            if self._depth is not None and self._depth_of(gop, leading) > self._depth:
                self.reasons[number].add("frames are reordered further than the decoder knows")
            if self._order is not None:
                self._check_order(number, self._order)
            # Leading frames may refer to the GOP before, see `plan_runs`.
            if leading and len(gop.trailing) == 1 and number and self.reasons[number - 1]:
                self.reasons[number] |= self.reasons[number - 1]

    def _check_order(self, number: int, order: ReturnedOrder) -> None:
        """Look whether the decoder returns the frames of a stretch as their timestamps tell."""
        gop = self.all[number]
        if any(order[b] - order[a] != self._usual for a, b in pairwise(gop.frames)):
            self.reasons[number].add(OTHER_ORDER)
        if number + 1 == len(self.all):
            return
        last, following = gop.frames[-1], self.all[number + 1].start
        step = order[following] - order[last]
        if not order.are_apart(last, following) and step != self._usual:
            self.reasons[number].add(OTHER_ORDER)
            self.reasons[number + 1].add(OTHER_ORDER)

    def _goes_back(self, gop: _Gop, following: _Gop) -> bool:
        """Return whether frames of a stretch are not all behind its start and before the next."""
        pts = self._table.pts
        leading = following.leading
        if not leading:
            is_join = self._table.resets(following.start)
            return not is_join and pts[gop.frames[-1]] >= pts[following.start]
        return (
            pts[gop.frames[0]] < pts[gop.start]
            or pts[gop.frames[-1]] >= pts[following.start]
            or leading[-1] > min(following.trailing[1:], default=len(pts))
        )

    def _depth_of(self, gop: _Gop, leading: Iterable[int]) -> int:
        """Return how many frames are decoded before one that is shown earlier, at most."""
        pts, earlier, depth = self._table.pts, list[int](), 0
        packets = [*gop.trailing, gop.stop, *leading] if leading else gop.trailing
        for index in packets:
            depth = max(depth, len(earlier) - bisect_right(earlier, pts[index]))
            insort(earlier, pts[index])
        return depth
