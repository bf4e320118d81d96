"""`--dry-run` of the jobs: what it says is what the job then does, and it writes nothing."""

import re
import shutil

import pytest

from spark_keyframes import ParameterError
from spark_keyframes.jobs import index, ingest, sample
from spark_keyframes.jobs.session import run_job
from tests.jobs.ingesting import arguments
from tests.jobs.tables import rows
from tests.video.clips import clip

MODEL = ["--clip-model-name", "small", "--fps", "5"]


def tree(folder):
    """All files and folders, with what would show that one was written."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.stat().st_size)
        for path in folder.rglob("*")
    }


def said(printed):
    """The lines by their first word; of several, the last."""
    return {line[:11].strip(): line[11:] for line in printed.splitlines()}


@pytest.fixture
def dry(spark, models, tmp_path, capsys):
    """Make a dry run of a job, and check that no file has changed; what it printed, by line."""

    def run(job, *given):
        options = job.parse_options(
            [str(each) for each in [*given, "--model-path", models, *MODEL]]
        )
        capsys.readouterr()
        before = tree(tmp_path)
        status = job.run(spark, options)
        assert tree(tmp_path) == before, "something was written"
        assert status == 0
        return said(capsys.readouterr().out)

    return run


def of_table(place):
    """What the accounts of a table's rows add up to."""
    accounts = [row["account"] for row in rows(place)]
    names = ("frames_scored", "images_uploaded", "bytes_uploaded")
    return [sum(each[name] for each in accounts) for name in names]


def test_it_says_what_the_job_then_does(dry, spark, models, folder, tmp_path):
    table, images = tmp_path / "new" / "table", tmp_path / "images" / "below"
    given = ["--max-num-frames", 3, "--output-tos-dir", images, "--account-col", "account"]
    given += ["--failed-output", tmp_path / "failed", "--output", table]
    found = dry(sample, "--input", folder, "--text", "spoon", *given, "--dry-run")
    size = sum(path.stat().st_size for path in folder.iterdir())
    assert found["dry run"] == "nothing is written"
    assert found["videos"] == f"3 to take, {size / 1e3:.1f} KB"
    assert found["headers"] == "3 read (all), 1 cannot be opened"
    assert found["failed"].startswith("1 at stage demux, e.g. NotAVideoError: ")
    assert found["length"] == "3.2 seconds"
    assert found["in"] == f"{size / 1e3:.1f} KB"
    assert found["table"] == str(table)
    assert found["failed to"] == str(tmp_path / "failed")
    assert re.fullmatch(r"\d\.\d seconds", found["CPU"])
    assert {"decode", "score", "images", "measured"} <= found.keys()
    given += ["--input", folder, "--text", "spoon", "--model-path", models, *MODEL]
    assert sample.run(spark, sample.parse_options([*map(str, given)])) == 0
    scored, stored, stored_bytes = of_table(table)
    assert found["candidates"] == f"{scored} at fps 5"
    count, at, place = re.fullmatch(r"(\d+), ([\d.]+) KB, in (.*)", found["images"]).groups()
    assert (int(count), place) == (stored, str(images))
    assert float(at) * 1e3 == pytest.approx(stored_bytes, rel=0.3)


def test_a_coarse_scan_scores_and_decodes_a_part(dry, folder):
    given = ["--input", folder, "--text", "spoon", "--dry-run"]
    every, some = dry(sample, *given), dry(sample, *given, "--scan", "coarse")
    assert some["candidates"] == f"{every['candidates']}, of which up to 35% are scored"
    assert some.keys() == every.keys()
    assert some["length"] == every["length"]


def test_with_resume_only_the_videos_that_are_left_count(dry, run, folder, tmp_path):
    run(folder / "c.mp4", "--fps", "5")
    given = ["--input", folder, "--text", "spoon", "--max-num-frames", 2]
    given += ["--output", tmp_path / "table", "--resume", "--dry-run"]
    found = dry(sample, *given)
    assert found["videos"].startswith("2 to take, ")
    assert found["known"] == "1 videos: in the table already, or given twice"
    assert found["length"] == "2.0 seconds"
    (folder / "b.mp4").unlink()
    (folder / "broken.mp4").unlink()
    found = dry(sample, *given)
    assert found["videos"] == "0 to take"
    assert "length" not in found
    with pytest.raises(ParameterError, match="rows with max_num_frames 2, not 3"):
        dry(sample, *given, "--max-num-frames", 3)


@pytest.mark.slow
def test_an_ingest_job_counts_what_is_new_and_leaves_its_checkpoint_alone(
    dry, models, spark, folder, tmp_path, capsys
):
    shutil.copy(folder / "b.mp4", tmp_path / "later.mp4")
    given = arguments(models, folder)
    found = dry(ingest, *given, "--dry-run")
    assert found["videos"].startswith("3 to take, ")
    assert not (tmp_path / "checkpoint").exists()
    assert ingest.run(spark, ingest.parse_options(given)) == 0
    assert dry(ingest, *given, "--dry-run")["videos"] == "0 to take"
    shutil.move(tmp_path / "later.mp4", folder / "later.mp4")
    found = dry(ingest, *given, "--dry-run")
    assert found["videos"].startswith("1 to take, ")
    assert found["length"] == "2.0 seconds"
    with pytest.raises(ParameterError, match="belongs to a run with selector 'aks'"):
        dry(ingest, *given, "--selector", "top", "--dry-run")
    # As bytes, which a dry run does not read into rows.
    binary = [*arguments(models, folder), "--video-src-type", "video_binary"]
    places = ["--output", str(tmp_path / "o"), "--checkpoint", str(tmp_path / "c")]
    found = dry(ingest, *binary, *places, "--dry-run")
    assert (found["length"], found["headers"]) == (
        "5.2 seconds",
        "4 read (all), 1 cannot be opened",
    )


@pytest.mark.slow
def test_an_index_has_the_size_of_its_embeddings(dry, folder, tmp_path):
    found = dry(index, "--input", folder, "--output", tmp_path / "index", "--dry-run")
    assert found["candidates"] == "16 at fps 5"
    dimensions, of_candidate = 24, 16
    (size,) = re.findall(r"in it ([\d.]+) KB", found["table"])
    assert float(size) * 1e3 == pytest.approx(16 * (4 * dimensions + of_candidate), rel=0.05)
    assert "images" not in found


@pytest.mark.slow
def test_pixels_and_curves_in_the_table_have_a_size(dry, folder, tmp_path):
    given = ["--input", folder, "--text", "a", "--text", "b", "--output", tmp_path / "table"]
    more = ["--max-num-frames", 4, "--images", "arrays", "--curve", "--min-score", 2, "--dry-run"]
    found = dry(sample, *given, *more)
    # Of both videos at most 8 and 6 frames of 160×96 pixels, and 16 candidates for each text.
    assert found["images"] == "at most 14, in the table"
    (size,) = re.findall(r"in it at most ([\d.]+) KB", found["table"])
    assert float(size) * 1e3 == pytest.approx(14 * 160 * 96 * 3 + 16 * 2 * 12, rel=0.01)


def test_some_of_many_videos_stand_for_all(dry, tmp_path):
    """Of 150 videos about 50 are opened; the truth is in the ranges, or close to them."""
    folder = tmp_path / "many"
    folder.mkdir()
    kinds = [clip("libx264", "mp4", frames=frames, size=(64, 48)) for frames in (10, 20, 60)]
    seconds = 0.0
    for number in range(150):
        kind = 0 if number % 5 else 1 + number % 2
        (folder / f"{number}.mp4").write_bytes(kinds[kind])
        seconds += (10, 20, 60)[kind] / 25
    found = dry(sample, "--input", folder, "--text", "spoon", "--dry-run")
    opened = int(found["headers"].split()[0])
    assert 30 <= opened <= 70
    assert found["headers"] == f"{opened} read (chosen by size), 0 cannot be opened"
    value = re.fullmatch(r"([\d.]+) \(([\d.]+) to ([\d.]+)\) (seconds|minutes)", found["length"])
    scale = 60 if value[4] == "minutes" else 1
    assert float(value[1]) * scale == pytest.approx(seconds, rel=0.2)
    assert found["ranges"].startswith("in brackets")
    again = dry(sample, "--input", folder, "--text", "spoon", "--dry-run")
    assert again["length"] == found["length"], "the same videos are opened"


@pytest.mark.slow
def test_texts_and_parts_and_bytes_of_rows(dry, spark, clips, tmp_path):
    rows_of = [
        (str(clips[0]), ["a", "b", "a", None], 1.0),
        (str(clips[1]), None, None),
        (None, [], 1.0),
    ]
    schema = "video string, texts array<string>, start double"
    spark.createDataFrame(rows_of, schema).write.parquet(str(tmp_path / "in"))
    given = ["--input", tmp_path / "in", "--input-col", "video", "--text-col", "texts"]
    given += ["--start-col", "start", "--output-tos-dir", tmp_path / "x", "--max-num-frames", 4]
    found = dry(sample, *given, "--dry-run")
    assert found["left out"] == "1 rows without a video"
    assert found["length"] == "4.6 seconds"
    assert found["candidates"] == "13 at fps 5", "a video without a text is not decoded"
    assert found["images"].startswith("at most 8, ")
    data = [(clips[0].read_bytes(), "a"), (b"no video", "b")]
    spark.createDataFrame(data, "video binary, id string").write.parquet(str(tmp_path / "bytes"))
    given = ["--input", tmp_path / "bytes", "--input-col", "video", "--text", "spoon"]
    found = dry(sample, *given, "--video-src-type", "video_binary", "--dry-run")
    assert found["length"] == "3.6 seconds"
    assert found["headers"] == "2 read (all), 1 cannot be opened"


def test_wrong_options_are_refused_as_by_the_job(spark, models, folder, tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    wrong = {
        ("--output", tmp_path / "file" / "table"): "cannot be",
        ("--output", tmp_path / "out", "--model-path", tmp_path): "no model in",
        ("--output", folder): "already exists",
        ("--output-tos-dir", tmp_path / "file"): "file",
        ("--partition-by", "nothing", "--output", tmp_path / "out"): "nothing",
    }
    before = tree(tmp_path)
    for more, message in wrong.items():
        given = ["--input", folder, "--text", "spoon", "--model-path", models, *MODEL, *more]
        options = sample.parse_options([*map(str, given), "--dry-run"])
        capsys.readouterr()
        assert run_job("sample.py", sample.run, options) == 2, more
        assert message in capsys.readouterr().err
    assert tree(tmp_path) == before
