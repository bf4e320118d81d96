"""Which videos share a task, so that at the end no core waits long for another."""

import math
from collections.abc import Sequence

VIDEOS_PER_TASK = 16
"""at most, for each of its CPUs: a task that is lost is done again as a whole"""


def shared_tasks(
    videos: Sequence[str], sizes: Sequence[int] | None = None, *, at_once: int, cpus: int = 1
) -> list[list[str]]:
    """The videos of each task, in the order in which the tasks are to start.

    The largest come first: what begins last ends last, so let it be small. A task takes half of
    what would be its share of the rest: a video larger than that has a task of its own, and the
    last tasks are the smallest. They are not small from the start, for each costs 0.3 s of CPU
    before its first video.

    Arguments:
        videos: in any order.
        sizes: of each, in bytes; None where they are not known: all count the same, and stay in
            their order.
        at_once: how many tasks run beside each other.
        cpus: of each task.
    """
    order: Sequence[int] = range(len(videos))
    if sizes is not None:
        order = sorted(order, key=lambda index: -sizes[index])
    weights = [1] * len(videos) if sizes is None else sizes
    rest = sum(weights)
    tasks: list[list[str]] = []
    room: float = 0
    for index in order:
        if not tasks or weights[index] > room or len(tasks[-1]) == VIDEOS_PER_TASK * cpus:
            tasks.append([])
            room = rest / (2 * at_once)
        tasks[-1].append(videos[index])
        room -= weights[index]
        rest -= weights[index]
    return tasks


def cpus_for_largest(sizes: Sequence[int], *, cores: int) -> int:
    """The CPUs with which a task does the largest video while the others do all the rest.

    With fewer, the job lasts as long as that video, and the other cores wait for it, whatever the
    order: a video is not divided between tasks.

    Arguments:
        sizes: of all videos, in bytes.
        cores: of all executors.
    """
    return max(1, math.ceil(cores * max(sizes) / max(1, sum(sizes))))
