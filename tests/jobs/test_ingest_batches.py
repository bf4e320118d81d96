"""What jobs/ingest.py takes from its input, run after run, in this process."""

import json
import os
import socket
import time
from pathlib import Path

import pytest

from spark_keyframes import ParameterError
from spark_keyframes.jobs.checkpoint import Checkpoint
from spark_keyframes.jobs.failure_limit import TooManyFailuresError
from spark_keyframes.jobs.ingest import parse_options, run
from tests.jobs.ingesting import arguments, rows
from tests.video.clips import clip


@pytest.fixture(scope="module")
def video():
    return clip("libx264", "mp4", frames=10, size=(64, 48))


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "landing"
    folder.mkdir()
    return folder


@pytest.fixture
def ingest(spark, models, folder, capsys):
    """Run the job in this process; its exit code and what it printed."""

    def run_ingest(*more):
        options = parse_options(arguments(models, folder, "--no-return-keyframes", *more))
        capsys.readouterr()
        return run(spark, options), capsys.readouterr().out

    return run_ingest


def names(folder):
    return sorted(Path(row["video"]).stem for row in rows(folder.parent / "table"))


@pytest.mark.slow
def test_takes_new_files_and_refuses_another_runs_checkpoint(ingest, folder, video, clips, spark):
    (folder / "a.mp4").write_bytes(video)
    (folder / "broken.mp4").write_bytes(b"no video" * 99)
    (folder / "notes.md").write_text("not looked at")
    status, printed = ingest()
    assert status == 0
    assert "videos     2: 1 with keyframes, 1 failed" in printed
    assert "failed     1 at stage demux, e.g. NotAVideoError" in printed

    # More than a week older than the others, in a subfolder; and a file that has changed.
    (folder / "more").mkdir()
    (folder / "more" / "old.mp4").write_bytes(video)
    os.utime(folder / "more" / "old.mp4", (0, 10**9))
    (folder / "a.mp4").write_bytes(clips[2].read_bytes())
    assert "videos     1: 1 with keyframes, 0 failed" in ingest()[1]
    assert "videos     0: nothing new" in ingest()[1]
    assert names(folder) == ["a", "broken", "old"], "a video is known by its path"

    with pytest.raises(
        ParameterError, match="belongs to a run with text 'spoon', and this one has"
    ):
        ingest("--text", "egg")
    with pytest.raises(ParameterError, match="belongs to a run with output '.*table'"):
        ingest("--output", str(folder.parent / "other"))

    # The same table with another checkpoint: its videos are not sampled again.
    another = ["--checkpoint", str(folder.parent / "another")]
    with pytest.raises(ParameterError, match="table already exists, and the checkpoint .* is new"):
        ingest(*another)
    (folder / "b.mp4").write_bytes(video)
    _, printed = ingest(*another, "--mode", "append")
    assert "known      3 videos" in printed
    assert "videos     1: 1 with keyframes, 0 failed" in printed

    ours = folder.parent / "another" / "spark_keyframes"

    def locks():
        return list(ours.glob("lock_*"))

    with Checkpoint(spark, str(folder.parent / "another")).locked():
        assert len(locks()) == 1
        with pytest.raises(ParameterError, match=f"another job uses .*process {os.getpid()} on"):
            ingest(*another)
        assert len(locks()) == 1
    assert not locks()
    now = int(time.time())
    (ours / f"lock_a_{os.getpid()}_0_{now}_{socket.gethostname()}").touch()
    assert ingest(*another)[0] == 0, "its process ended, and another process has its id now"
    assert not locks()
    (ours / f"lock_a_1_0_{now - 60}_else_where").touch()
    with pytest.raises(ParameterError, match="another job uses .* on else_where"):
        ingest(*another)
    (lock,) = locks()
    lock.rename(ours / f"lock_a_1_0_{now - 180}_else_where")
    assert ingest(*another)[0] == 0, "it was not renewed for long"
    assert not locks()

    # Another program's checkpoint.
    spark.readStream.text(str(folder)).writeStream.trigger(availableNow=True).option(
        "checkpointLocation", str(folder.parent / "foreign")
    ).format("noop").start().awaitTermination()
    with pytest.raises(ParameterError, match="is another program's"):
        ingest("--checkpoint", str(folder.parent / "foreign"), "--mode", "append")


@pytest.mark.slow
def test_lists_of_videos_failures_apart_and_bytes(ingest, folder, video, tmp_path):
    """A video that is listed again, in the same list or another, is not sampled again."""
    films = tmp_path / "films"
    films.mkdir()
    for name in ("a", "b"):
        (films / f"{name}.mp4").write_bytes(video)

    def listed(number, *names):
        lines = [json.dumps({"url": str(films / f"{name}.mp4"), "title": name}) for name in names]
        (folder / f"{number}.json").write_text("\n".join([*lines, json.dumps({"title": "none"})]))

    given = ["--input-col", "url", "--input-format", "json", "--failed-output"]
    given += [str(tmp_path / "failed"), "--files-per-batch", "1"]
    listed(0, "a", "later", "a")
    listed(1, "a", "b")
    _, printed = ingest(*given)
    assert "known      2 videos" in printed
    assert "left out   2 rows without a video" in printed
    assert sorted((row["title"], row["url"]) for row in rows(tmp_path / "table")) == [
        (name, str(films / f"{name}.mp4")) for name in ("a", "b")
    ]
    assert [row["title"] for row in rows(tmp_path / "failed")] == ["later"]

    (films / "later.mp4").write_bytes(video)
    listed(2, "later")
    assert "videos     0: nothing new" in ingest(*given)[1]
    listed(3, "later")
    ingest(*given, "--retry-failed")
    assert sorted(row["title"] for row in rows(tmp_path / "table")) == ["a", "b", "later"]

    # Spark reads the videos and passes their bytes, which the table does not keep.
    given = ["--input", str(films), "--output", str(tmp_path / "bytes"), "--checkpoint"]
    _, printed = ingest(*given, str(tmp_path / "other"), "--video-src-type", "video_binary")
    assert "videos     3: 3 with keyframes, 0 failed" in printed
    found = rows(tmp_path / "bytes")
    assert found[0].keys() == {"path", "keyframes", "error", "timestamps", "made_by"}
    assert sorted(Path(row["path"]).stem for row in found) == ["a", "b", "later"]


@pytest.mark.slow
def test_a_batch_with_too_many_failures_comes_again(ingest, folder, video):
    """With the same files, except one that was deleted: it has no row."""
    (folder / "a.mp4").write_bytes(video)
    (folder / "b.mp4").write_bytes(video)
    (folder / "broken.mp4").write_bytes(b"no video" * 99)
    with pytest.raises(TooManyFailuresError, match="1 of 3 videos failed"):
        ingest("--max-failures", "0")
    assert not rows(folder.parent / "table")
    (folder / "b.mp4").unlink()
    assert "videos     2: 1 with keyframes, 1 failed" in ingest()[1]
    assert names(folder) == ["a", "broken"]


@pytest.mark.slow
def test_several_texts_and_a_table_with_images(spark, models, folder, video, tmp_path, capsys):
    def ingest(*more):
        assert run(spark, parse_options(arguments(models, folder, *more))) == 0
        return capsys.readouterr().out

    (folder / "a.mp4").write_bytes(video)
    texts = ["--text", "spoon", "--text", "fork"]
    assert "videos     1: 1 with keyframes" in ingest(*texts, "--images", "encoded")
    (folder / "b.mp4").write_bytes(video)
    # A checkpoint of its own goes on with what the table holds.
    given = ["--checkpoint", str(tmp_path / "second"), "--mode", "append"]
    with pytest.raises(ParameterError, match="has several texts per video, and this job has one"):
        ingest(*given)
    ingest(*texts, *given)
    found = rows(tmp_path / "table")
    assert len(found) == 2
    for row in found:
        assert [len(each["frame_ids"]) for each in row["keyframes"]] == [2, 2]
        assert row["text"] == ["spoon", "fork"]
        assert row["keyframes_images"][0][:3] == b"\xff\xd8\xff"
