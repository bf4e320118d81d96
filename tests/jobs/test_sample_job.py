"""jobs/sample.py under spark-submit, as a user runs it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.conftest import REPO
from tests.storage.tos_server import TosServer

SCRIPTS = Path(sys.executable).parent


def submit(models, *arguments, conf=(), environment=()):
    """Run the job with the small model; (exit code, stdout, stderr).

    spark-submit forwards the job's stderr to stdout; its stderr has only Spark's own lines.
    """
    command = [SCRIPTS / "spark-submit"]
    for setting in ("spark.ui.enabled=false", *conf):
        command += ["--conf", setting]
    command += [REPO / "jobs" / "sample.py", "--model-path", models, "--clip-model-name", "small"]
    done = subprocess.run(
        [*map(str, command), *map(str, arguments)],
        env={
            **os.environ,
            "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}",
            "SPARK_CONF_DIR": str(REPO / "conf"),
            **dict(environment),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def frames_in(printed):
    """Frames decoded, skipped and scored, from the report."""
    (line,) = re.findall(r"^frames .*", printed, re.MULTILINE)
    words = r" {5}(\d+) decoded(?: \(\d+/s\))?, (\d+) skipped, (\d+) scored(?: \(\d+/s\))?"
    return [int(number) for number in re.fullmatch(f"frames{words}", line).groups()]


@pytest.fixture(scope="module")
def folder(clips, tmp_path_factory):
    """A folder of videos with a subfolder, a broken video and a text file."""
    folder = tmp_path_factory.mktemp("videos")
    shutil.copy(clips[0], folder / "a.mp4")
    (folder / "more").mkdir()
    shutil.copy(clips[1], folder / "more" / "b.mp4")
    (folder / "broken.mp4").write_bytes(b"no video at all" * 50)
    (folder / "notes.md").write_text("not looked at")
    return folder


@pytest.mark.slow
def test_a_folder_becomes_a_table_and_images(models, folder, tmp_path):
    out, table = tmp_path / "keyframes", tmp_path / "table"
    arguments = ["--input", folder, "--text", "spoon", "--fps", "5", "--max-num-frames", "3"]
    arguments += ["--output-tos-dir", out, "--output", table, "--images", "arrays"]
    status, printed, errors = submit(models, *arguments)
    assert status == 0, errors
    assert "|-- keyframes: struct" in printed
    assert "videos     3: 2 with keyframes, 1 failed" in printed
    assert "keyframes  6" in printed
    assert f"images     {out}" in printed
    assert "failed     1 at stage demux, e.g. NotAVideoError: " in printed
    assert "broken.mp4" in printed

    assert re.search(r"^seconds    \w+ \d+\.\d \(\d+%\), .*waited .* for the model", printed, re.M)
    decoded, skipped, scored = frames_in(printed)
    assert decoded + skipped == 90 + 50, "of a.mp4 and b.mp4"
    assert scored == 18 + 10

    rows = pq.read_table(table).to_pylist()
    columns = {"video", "keyframes", "keyframes_images", "timestamps", "error", "made_by"}
    assert rows[0].keys() == columns
    assert sorted(Path(row["video"]).name for row in rows) == ["a.mp4", "b.mp4", "broken.mp4"]
    for row in rows:
        if row["video"].endswith("broken.mp4"):
            assert row["keyframes"] is None
            assert row["error"]["stage"] == "demux"
        else:
            assert row["error"] is None
            assert len(row["keyframes"]["frame_ids"]) == len(row["keyframes_images"]) == 3
            assert len(row["keyframes"]["tos_paths"]) == 3
            assert all(Path(path).is_file() for path in row["keyframes"]["tos_paths"])

    status, printed, _ = submit(models, *arguments)
    assert status == 2
    assert "already exists" in printed, "an output is not overwritten unless --mode says so"


@pytest.mark.slow
def test_a_list_of_urls_to_tos_without_a_secret_in_the_event_log(models, clips, tmp_path):
    with TosServer(buckets=["films"]) as server:
        server.objects["films", "in/a.mp4"] = clips[2].read_bytes()
        listed = tmp_path / "urls.txt"
        listed.write_text(f"# two videos\n\ntos://films/in/a.mp4\n{clips[0]}\n")
        events = tmp_path / "events"
        events.mkdir()
        secret = server.environment["SECRET_KEY"]
        status, printed, errors = submit(
            models,
            *("--input", listed, "--text", "spoon", "--max-num-frames", "2"),
            *("--output-tos-dir", "tos://films/keyframes", "--limit", "1"),
            conf=[
                "spark.eventLog.enabled=true",
                "spark.eventLog.compress=false",
                f"spark.eventLog.dir=file://{events}",
                f"spark.executorEnv.SECRET_KEY={secret}",
            ],
            environment=server.environment,
        )
        assert status == 0, errors
        assert "videos     1: 1 with keyframes, 0 failed" in printed
        assert "images     tos://films/keyframes" in printed
        stored = [key for bucket, key in server.objects if key.startswith("keyframes/a-")]
        assert len(stored) == 2
        log = "".join(path.read_text() for path in events.rglob("*") if path.is_file())
        assert "spark.executorEnv.SECRET_KEY" in log
        assert secret not in log + printed + errors


def check_folder(submitted):
    """Of a folder with two videos, one of which is in a folder that begins with "_"."""
    status, printed, errors = submitted
    assert status == 0, printed + errors
    assert "videos     2: 2 with keyframes, 0 failed" in printed
    assert "1 files are left out, whose names do not end as those of videos do: notes.md" in printed


@pytest.mark.slow
def test_a_folder_on_tos(models, clips):
    with TosServer(buckets=["films"]) as server:
        for key, data in (("a.mp4", 1), ("_more/b.mp4", 2), ("notes.md", 2), (".c.mp4", 2)):
            server.objects["films", f"in/{key}"] = clips[data].read_bytes()
        arguments = ("--input", "tos://films/in/", "--text", "spoon", "--max-num-frames", "1")
        to = ("--output-tos-dir", "tos://films/out")
        check_folder(submit(models, *arguments, *to, environment=server.environment))
        assert len([key for _, key in server.images if key.startswith("out/")]) == 2


@pytest.mark.slow
def test_a_folder_and_images_on_s3(models, clips, s3_server):
    s3_server.put("cinema")
    for key, data in (("a.mp4", 1), ("_more/b.mp4", 2), ("notes.md", 2), (".c.mp4", 2)):
        body = clips[data].read_bytes()
        s3_server.client.put_object(Bucket="cinema", Key=f"in/{key}", Body=body)
    arguments = ("--input", "s3a://cinema/in", "--text", "spoon", "--max-num-frames", "1")
    to = ("--output-tos-dir", "s3a://cinema/out")
    check_folder(submit(models, *arguments, *to, environment=s3_server.environment))
    assert len([key for key in s3_server.keys("cinema") if key.startswith("out/")]) == 2 + 1
    status, printed, _ = submit(
        *(models, *arguments, "--output-tos-dir", "s3://mistyped/out"),
        environment=s3_server.environment,
    )
    assert status == 2
    (said,) = [line for line in printed.splitlines() if line.startswith("sample.py: ")]
    assert said.startswith("sample.py: S3 has no such bucket, s3://mistyped/out: status 404")
    assert "mistyped" not in s3_server.buckets


@pytest.mark.slow
def test_exits_with_1_when_every_row_failed(models, tmp_path):
    (tmp_path / "bad.json").write_text(
        "".join(json.dumps({"film": f"/none/{n}.mp4"}) + "\n" for n in range(2))
    )
    status, printed, _ = submit(models, "--input", tmp_path / "bad.json", "--input-col", "film")
    assert status == 1
    assert "videos     2: 0 with keyframes, 2 failed" in printed
    assert "failed     2 at stage open, e.g. SourceNotFoundError" in printed
    assert frames_in(printed) == [0, 0, 0]


@pytest.mark.slow
def test_a_table_with_nulls_and_columns_of_our_names_goes_to_json(models, clips, tmp_path):
    source = tmp_path / "films.json"
    rows = [{"film": str(clips[2]), "error": "an old one"}, {"film": None, "error": "another"}]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    status, printed, errors = submit(
        models,
        *("--input", source, "--input-col", "film", "--text", "spoon", "--limit", "2"),
        *("--output", tmp_path / "out", "--format", "json", "--no-return-keyframes"),
        *("--output-col", "found", "--error-col", "why", "--account-col", "took"),
    )
    assert status == 0, printed + errors
    assert "videos     2: 1 with keyframes, 0 failed" in printed
    written = [
        json.loads(line)
        for path in (tmp_path / "out").glob("*.json")
        for line in path.read_text().splitlines()
    ]
    assert sorted(row["error"] for row in written) == ["an old one", "another"]
    (found,) = [row for row in written if "found" in row]
    took = [found["took"][f"frames_{what}"] for what in ("decoded", "skipped", "scored")]
    assert took == frames_in(printed)
    assert sum(took[:2]) == 30


@pytest.mark.slow
@pytest.mark.parametrize("most", ["1", "34%"])
def test_too_many_failures_leave_the_table_that_is_there(models, folder, tmp_path, most):
    """Of three videos one fails: that is more than 0, and more than 33%."""
    table, images = tmp_path / "table", tmp_path / "keyframes"
    arguments = ["--input", folder, "--text", "spoon", "--fps", "2", "--max-num-frames", "1"]
    arguments += ["--output-tos-dir", images, "--output", table, "--no-return-keyframes"]

    status, printed, errors = submit(models, *arguments, "--max-failures", most)
    assert status == 0, printed + errors
    written = sorted(table.rglob("*.parquet"))
    assert sorted(Path(row["video"]).name for row in pq.read_table(table).to_pylist()) == [
        *("a.mp4", "b.mp4", "broken.mp4")
    ]
    assert {path.name for path in tmp_path.iterdir()} == {"table", "keyframes"}, (
        "no temporary files remain"
    )

    less = "0" if most == "1" else "33%"
    mode = "append" if most == "1" else "overwrite"
    status, printed, _ = submit(models, *arguments, "--max-failures", less, "--mode", mode)
    assert status == 3
    assert f"1 of 3 videos failed, more than --max-failures {less} allows" in printed
    assert "failed     1 at stage demux, e.g. NotAVideoError: " in printed, "says why"
    assert sorted(table.rglob("*.parquet")) == written, "neither replaced nor extended"
    assert {path.name for path in tmp_path.iterdir()} == {"table", "keyframes"}, (
        "no temporary files remain"
    )

    status, printed, _ = submit(models, *arguments, "--max-failures", most)
    assert status == 2
    assert "already exists" in printed, "before the videos are sampled"
    assert "videos     3" not in printed


@pytest.mark.slow
def test_a_missing_model_is_one_line(folder, tmp_path):
    status, printed, _ = submit(tmp_path, "--input", folder, "--limit", "1")
    assert status == 2
    (said,) = [line for line in printed.splitlines() if line.startswith("sample.py: ")]
    assert said.startswith("sample.py: no model in")
    assert "set model_path" in said
