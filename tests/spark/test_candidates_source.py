"""The data source of frames: `spark.read.format("keyframe_candidates")`."""

import json
import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pytest
from pyspark.errors import AnalysisException, PythonException
from pyspark.sql.types import BinaryType, LongType, StructField, StructType

import spark_keyframes
from spark_keyframes import KeyframeCandidates, rgb_array
from spark_keyframes.errors import KeyframesError, ParameterError, SourceNotFoundError
from spark_keyframes.limits import Limits
from spark_keyframes.schema import FRAME_COLUMNS, IMAGE_DDL, arrow_type
from spark_keyframes.spark import candidates_rows
from spark_keyframes.spark.candidates_options import CandidatesOptions, option_fields, paths_of
from spark_keyframes.spark.candidates_rows import Part, frame_batches
from spark_keyframes.storage import Access
from spark_keyframes.video import candidate_frames, needed_packets
from spark_keyframes.video.thread_decoder import ThreadVideo
from tests.video.clips import FAST, clip_named, damaged

TYPES = FRAME_COLUMNS | {"image": f"struct<{IMAGE_DDL}>"}
SCHEMA = pa.schema([pa.field(name, arrow_type(ddl)) for name, ddl in TYPES.items()])
PLAIN = SCHEMA.remove(4)


@pytest.fixture(scope="module")
def frames(spark):
    """Reads with options, and with a schema."""
    spark.dataSource.register(KeyframeCandidates)

    def read(*paths, schema=None, **options):
        reader = spark.read.format("keyframe_candidates").options(**options)
        if schema:
            reader = reader.schema(schema)
        return reader.load([str(path) for path in paths])

    return read


def rows_of(parts, schema=SCHEMA, **options):
    given = CandidatesOptions(**{"decoder": "thread", "fps": 5, **options})
    return [row for batch in frame_batches(parts, given, schema) for row in batch.to_pylist()]


def partitions_of(*paths, image=False, **options):
    source = KeyframeCandidates({"paths": json.dumps([str(path) for path in paths]), **options})
    schema = StructType().add("frame_id", LongType())
    if image:
        schema = KeyframeCandidates({"path": "x", "image": "true"}).schema()
    return [partition.parts for partition in source.reader(schema).partitions()]


# Through Spark


def test_frames_are_the_candidates_of_a_sampler_with_their_pixels(frames, clips, sampler):
    found = frames(*clips, fps=5, image=True).collect()
    expected = [sampler.sample(str(path)).candidates for path in clips]
    for path, candidates in zip(clips, expected, strict=True):
        rows = [row for row in found if row["path"] == str(path)]
        assert [row["frame_id"] for row in rows] == candidates.frame_ids
        assert [row["timestamp"] for row in rows] == candidates.timestamps
        for row, frame in zip(rows, candidate_frames(str(path), fps=5), strict=True):
            assert np.array_equal(rgb_array(row["image"]), frame.to_rgb())
            assert row["image"]["origin"] == str(path)
    assert len(found) == sum(len(each.frame_ids) for each in expected)


def test_a_glob_is_read_without_pixels(frames, clips):
    found = frames(f"{clips[0].parent}/[ab].mp4")
    assert found.columns == list(FRAME_COLUMNS)
    assert found.rdd.getNumPartitions() == 2
    assert [row["frame_id"] for row in found.collect()] == [0, 25, 50, 75, 0, 25]


def test_a_schema_says_which_columns_there_are(frames, clips):
    found = frames(clips[2], schema="image binary, timestamp double")
    assert found.columns == ["image", "timestamp"]
    (row, _) = found.collect()
    assert row["timestamp"] == 0.0
    (first, *_) = candidate_frames(str(clips[2]))
    assert rgb_array(row["image"]).shape == first.to_rgb().shape


def test_a_video_that_fails_fails_the_job_and_is_named(frames, clips, tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    with pytest.raises(PythonException, match="NotAVideoError: .*bad.mp4"):
        frames(tmp_path, clips[0]).collect()


def test_or_it_gives_a_row_with_the_reason(frames, clips, tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    *rows, last = frames(clips[2], tmp_path, on_error="null").collect()
    assert [(row["frame_id"], row["error"]) for row in rows] == [(0, None), (25, None)]
    assert last["path"] == str(tmp_path / "bad.mp4")
    assert last["error"]["error"] == "NotAVideoError"
    assert (last["frame_id"], last["timestamp"], last["is_keyframe_packet"]) == (None, None, None)


def test_what_is_wrong_is_said_on_the_driver(frames, clips):
    with pytest.raises(AnalysisException, match="ParameterError.*no option 'fsp'; did you mean"):
        frames(clips[0], fsp=1)


def test_no_secret_of_a_url_is_in_the_plan_or_in_an_error(frames, capfd):
    url = "http://me:planted@127.0.0.1:9/a.mp4?X-Tos-Signature=planted"
    found = frames(url, allowed_hosts="example.com")
    found.explain(extended=True)
    with pytest.raises(PythonException) as caught:
        found.collect()
    assert "127.0.0.1:9/a.mp4" in str(caught.value)
    assert "planted" not in str(caught.value)
    assert "planted" not in "".join(capfd.readouterr())


# Parts of videos


@pytest.fixture
def small_files_are_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(needed_packets, "LEAST_BYTES", 0)


_NAMES = [
    *("h264 mp4", "h264 B-pyramid", "h264 open GOP mp4", "h264 open GOP ts", "h264 edit list"),
    *("h264 variable rate", "hevc mkv", "h264 fragmented", "h264 negative pts ts", "vp9 webm"),
    *("h264 turned", "h264 avi", "h264 repeated timestamps", "h264 truncated mp4", "mpeg4 mp4"),
    *("av1 mp4", "msmpeg4v3 avi"),
]


@pytest.mark.usefixtures("small_files_are_read_in_parts")
@pytest.mark.parametrize("name", _NAMES)
@pytest.mark.parametrize("suffix", [".mp4", ".any"])
def test_parts_have_the_frames_of_the_whole_video(tmp_path, name, suffix):
    path = tmp_path / f"video{suffix}"
    path.write_bytes(clip_named(name))
    whole = rows_of([Part(str(path))])
    for count in (2, 7):
        parts = [rows_of([Part(str(path), number, count)]) for number in range(count)]
        assert [row for part in parts for row in part] == whole
    # A name that ends as those of MP4 do, of another container: only the first part has frames.
    if name in FAST and (suffix == ".any" or name.endswith("mp4")):
        assert sum(map(bool, parts)) > 1


@pytest.mark.usefixtures("small_files_are_read_in_parts")
@pytest.mark.parametrize("seed", range(4))
def test_parts_of_a_damaged_video(tmp_path, seed):
    path = tmp_path / "video.mp4"
    path.write_bytes(damaged(clip_named("h264 mp4"), seed, size=400))
    whole = rows_of([Part(str(path))], fps=12)
    assert rows_of([Part(str(path), number, 5) for number in range(5)], fps=12) == whole


@pytest.mark.usefixtures("small_files_are_read_in_parts")
def test_parts_of_a_remote_video():
    with fsspec.open("memory://parts/video.mp4", "wb") as file:
        file.write(clip_named("h264 mp4"))
    path = "memory://parts/video.mp4"
    whole = rows_of([Part(path)])
    assert len(whole) == 18
    assert rows_of([Part(path, number, 4) for number in range(4)]) == whole


def test_times_are_those_of_the_frames_and_nothing_is_decoded(clips, monkeypatch):
    whole = rows_of([Part(str(clips[0]))])
    monkeypatch.setattr(ThreadVideo, "candidates", None)
    times = rows_of([Part(str(clips[0]))], PLAIN)
    assert times == [{name: row[name] for name in FRAME_COLUMNS} for row in whole]


def test_a_frame_after_which_a_video_fails_is_kept(clips, monkeypatch):
    real = candidates_rows.spark_image

    def failing(rgb, origin):
        if calls.append(origin) or len(calls) > 2:
            raise ValueError("https://me:secret@host/")
        return real(rgb, origin=origin)

    calls = []
    monkeypatch.setattr(candidates_rows, "spark_image", failing)
    schema = SCHEMA.append(pa.field("error", arrow_type("struct<error string, message string>")))
    rows = rows_of([Part(str(clips[0]))], schema, on_error="null")
    assert [row["frame_id"] for row in rows] == [0, 5, None]
    assert rows[-1]["error"]["error"] == "ValueError"
    assert "secret" not in str(rows)
    calls.clear()
    with pytest.raises(KeyframesError, match="a.mp4: .*host") as caught:
        rows_of([Part(str(clips[0]))], on_error="raise")
    assert "secret" not in str(caught.value)


def test_batches_are_bounded_by_bytes_and_rows(clips, monkeypatch):
    monkeypatch.setattr(candidates_rows, "_BATCH_BYTES", 4 * 160 * 96 * 3)
    monkeypatch.setattr(candidates_rows, "_BATCH_ROWS", 5)
    options = CandidatesOptions(decoder="thread", fps=5)
    for schema, most in ((SCHEMA, 4), (PLAIN, 5)):
        sizes = [b.num_rows for b in frame_batches([Part(str(clips[0]))], options, schema)]
        assert sizes == [most] * (18 // most) + [18 % most] * (18 % most > 0)


# Planning


def test_files_are_cut_by_their_size_and_not_opened(tmp_path, monkeypatch):
    for name, size in (("a.mp4", 1000), ("b.mkv", 2500), ("c.mp4", 0)):
        (tmp_path / name).touch()
        os.truncate(tmp_path / name, size)
    monkeypatch.setattr("builtins.open", None)
    found = partitions_of(tmp_path, image=True, partition_bytes="1000")
    assert [(Path(p.path).name, p.number, p.count) for (p,) in found] == [
        *[("a.mp4", 0, 1), ("b.mkv", 0, 3), ("b.mkv", 1, 3), ("b.mkv", 2, 3), ("c.mp4", 0, 1)]
    ]
    # Packets alone are read at once.
    assert len(partitions_of(tmp_path, partition_bytes="1000")) == 3
    found = partitions_of(tmp_path, image=True, partition_bytes="1000", max_partitions="2")
    assert list(map(len, found)) == [2, 2]
    assert [[part.number for part in parts] for parts in found] == [[0, 0], [1, 0]]


def test_of_remote_files_those_are_cut_that_need_no_bytes_before_a_part():
    for name in ("a.mp4", "b.mkv", "c.txt"):
        with fsspec.open(f"memory://planned/{name}", "wb") as file:
            file.write(b"x" * 3000)
    found = partitions_of("memory://planned/", image=True, partition_bytes="1000")
    assert [(p.path, p.number) for (p,) in found] == [
        *[("memory://planned/a.mp4", number) for number in range(3)],
        ("memory://planned/b.mkv", 0),
    ]


def test_several_places_lists_and_urls(tmp_path, clips):
    list_of_videos = tmp_path / "list.txt"
    relative = os.path.relpath(clips[0])
    list_of_videos.write_text(
        f"# two\n{relative}\n{clips[0].as_uri()}\n\nhttps://example.com/v.mp4\ntos:/b/v.mp4\n"
    )
    found = partitions_of(list_of_videos, clips[1].as_uri(), clips[0], "http://host/v?x=1")
    paths = [part.path for (part,) in found]
    listed = [str(clips[0]), "https://example.com/v.mp4", "tos:/b/v.mp4"]
    assert paths == [*listed, str(clips[1]), "http://host/v?x=1"]


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("/nowhere/*.mp4", SourceNotFoundError, "nothing found at '/nowhere"),
        ("{tmp}", ParameterError, "no videos in .*looked for"),
        ("{tmp}/empty.txt", ParameterError, "every line is empty or a comment"),
        ("https://host/list.txt", ParameterError, "a list of videos must be in a file system"),
    ],
)
def test_places_without_videos(tmp_path, path, error, message):
    (tmp_path / "empty.txt").write_text("#\n")
    with pytest.raises(error, match=message):
        partitions_of(path.format(tmp=tmp_path))


# Options


def test_options_are_those_of_the_sampler_and_of_limits_and_access():
    texts = {
        "maxDownloadBytes": "2G",
        "max_video_seconds": "inf",
        "allowed_schemes": "https, tos",
        "PRIVATE_ADDRESSES": "False",
        "images": "encoded",
        "video_stream": "1",
        "path": "x",
    }
    assert CandidatesOptions.of(texts) == CandidatesOptions(
        limits=Limits(max_download_bytes=2 * 2**30, max_video_seconds=math.inf),
        access=Access(allowed_schemes=("https", "tos"), private_addresses=False),
        images="encoded",
        video_stream=1,
    )
    assert len({field.name for field in option_fields()}) == len(option_fields())


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("image", "yes", "image must be one of true, false, got 'yes'"),
        ("images", "jpeg", "images must be one of arrays, encoded"),
        ("fps", "fast", "fps must be a number, got 'fast'"),
        ("max_frames", "1.5", "max_frames must be a whole number"),
        ("max_download_bytes", "1X", "must be a number of bytes such as 8G"),
        ("allowed_roots", "", "allowed_roots must be names with commas"),
        ("allowed_roots", "videos", "allowed_roots must hold absolute paths"),
        ("max_partitions", "0", "max_partitions must be at least 1"),
        ("on_error", "skip", "on_error must be one of null, raise"),
        ("selector", "aks", "no option 'selector'; known are fps, image"),
        ("location", "file:/a.mp4", "cannot be a table: .*; use CREATE TEMPORARY VIEW name USING"),
    ],
)
def test_options_that_are_wrong(name, text, message):
    with pytest.raises(ParameterError, match=message):
        CandidatesOptions.of({name: text})


@pytest.mark.parametrize(
    ("options", "columns", "message"),
    [
        ({}, {"colour": LongType()}, "no column 'colour'; it has path, frame_id"),
        ({}, {"timestamp": LongType()}, "timestamp is of type double, and the schema says bigint"),
        ({"image": "true"}, {"frame_id": LongType()}, "image is true, and the schema has no col"),
        ({"images": "arrays"}, {"image": BinaryType()}, "image is of type struct<origin:string"),
    ],
)
def test_schemas_that_are_wrong(options, columns, message):
    schema = StructType([StructField(name, kind) for name, kind in columns.items()])
    with pytest.raises(ParameterError, match=message):
        KeyframeCandidates({"path": "x", **options}).reader(schema)


def test_a_path_is_needed():
    assert paths_of({"path": "a"}) == ["a"]
    assert paths_of({"paths": '["a", "b"]'}) == ["a", "b"]
    with pytest.raises(ParameterError, match="needs a path; use e.g. load"):
        paths_of({})


def test_rules_of_access_and_limits_hold(clips, tmp_path):
    part = Part(str(clips[0]))
    with pytest.raises(KeyframesError, match="in none of allowed_roots"):
        rows_of([part], access=Access(allowed_roots=(str(tmp_path),)))
    with pytest.raises(KeyframesError, match="max_frames of limits"):
        rows_of([part], PLAIN, limits=Limits(max_frames=5))


def test_spark_3_has_no_such_sources(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspark.sql.datasource", None)
    monkeypatch.delitem(sys.modules, "spark_keyframes.spark.candidates_source")
    monkeypatch.delitem(vars(spark_keyframes), "KeyframeCandidates", raising=False)
    with pytest.raises(ImportError, match="needs the Python data sources of Spark 4.0, and this"):
        spark_keyframes.KeyframeCandidates  # noqa: B018
