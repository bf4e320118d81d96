"""Result tables as the jobs write them, made without a model: Parquet with given rows."""

import io
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from spark_keyframes.account import account_columns
from spark_keyframes.images import encode_image, spark_image
from spark_keyframes.schema import (
    ACCOUNT_DDL,
    ERROR_DDL,
    IMAGE_DDL,
    KEYFRAMES_DDL,
    MADE_BY_DDL,
    arrow_type,
)

ERROR = {
    "stage": "open",
    "error": "SourceNotFoundError",
    "message": "no file x.mp4; check the path",
}
CURVE = pa.struct([("timestamps", pa.list_(pa.float64())), ("scores", pa.list_(pa.float32()))])
MADE_BY = {
    "text": "spoon",
    "model": "tiny_clip",
    "revision": "abc",
    "fps": 1.0,
    "max_num_frames": 4,
    "selector": "aks",
    "version": "0.1.0",
}
KEYFRAMES = arrow_type(f"struct<{KEYFRAMES_DDL}>")
SCHEMA = pa.schema(
    [
        ("video", pa.string()),
        ("keyframes", KEYFRAMES),
        ("timestamps", pa.list_(pa.float64())),
        ("error", arrow_type(f"struct<{ERROR_DDL}>")),
        ("made_by", arrow_type(f"struct<{MADE_BY_DDL}>")),
    ]
)
ACCOUNT = pa.field("account", arrow_type(f"struct<{ACCOUNT_DDL}>"))
ENCODED = pa.field("keyframes_images", pa.list_(pa.binary()))
ARRAYS = pa.field("keyframes_images", arrow_type(f"array<struct<{IMAGE_DDL}>>"))


def pixels(number, size=(90, 160)):
    """A frame whose colour depends on its number."""
    rgb = np.zeros((*size, 3), np.uint8)
    rgb[:] = (number * 53 % 256, number * 101 % 256, number * 197 % 256)
    return rgb


def jpeg(number, size=(90, 160)):
    return encode_image(pixels(number, size), ".jpg")


def video(name, *, frames=(10, 40), scores=None, paths=(), text="spoon", **more):
    """A row with keyframes, at 10 frames per second."""
    scores = scores or [round(0.5 + 0.01 * (frame % 30), 3) for frame in frames]
    return {
        "video": name,
        "keyframes": {"tos_paths": list(paths), "frame_ids": list(frames), "scores": scores},
        "timestamps": [frame / 10 for frame in frames],
        "error": None,
        "made_by": MADE_BY | {"text": text},
        **more,
    }


def failed(name, **more):
    return {
        "video": name,
        "keyframes": None,
        "timestamps": None,
        "error": ERROR,
        "made_by": MADE_BY,
        **more,
    }


def account(**values):
    return dict.fromkeys(account_columns(), 0) | values


def curve(count, seed=0):
    """Scores of a curve that rises and falls, a candidate per second."""
    rng = np.random.default_rng(seed)
    at = np.arange(count)
    scores = 0.5 + 0.15 * np.sin(at / count * math.tau * 2 + seed) + rng.normal(0, 0.03, count)
    return {"timestamps": at.astype(float).tolist(), "scores": scores.astype("f4").tolist()}


def image_cell(number):
    return dict(spark_image(pixels(number))) | {"data": pixels(number)[:, :, ::-1].tobytes()}


def write(path, rows, *fields, schema=SCHEMA):
    """Write rows as a Parquet file in a folder, with further columns."""
    for field in fields:
        schema = schema.append(field)
    path.mkdir(parents=True, exist_ok=True)
    name = f"part-{len(list(path.iterdir())):05}.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path / name)
    return path


def size_of(data_url):
    """Width and height of an image in a data: URL."""
    import base64

    return Image.open(io.BytesIO(base64.b64decode(data_url.partition(",")[2]))).size


def several_texts(*, images=False):
    """A row with two texts and a third that is null, and its schema."""
    lists = [SCHEMA.field(name) for name in ("keyframes", "timestamps")]
    lists = [each.with_type(pa.list_(each.type)) for each in lists]
    others = [SCHEMA.field(name) for name in ("video", "error", "made_by")]
    schema = pa.schema([*others, *lists, pa.field("text", pa.list_(pa.string())), ENCODED])
    row = video("a.mp4", text=None)
    second = {"tos_paths": [], "frame_ids": [40, 70, 90], "scores": [0.4, 0.9, 0.1]}
    row |= {
        "keyframes": [row["keyframes"], second, None],
        "timestamps": [row["timestamps"], [4.0, 7.0, 9.0], None],
        "text": ["spoon", "egg", None],
        "keyframes_images": [jpeg(each) for each in (10, 40, 70, 90)] if images else None,
    }
    return row, schema


EXPLODED = pa.schema(
    [
        *(each for each in SCHEMA if each.name not in ("keyframes", "timestamps")),
        ACCOUNT,
        ("text_index", pa.int32()),
        ("text", pa.string()),
        ("frame_index", pa.int32()),
        ("frame_id", pa.int64()),
        ("score", pa.float32()),
        ("tos_path", pa.string()),
        ("timestamp", pa.float64()),
    ]
)


def exploded(row, **more):
    """The rows of `explode_keyframes` for a row per video."""
    same = {name: row[name] for name in ("video", "error", "made_by")} | more
    cell = row["keyframes"]
    if cell is None:
        return [same]
    return [
        same
        | {
            "frame_index": at,
            "frame_id": frame,
            "score": cell["scores"][at],
            "timestamp": frame / 10,
        }
        for at, frame in enumerate(cell["frame_ids"])
    ]
