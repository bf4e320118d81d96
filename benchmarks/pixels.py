"""Where the time of a frame goes between the decoder and the model: python -m benchmarks.pixels

    [--videos FILE ...] [--rounds 5] [--formats yuv420p ...] [--sizes 1280x720 ...]

For each size and format it prints the CPU time of a frame: swscale's conversion to RGB, the copy
into memory that two processes share, and torch's antialiased bicubic resize to CLIP's 224×224
pixels. "whole" converts and resizes whole frames, as transformers does; "centre" is what the engine
does for a model that crops the centre. Both give the same pixels, which is checked before. They
take turns; medians are reported. Normalisation is done on the model's device, for whole batches.

With --videos, it prints the shares of decoding and of each step for candidates at 1 fps.

Run it on one core: taskset -c 0 python -m benchmarks.pixels
"""

from __future__ import annotations

import argparse
import mmap
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import torch
from numpy.typing import NDArray

from spark_keyframes.clip import Preprocessor
from spark_keyframes.video import CentreCrop, Frame, open_video
from spark_keyframes.video.conversion import converted, converted_part

FORMATS = ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le"]
SIZES = ["640x360", "1280x720", "1920x1080", "3840x2160", "1080x1920"]
CLIP = Preprocessor(224, 224, mean=(0.48, 0.46, 0.41), std=(0.27, 0.26, 0.28))
CENTRE = CentreCrop(224, 224, 2)
STEPS = ("convert", "copy", "resize")

Pixels = NDArray[np.uint8]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--formats", nargs="+", default=FORMATS)
    parser.add_argument("--sizes", nargs="+", default=SIZES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--videos", nargs="+", type=Path, default=[])
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.videos:
        of_videos(options.videos)
        return
    print("CPU milliseconds a frame; the ratio is centre to whole")
    heads = "".join(f"{step:>9}" for step in (*STEPS, "sum"))
    print(f"{'':23}{'whole':>36}{'centre':>36}\n{'':23}{heads}{heads}{'ratio':>8}")
    for pixel_format in options.formats:
        for size in options.sizes:
            width, height = map(int, size.split("x"))
            compare(picture(height, width, pixel_format), options.rounds)
    normalised = torch.zeros((16, 3, 224, 224), dtype=torch.uint8)
    each = statistics.median(milliseconds(lambda: CLIP.normalise(normalised)) for _ in range(20))
    print(f"normalise, in a batch of 16: {each / 16:.2f}")


def picture(height: int, width: int, pixel_format: str) -> av.VideoFrame:
    """Return a picture of waves and noise."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [127 + 110 * np.sin(x / 37 + k) * np.cos(y / 23 - k) for k in range(3)]
    noise = np.random.default_rng(0).normal(0, 12, (height, width, 3))
    rgb = np.clip(np.stack(waves, -1) + noise, 0, 255).astype(np.uint8)
    return av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=pixel_format)


def compare(frame: av.VideoFrame, rounds: int) -> None:
    """Print a row of the table."""
    out = shared(frame.height, frame.width)
    if not torch.equal(whole(frame, out)[0], centre(frame, out)[0]):
        raise SystemExit(f"the pixels of {frame} differ")
    repeats = max(2, 20_000_000 // (frame.height * frame.width))
    medians = []
    samples: list[list[list[float]]] = [[], []]
    for _ in range(rounds):
        for side, times in zip((whole, centre), samples, strict=True):
            found = [side(frame, out)[1] for _ in range(repeats)]
            times.append([1000 * sum(step) / repeats for step in zip(*found, strict=True)])
    for times in samples:
        medians.append([statistics.median(step) for step in zip(*times, strict=True)])
    row = "".join(f"{each:9.2f}" for median in medians for each in (*median, sum(median)))
    ratio = sum(medians[1]) / sum(medians[0])
    name = f"{frame.format.name} {frame.width}×{frame.height}"
    print(f"{name:23}{row}{ratio:8.2f}", flush=True)


def shared(height: int, width: int) -> Pixels:
    """Return memory for a frame that two processes can share."""
    return np.frombuffer(mmap.mmap(-1, height * width * 3), np.uint8).reshape(height, width, 3)


def whole(frame: av.VideoFrame, out: Pixels) -> tuple[torch.Tensor, list[float]]:
    """Convert, copy and resize all of a frame; return the pixels and the CPU seconds of each."""
    times = [time.process_time()]
    rgb = converted(frame)
    times.append(time.process_time())
    np.copyto(out, rgb)
    times.append(time.process_time())
    height, width, _ = out.shape
    size = CENTRE.resized(height, width)
    image = torch.from_numpy(out).permute(2, 0, 1).unsqueeze(0)
    resized = torch.nn.functional.interpolate(image, size=size, mode="bicubic", antialias=True)
    top, left = CENTRE.corner(height, width)
    pixels = resized[0, :, top : top + 224, left : left + 224].contiguous()
    times.append(time.process_time())
    return pixels, np.diff(times).tolist()


def centre(frame: av.VideoFrame, out: Pixels) -> tuple[torch.Tensor, list[float]]:
    """Do it as the engine does."""
    times = [time.process_time()]
    box = CENTRE.box(frame.height, frame.width)
    rgb = converted_part(frame, box)
    times.append(time.process_time())
    np.copyto(out[box.top : box.bottom, box.left : box.right], rgb)
    times.append(time.process_time())
    pixels = CLIP.pixels(out)
    times.append(time.process_time())
    return pixels, np.diff(times).tolist()


def milliseconds(action: Callable[[], object]) -> float:
    begin = time.process_time()
    action()
    return 1000 * (time.process_time() - begin)


def of_videos(paths: list[Path]) -> None:
    """Print how the CPU time of candidates is divided."""
    print(f"{'shares of CPU time':52}{'decode':>9}{'convert':>9}{'copy':>9}{'resize':>9}")
    for path in paths:
        with path.open("rb") as file, open_video(file, threads=1) as video:
            times = dict.fromkeys(("decode", *STEPS), 0.0)
            out = shared(1, 1)
            for frame in decoded(video.candidates(1.0), times):
                picture = frame._picture
                if out.shape[:2] != (picture.height, picture.width):
                    out = shared(picture.height, picture.width)
                    centre(picture, out)  # touches the memory
                _, steps = centre(picture, out)
                for step, seconds in zip(STEPS, steps, strict=True):
                    times[step] += seconds
                name = f"{path.name[:24]} {picture.width}×{picture.height} {picture.format.name}"
        shares = "".join(f"{each / sum(times.values()):9.1%}" for each in times.values())
        print(f"{name:52}{shares}", flush=True)


def decoded(frames: Iterator[Frame], times: dict[str, float]) -> Iterator[Frame]:
    """Yield the frames, and add the CPU seconds that each took."""
    while True:
        begin = time.process_time()
        frame = next(frames, None)
        times["decode"] += time.process_time() - begin
        if frame is None:
            return
        yield frame


if __name__ == "__main__":
    main()
