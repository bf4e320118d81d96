"""Measures a report of many videos: the time to write it, its size, the time to open it.

    python -m benchmarks.report_page [--count 1000] [--keyframes 8] [--videos FOLDER]

The images are frames of the clips in `--videos`, as JPEG files, or drawings where there are none.
Each keyframe has a file of its own name. Each video has a curve of 120 candidates. The report is
written by `write_report`, which reads each image, and opened in the Chromium of this machine, until
its first videos are drawn; then a word is written into the filter.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import inputs
from spark_keyframes.demo.scene import paint, random_scene
from spark_keyframes.images import encode_image
from spark_keyframes.report import write_report
from spark_keyframes.schema import CURVE_DDL, KEYFRAMES_DDL, arrow_type
from spark_keyframes.video import candidate_frames

CANDIDATES = 120
DIFFERENT = 200  # images; the others are these again


def frames(clips: list[Path]) -> list[Any]:
    """Frames of clips, or drawings of 720 lines."""
    if not clips:
        scenes = (random_scene(np.random.default_rng(seed)) for seed in range(DIFFERENT))
        return [np.asarray(paint(scene, 720))[:720, :1280] for scene in scenes]
    each = DIFFERENT // len(clips)
    found = [islice(candidate_frames(clip, fps=2), each) for clip in clips]
    return [frame.to_rgb() for of_clip in found for frame in of_clip]


def write_table(folder: Path, count: int, keyframes: int, clips: list[Path]) -> Path:
    images = []
    for number, rgb in enumerate(frames(clips)):
        path = folder / f"{number}.jpg"
        path.write_bytes(encode_image(rgb, ".jpg"))
        images.append(path)
    size = sum(path.stat().st_size for path in images) / len(images)
    print(f"{len(images)} images of {size / 1e3:.0f} KB on average")
    rng, source = np.random.default_rng(0), cycle(images)
    rows = []
    for number in range(count):
        places = np.sort(rng.choice(CANDIDATES, keyframes, replace=False))
        scores = rng.normal(0.25, 0.02, CANDIDATES)
        paths = [folder / f"{number}-{place}.jpg" for place in places]
        for path in paths:
            os.link(next(source), path)
        rows.append(
            {
                "video": f"videos/{number:04}.mp4",
                "keyframes": {
                    "tos_paths": [str(path) for path in paths],
                    "frame_ids": (places * 25).tolist(),
                    "scores": scores[places].tolist(),
                },
                "timestamps": places.astype(float).tolist(),
                "curve": {
                    "timestamps": np.arange(float(CANDIDATES)).tolist(),
                    "scores": scores.tolist(),
                },
            }
        )
    schema = pa.schema(
        [
            ("video", pa.string()),
            ("keyframes", arrow_type(f"struct<{KEYFRAMES_DDL}>")),
            ("timestamps", pa.list_(pa.float64())),
            ("curve", arrow_type(f"struct<{CURVE_DDL}>")),
        ]
    )
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "table.parquet")
    return folder / "table.parquet"


def open_in_chromium(page: Path) -> tuple[float, float]:
    """Seconds until the first videos are drawn, and from a word in the filter to its videos."""
    from playwright.sync_api import sync_playwright

    drawn = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        tab.set_default_timeout(300_000)
        begin = time.perf_counter()
        tab.goto(page.as_uri())
        tab.evaluate(drawn)
        opened = time.perf_counter()
        tab.fill("#filter", "videos/0007")
        tab.evaluate(drawn)
        filtered = time.perf_counter()
        assert tab.locator(".video:visible").count() == 1
        browser.close()
    return opened - begin, filtered - opened


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--keyframes", type=int, default=8)
    parser.add_argument("--videos", type=Path, default=inputs.VIDEOS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clips = inputs.real_clips(options.videos)
        table = write_table(Path(folder), options.count, options.keyframes, clips)
        begin, cpu = time.perf_counter(), time.process_time()
        done = write_report(table, Path(folder) / "report.html")
        wall, cpu = time.perf_counter() - begin, time.process_time() - cpu
        print(f"wrote  {done.cards} videos, {done.images} images in {wall:.1f} s ({cpu:.1f} CPU s)")
        print(f"size   {done.size / 1e6:.1f} MB")
        opened, filtered = open_in_chromium(Path(folder) / "report.html")
        print(f"opened in {opened:.2f} s, filtered in {filtered:.2f} s")


if __name__ == "__main__":
    main()
