"""Assigns videos to tasks so that no core waits long for another at the end."""

import math
from collections.abc import Sequence

VIDEOS_PER_TASK = 16
"""The most videos per CPU of a task: a task that is lost is run again completely."""


def assign_to_tasks(
    videos: Sequence[str], sizes: Sequence[int] | None = None, *, at_once: int, cpus: int = 1
) -> list[list[str]]:
    """Return the videos of each task, in the order in which the tasks start.

    The largest videos come first, so that the tasks at the end are short. Each task takes half of
    its share of the remaining bytes: a larger video has a task of its own, and the last tasks are
    the smallest. The first ones are large because each task costs 0.3 s of CPU at its start.

    Args:
        videos: in any order.
        sizes: in bytes. None, where they are not known: all videos count the same, and keep their
            order.
        at_once: number of tasks that run at the same time.
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
    """Return the CPUs that a task needs to finish the largest video with all the others.

    With fewer, the job lasts as long as that video, in any order of tasks, since a video is not
    divided between tasks.

    Args:
        sizes: of all videos, in bytes.
        cores: of all executors.
    """
    return max(1, math.ceil(cores * max(sizes) / max(1, sum(sizes))))
