"""A program that runs the documented example, and more, on Daft; see test_daft_example.py.

python daft_program.py EXAMPLE.py '{"videos": […], "construct_args": {…}, …}' RESULT.json
"""

import json
import runpy
import sys
import time
from hashlib import sha256
from pathlib import Path

import daft
from daft import col

from spark_keyframes.daft import VideoAdaptiveKeyframesSampling, las_udf
from tests.counted_module import Counted


def main(example, options, result):
    names = runpy.run_path(example, run_name="__main__")
    found = {"runner": daft.get_or_infer_runner_type(), "schema": str(names["ds"].schema())}

    # The function of the example, on more rows.
    videos = {"id": list(range(len(options["videos"]))), "video": options["videos"]}
    rows = daft.from_pydict(videos)
    found["example"] = rows_of(rows.with_column("found", names["keyframe_sampler"](col("video"))))

    # Two actors with a module of their own, which is set up once in each.
    Path("setups").mkdir()
    module = Counted(folder=str(Path("setups").absolute()))
    keyframes = las_udf(
        VideoAdaptiveKeyframesSampling,
        construct_args={
            "fps": 5,
            "max_num_frames": 2,
            "output_tos_dir": "images",
            "module": module,
        },
        concurrency=2,
        batch_size=1,
        images="arrays",
        error=True,
    )
    brightness = rows.with_column("found", keyframes(col("video"), "spoon"))
    found["brightness"] = rows_of(brightness)
    found["setups"] = [path.read_text() for path in Path("setups").iterdir()]

    began = time.monotonic()
    found["gpu"] = error_of(lambda: operator(options, num_gpus=1)(col("video")))
    found["gpu_seconds"] = time.monotonic() - began
    raising = operator(options, on_error="raise")(col("video"))
    found["raised"] = error_of(lambda: rows.with_column("found", raising).collect())
    number = operator(options)(col("id"))
    found["column"] = error_of(lambda: rows.with_column("found", number).collect())
    Path(result).write_text(json.dumps(found, default=digest))


def digest(image):
    return sha256(image.tobytes()).hexdigest()


def operator(options, **more):
    return las_udf(VideoAdaptiveKeyframesSampling, options["construct_args"], **more)


def rows_of(frame):
    """The rows in order: Ray gives them as its actors end."""
    return [row["found"] for row in sorted(frame.to_pylist(), key=lambda row: row["id"])]


def error_of(function):
    try:
        function()
    except Exception as error:  # noqa: BLE001 - the test looks at it
        texts = []
        while error is not None:
            texts.append(f"{type(error).__name__}: {error}")
            error = error.__cause__
        return "\n".join(texts)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]), sys.argv[3])
