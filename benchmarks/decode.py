"""Compares the CPU time of decoding candidates with that of decoding every frame by PyAV.

    python -m benchmarks.decode [--fps 1.0] [--rounds 5] [--videos ../shared/videos] [--threads 2]

One thread decodes the candidates. PyAV decodes every frame by one thread, and again with
thread_type="AUTO", which is faster on several cores and takes more CPU time. All include opening
and demuxing, and leave the pixels as YUV. The sides alternate; medians are reported. Before any
timing, the candidates' pixels are compared with those of the full decode. If there are no clips,
one is generated.

With --threads above 1, a second table compares that many threads with one, by CPU time and wall
clock. Wall clock is meaningful only on idle cores.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import av
import numpy as np

from spark_keyframes.video import open_video

SUFFIXES = {".mp4", ".webm", ".mkv", ".mov", ".avi", ".ts"}


def decode_every_frame(path: Path, *, threads: bool) -> int:
    with path.open("rb") as file, av.open(file, "r", buffer_size=256 * 1024) as container:
        stream = container.streams.video[0]
        if threads:
            stream.thread_type = "AUTO"
        else:
            stream.codec_context.thread_count = 1
        return len([None for _ in container.decode(stream)])


def decode_candidates(path: Path, fps: float, threads: int = 1) -> int:
    with path.open("rb") as file, open_video(file, threads=threads) as video:
        return len([None for _ in video.candidates(fps)])


def verify(path: Path, fps: float) -> None:
    """Raise unless each candidate equals the frame of a full decode, bit for bit."""
    with path.open("rb") as file, open_video(file) as video:
        candidates = {frame.frame_id: frame.to_rgb() for frame in video.candidates(fps)}
    with av.open(str(path)) as container:
        for number, picture in enumerate(container.decode(video=0)):
            if number in candidates:
                hd = picture.colorspace == 2 and picture.height >= 720
                rgb = picture.reformat(format="rgb24", src_colorspace="ITU709" if hd else None)
                if not np.array_equal(candidates.pop(number), rgb.to_ndarray()):
                    raise SystemExit(f"{path.name}: frame {number} differs")
    if candidates:
        raise SystemExit(f"{path.name}: no frames {sorted(candidates)}")


def cpu_seconds(action: Callable[[], object]) -> float:
    begin = time.process_time()
    action()
    return time.process_time() - begin


def generate(folder: Path) -> Path:
    path = folder / "generated.mp4"
    y, x = np.mgrid[0:480, 0:854]
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"preset": "medium"})
        stream.width, stream.height, stream.pix_fmt = 854, 480, "yuv420p"
        for number in range(500):
            image = np.stack([x + number * 3, y + number * 2, x * y // 99 + number], axis=-1)
            frame = av.VideoFrame.from_ndarray((image % 256).astype(np.uint8), format="rgb24")
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--fps", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    root = Path(__file__).parents[1]
    parser.add_argument("--videos", type=Path, default=root.parent / "shared" / "videos")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = sorted(p for p in args.videos.glob("*") if p.suffix in SUFFIXES)
        paths = paths or [generate(Path(folder))]
        run(paths, args.fps, args.rounds)
        if args.threads > 1:
            compare_threads(paths, args.fps, args.rounds, args.threads)


def run(paths: list[Path], fps: float, rounds: int) -> None:
    print("CPU seconds; ratios are candidates to every frame")
    print(f"{'clip':36} {'candidates':>10} {'1 thread':>10} {'ratio':>6} {'AUTO':>10} {'ratio':>6}")
    sums = [0.0, 0.0, 0.0]
    for path in paths:
        verify(path, fps)
        sides: list[Callable[[], object]] = [
            partial(decode_candidates, path, fps),
            partial(decode_every_frame, path, threads=False),
            partial(decode_every_frame, path, threads=True),
        ]
        times = [[cpu_seconds(side) for side in sides] for _ in range(rounds)]
        medians = [statistics.median(side) for side in zip(*times, strict=True)]
        sums = [total + median for total, median in zip(sums, medians, strict=True)]
        show(path.name, medians)
    show("sum", sums)


def compare_threads(paths: list[Path], fps: float, rounds: int, threads: int) -> None:
    print(f"\nCandidates by {threads} threads instead of 1, wall-clock and CPU seconds")
    print(
        f"{'clip':36} {'wall 1':>8} {'wall':>8} {'faster':>6} {'CPU 1':>8} {'CPU':>8} {'ratio':>6}"
    )
    for path in paths:
        samples: list[list[float]] = []
        for _ in range(rounds):
            sample = []
            for count in (1, threads):
                begin = time.perf_counter()
                cpu = cpu_seconds(partial(decode_candidates, path, fps, count))
                sample += [time.perf_counter() - begin, cpu]
            samples.append(sample)
        wall_1, cpu_1, wall, cpu = map(statistics.median, zip(*samples, strict=True))
        print(
            f"{path.name:36} {wall_1:8.3f} {wall:8.3f} {wall_1 / wall:6.2f}"
            f" {cpu_1:8.3f} {cpu:8.3f} {cpu / cpu_1:6.2f}"
        )


def show(name: str, seconds: list[float]) -> None:
    ours, one, auto = seconds
    print(f"{name:36} {ours:10.3f} {one:10.3f} {ours / one:6.2f} {auto:10.3f} {ours / auto:6.2f}")


if __name__ == "__main__":
    main()
