"""Compares the decoding of a film with a doubtful place with that of the same film without it.

    python -m benchmarks.doubt [--rounds 5] [--cache FOLDER] [--videos ../shared/videos]

The film has 4,842 packets of H.264 in MPEG-TS, at 25 frames per second: about 194 seconds. The
other one ends with its last 42 packets once more, as a recorder leaves them that was interrupted.
Their timestamps go back. One candidate per second is decoded, in one thread; opening and demuxing
included. The sides take turns; medians of CPU time are reported, and how many frames were decoded.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import av

from benchmarks import inputs
from benchmarks.scope import Scope
from benchmarks.section import Section, at_most, table
from spark_keyframes.video import open_video

_FRAMES = 4842
_REPEATED = 42
_LIMIT = 1.3


@dataclass
class _Side:
    name: str
    path: Path
    seconds: list[float]
    decoded: int = 0
    doubtful: int = 0


def measure(scope: Scope) -> Section:
    """Return the part of RESULTS.md."""
    return _section(scope.rounds, scope.cache, scope.videos)


def _section(rounds: int, cache: Path, videos: Path) -> Section:
    sound, odd = films(cache, videos)
    sides = [_Side("sound", sound, []), _Side("last 42 packets repeated", odd, [])]
    for number in range(rounds + 1):
        for side in sides:
            seconds = _decode(side)
            if number:  # the first round warms up
                side.seconds.append(seconds)
    medians = [statistics.median(side.seconds) for side in sides]
    ratio = medians[1] / medians[0]
    rows = [
        [side.name, f"{median:.2f}", str(side.decoded), str(side.doubtful)]
        for side, median in zip(sides, medians, strict=True)
    ]
    text = (
        f"The film of {_FRAMES:,} packets in 720p, and the same with its last {_REPEATED} packets "
        "once more, whose timestamps go back. One candidate per second, one thread.\n\n"
        + table(["", "CPU seconds", "frames decoded", "of them for doubt"], rows)
    )
    goal = at_most("a film with 42 repeated packets to the film without, CPU time", ratio, _LIMIT)
    return Section("A doubtful place in a film", text, (goal,))


def films(cache: Path, videos: Path) -> tuple[Path, Path]:
    """Return the film, and the one with repeated packets, making them if the cache lacks them."""
    sound, odd = cache / "film.ts", cache / "film-repeated.ts"
    if not odd.exists():
        whole = inputs.prepare(inputs.KINDS["720p"], 4, cache=cache, videos=videos)
        _copy(whole, sound, 0)
        _copy(whole, odd, _REPEATED)
    return sound, odd


def _copy(whole: Path, target: Path, repeated: int) -> None:
    """Copy the first packets, and the last of them again, as MPEG-TS."""
    with av.open(str(whole)) as source:
        stream = source.streams.video[0]
        first = [packet for packet in source.demux(stream) if packet.size][:_FRAMES]
        part = target.with_suffix(".part")
        with part.open("wb") as file:
            # A muxer refuses times that go back. Files of MPEG-TS may be joined as they are.
            for packets in filter(None, (first, first[_FRAMES - repeated :] if repeated else [])):
                with av.open(file, "w", format="mpegts") as output:
                    copy = output.add_stream_from_template(stream)
                    for packet in packets:
                        packet.stream = copy
                        output.mux(packet)
    part.rename(target)


def _decode(side: _Side) -> float:
    begin = time.process_time()
    with side.path.open("rb") as file, open_video(file) as video:
        for _ in video.candidates(1.0):
            pass
        side.decoded, side.doubtful = video.frames_decoded, video.frames_doubtful
    return time.process_time() - begin


def main() -> None:
    """Measure, and print the part."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cache", type=Path, default=inputs.CACHE)
    parser.add_argument("--videos", type=Path, default=inputs.VIDEOS)
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    section = _section(options.rounds, options.cache, options.videos)
    print(f"## {section.title}\n\n{section.text}\n")
    for goal in section.goals:
        print(f"{goal.text}: {goal.measured} ({goal.bound}, {goal.verdict})")


if __name__ == "__main__":
    main()
