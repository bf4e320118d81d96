"""jobs/search.py: the moments that it prints, writes and opens."""

import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from spark_keyframes import ParameterError, VideoAdaptiveKeyframesSampling
from spark_keyframes.jobs import index, search
from spark_keyframes.jobs.moments import clock
from spark_keyframes.video import candidate_frames
from tests.jobs.tables import rows

MOMENT = re.compile(r"^ +(\d+) +-?\d\.\d{3} +\d+:\d\d:\d\d\.\d  (\S+), frame (\d+)$", re.MULTILINE)


def shown(video):
    """The name as it is printed: the end of a long one."""
    return video if len(video) <= 60 else f"…{video[-59:]}"


@pytest.fixture(scope="module")
def indexed(spark, models, clips, tmp_path_factory):
    """A folder with two videos and one that failed, and their index."""
    base = tmp_path_factory.mktemp("indexed")
    videos = base / "videos"
    videos.mkdir()
    shutil.copy(clips[1], videos / "b.mp4")
    shutil.copy(clips[2], videos / "c.mp4")
    (videos / "broken.mp4").write_bytes(b"no video at all" * 50)
    given = ["--input", videos, "--output", base / "index", "--fps", "2"]
    given += ["--model-path", models, "--clip-model-name", "small"]
    assert index.run(spark, index.parse_options(list(map(str, given)))) == 0
    return base


@pytest.fixture
def run(spark, models, capsys):
    """Run the job in this process; its exit code and what it printed."""

    def run(base, *arguments):
        given = ["--input", base / "index", "--model-path", models, "--clip-model-name", "small"]
        options = search.parse_options([str(value) for value in [*given, *arguments]])
        capsys.readouterr()
        return search.run(spark, options), capsys.readouterr().out

    return run


def test_moments_are_printed_written_and_opened(run, spark, models, indexed, tmp_path):
    given = ["--text", "spoon", "--limit", "3", "--min-gap", "0", "--output", tmp_path / "hits"]
    status, printed = run(indexed, *given, "--open-frames", tmp_path / "frames")
    assert status == 0
    sampler = VideoAdaptiveKeyframesSampling(
        text="spoon", model_path=str(models), clip_model_name="small"
    )
    table = spark.read.parquet(str(indexed / "index"))
    expected = sampler.search(table, limit=3, min_gap=0).collect()
    assert MOMENT.findall(printed) == [
        (str(rank), shown(row["video"]), str(row["frame_id"]))
        for rank, row in enumerate(expected, 1)
    ]
    assert printed.startswith("spoon\n")
    assert f"index      {indexed}/index: 3 videos, 1 of them without candidates" in printed
    assert "images     3 of 3 stored: " in printed

    written = rows(tmp_path / "hits")
    assert written[0].keys() == {"video", "error", "frame_id", "timestamp", "score"}
    assert [row["frame_id"] for row in written] == [row["frame_id"] for row in expected]
    with pytest.raises(ParameterError, match="already exists"):
        run(indexed, *given)

    for rank, row in enumerate(expected, 1):
        name = f"{rank:03}-{Path(row['video']).stem}-{row['frame_id']:08}.jpg"
        found = np.asarray(Image.open(tmp_path / "frames" / name), np.float64)
        frames = candidate_frames(row["video"], fps=100)
        frame = next(each for each in frames if each.frame_id == row["frame_id"])
        assert abs(found - frame.to_rgb()).mean() < 6, "JPEG"
        assert f"{tmp_path}/frames/{name}" in printed


@pytest.mark.parametrize("mode", ["overwrite", "append"])
def test_moments_are_not_written_into_the_index(run, spark, indexed, mode):
    before = {path: path.stat().st_size for path in (indexed / "index").iterdir()}
    with pytest.raises(ParameterError, match="index is the index; choose another place"):
        run(indexed, "--text", "spoon", "--output", f"file:{indexed}/index", "--mode", mode)
    assert {path: path.stat().st_size for path in (indexed / "index").iterdir()} == before


@pytest.mark.slow
def test_several_texts_have_a_table_and_a_folder_each(run, indexed, tmp_path):
    given = ["--text", "a spoon", "--text", "a_spoon", "--limit", "1", "--open-frames", tmp_path]
    _, printed = run(indexed, *given)
    assert [rank for rank, *_ in MOMENT.findall(printed)] == ["1", "1"]
    assert printed.index("a spoon\n") < printed.index("a_spoon\n")
    found = sorted(path.parent.name for path in tmp_path.rglob("*.jpg"))
    assert found == ["1-a_spoon", "2-a_spoon"]
    assert "images     2 of 2 stored" in printed


@pytest.mark.slow
def test_videos_that_changed_or_are_gone_cost_their_own_frames(run, indexed, clips, tmp_path):
    base = tmp_path / "base"
    shutil.copytree(indexed / "index", base / "index")
    given = [
        "--text",
        "spoon",
        "--limit",
        "100",
        "--min-gap",
        "0",
        "--open-frames",
        base / "frames",
    ]
    changed, kept = (indexed / "videos" / name for name in ("b.mp4", "c.mp4"))
    before = changed.read_bytes()
    try:
        changed.unlink()
        status, printed = run(base, *given)
        assert status == 0
        assert "no image: SourceNotFoundError" in printed
        assert len(list((base / "frames").glob("*.jpg"))) == printed.count("/c.mp4, frame")
        changed.write_bytes(kept.read_bytes())
        status, printed = run(base, *given)
        assert status == 0
        assert "no image: VideoChangedError" in printed
        kept_bytes = kept.read_bytes()
        kept.unlink()
        changed.unlink()
        status, printed = run(base, *given)
        kept.write_bytes(kept_bytes)
        assert status == 1, "no frame could be opened"
    finally:
        changed.write_bytes(before)


@pytest.mark.slow
def test_min_score_may_find_nothing(run, indexed):
    status, printed = run(indexed, "--text", "spoon", "--min-score", "0.9999")
    assert status == 0
    assert "nothing found" in printed


def test_the_videos_are_needed_only_to_open_frames(run, spark, indexed, tmp_path):
    table = spark.read.parquet(str(indexed / "index"))
    table.drop("video").write.parquet(str(tmp_path / "index"))
    _, printed = run(tmp_path, "--text", "spoon", "--limit", "1")
    assert "a video, frame" in printed
    with pytest.raises(ParameterError, match="`open_frames` needs the videos, and the index has"):
        run(tmp_path, "--text", "spoon", "--open-frames", tmp_path / "frames")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--text is required: what to search for"),
        (["--text", " "], "--text is required: what to search for"),
        (["--text", "x", "--text", ""], "--text is required: what to search for"),
        (["--text", "x", "--limit", "0"], "limit must be at least 1"),
        (["--text", "x", "--min-gap", "-1"], "at least 0 and finite"),
        (["--text", "x", "--fps", "2"], "unrecognized arguments: --fps"),
        (["--text", "x", "--max-num-frames", "2"], "unrecognized arguments: --max-num-frames"),
        (["--text", "x", "--output", "a", "--output-table", "b"], "exclude each other"),
    ],
)
def test_options_that_are_refused(arguments, message, capsys):
    with pytest.raises(SystemExit) as end:
        search.parse_options(["--input", "i", *arguments])
    assert end.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0:00:00.0"), (59.96, "0:01:00.0"), (3599.94, "0:59:59.9"), (90061.25, "25:01:01.2")],
)
def test_times_have_hours(seconds, shown):
    assert clock(seconds) == shown


def test_row_groups_of_an_index_are_small(spark, tmp_path):
    """Spark reads a row group at once."""
    from pyspark.sql import functions as sf

    from spark_keyframes.jobs.table import Table

    embedding = sf.transform(sf.sequence(sf.lit(1), sf.lit(512)), lambda _: sf.rand().cast("float"))
    candidate = sf.struct(
        sf.lit(0).cast("bigint").alias("frame_id"),
        sf.lit(0.0).alias("timestamp"),
        embedding.alias("embedding"),
    )
    # All differ: Spark compresses pages before it counts their bytes.
    candidates = sf.transform(sf.sequence(sf.lit(1), sf.lit(2000)), lambda _: candidate)
    rows = spark.range(0, 8, 1, 1).withColumn("candidates", candidates)
    Table(place=str(tmp_path / "index")).save(rows, "error")
    (file,) = (tmp_path / "index").glob("*.parquet")
    meta = pq.read_metadata(file)
    groups = [meta.row_group(number) for number in range(meta.num_row_groups)]
    assert max(group.total_byte_size for group in groups) < 24 * 2**20
    columns = [groups[0].column(number) for number in range(groups[0].num_columns)]
    encodings = {each.path_in_schema: each.encodings for each in columns}
    assert "PLAIN_DICTIONARY" in encodings["candidates.list.element.timestamp"]
    assert "PLAIN_DICTIONARY" not in encodings["candidates.list.element.embedding.list.element"]
