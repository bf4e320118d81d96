"""The declarative pipeline of examples/pipeline, run by spark-pipelines over Connect."""

import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from spark_keyframes import VideoAdaptiveKeyframesSampling
from spark_keyframes.demo import MODELS
from tests.conftest import REPO
from tests.spark.connect import LOCAL, connect_server, environment_of
from tests.video.clips import clip

pytestmark = pytest.mark.slow

PROJECT = REPO / "examples" / "pipeline"
PYTHON = Path(sys.executable)


def files_of(table):
    """The rows of each Parquet file of a table, by the file's name."""
    found = sorted(table.glob("*.parquet"))
    return {path.name: pq.read_table(path).to_pylist() for path in found}


def test_a_second_run_adds_the_rows_of_the_new_video_only(clips, tmp_path):
    project, landing, warehouse = (tmp_path / name for name in ("project", "landing", "warehouse"))
    shutil.copytree(PROJECT, project)
    spec = project / "spark-pipeline.yml"
    settings = spec.read_text().replace("/tmp/keyframes", str(tmp_path))
    spec.write_text(settings.replace(": out/models #", f": {MODELS} #"))
    landing.mkdir()
    shutil.copy(clips[0], landing / "a.mp4")
    (landing / "bad.mp4").write_bytes(b"no video")
    (landing / "a.txt").write_text("no video, and left out")
    sampler = VideoAdaptiveKeyframesSampling(
        text="spoon",
        model_path=str(MODELS),
        clip_model_name="tiny_clip",
        max_num_frames=4,
        return_keyframes=False,
    )

    def run():
        program = PYTHON.parent / "spark-pipelines"
        done = subprocess.run(
            [program, "run", "--spec", str(spec), "--remote", remote],
            env=environment_of(PYTHON),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        assert "Run is COMPLETED" in done.stdout + done.stderr
        return files_of(warehouse / "keyframes"), files_of(warehouse / "keyframe_images")

    log, conf = tmp_path / "server.log", {**LOCAL, "spark.sql.warehouse.dir": str(warehouse)}
    with connect_server(log, conf=conf) as remote:
        videos, images = run()
        rows = {row["video"]: row for each in videos.values() for row in each}
        assert set(rows) == {str(landing / "a.mp4"), str(landing / "bad.mp4")}
        expected = sampler.sample(str(landing / "a.mp4"))
        assert rows[str(landing / "a.mp4")]["result"]["frame_ids"] == expected.frame_ids
        assert rows[str(landing / "a.mp4")]["error"] is None
        assert rows[str(landing / "bad.mp4")]["result"] is None
        assert rows[str(landing / "bad.mp4")]["error"]["error"] == "NotAVideoError"
        found = [row for each in images.values() for row in each]
        assert [row["frame_id"] for row in found] == expected.frame_ids
        assert [row["timestamp"] for row in found] == expected.timestamps
        assert {row["video"] for row in found} == {str(landing / "a.mp4")}
        assert all(Path(row["image"]).is_relative_to(tmp_path / "images") for row in found)
        assert all(Path(row["image"]).is_file() for row in found)

        (landing / "later").mkdir()
        (landing / "later" / "c.MP4").write_bytes(clip("libx264", "mp4", frames=60))
        videos_after, images_after = run()

    new = {name: each for name, each in videos_after.items() if name not in videos}
    assert [row["video"] for each in new.values() for row in each] == [
        str(landing / "later" / "c.MP4")
    ]
    expected = sampler.sample(str(landing / "later" / "c.MP4"))
    new_images = [row for name in images_after.keys() - images for row in images_after[name]]
    assert [row["frame_id"] for row in new_images] == expected.frame_ids
    # What there was is there unchanged.
    assert {name: videos_after[name] for name in videos} == videos
    assert {name: images_after[name] for name in images} == images
