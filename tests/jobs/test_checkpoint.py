"""The checkpoint of jobs/ingest.py: its settings, and one job at a time."""

import json
import threading

import pytest

from spark_keyframes import ParameterError
from spark_keyframes.jobs import job_lock
from spark_keyframes.jobs.checkpoint import Checkpoint
from spark_keyframes.jobs.ingest import parse_options, run_settings
from tests.jobs.ingesting import PATIENCE, until

# Written by the job before its options were dataclasses.
OLD = {
    "input": "/lake/landing",
    "input_col": None,
    "input_format": None,
    "text_col": None,
    "id_col": None,
    "output": "/lake/table",
    "output_table": None,
    "format": "parquet",
    "output_col": "keyframes",
    "error_col": "error",
    "explode": False,
    "partition_by": ["day"],
    "failed_output": None,
    "text": "spoon",
    "clip_model_name": "openai/clip-vit-base-patch32",
    "video_src_type": "video_url",
    "fps": 5.0,
    "max_num_frames": 32,
    "t1": 0.8,
    "t2": -100,
    "all_depth": 5,
    "img_type": ".jpg",
    "output_tos_dir": "",
    "return_keyframes": True,
    "selector": "aks",
}


def test_a_checkpoint_of_an_earlier_version_continues(spark, tmp_path):
    (tmp_path / "spark_keyframes").mkdir()
    (tmp_path / "spark_keyframes" / "run.json").write_text(json.dumps(OLD))
    given = ["--input", "/lake/landing", "--checkpoint", str(tmp_path), "--text", "spoon"]
    given += ["--output", "/lake/table", "--fps", "5", "--partition-by", "day"]
    checkpoint = Checkpoint(spark, str(tmp_path))
    assert not checkpoint.is_new
    assert checkpoint.recorded["images"] == "arrays", "the default of return_keyframes"
    given += ["--images", "arrays"]
    checkpoint.claim(run_settings(parse_options(given)))
    for more, message in (
        (["--selector", "top"], "with selector 'aks', and this one has 'top'"),
        (["--id-col", "id"], r"with id_col None, and this one has \['id'\]"),
        (["--rerank", "blip"], "with rerank '', and this one has 'blip'"),
        (["--rerank-candidates", "64"], "with rerank_candidates None, and this one has 64"),
        (["--scan", "coarse"], "with scan 'exhaustive', and this one has 'coarse'"),
        (["--curve"], "with curve_col None, and this one has 'curve'"),
        (["--fps", "4"], "with fps 5.0, and this one has 4.0"),
        (["--images", "none"], "with images 'arrays', and this one has 'none'"),
    ):
        with pytest.raises(ParameterError, match=message):
            checkpoint.claim(run_settings(parse_options([*given, *more])))


def test_of_jobs_that_start_together_one_continues(spark, tmp_path):
    start, ended = threading.Barrier(4), threading.Event()
    found = []

    def lock():
        place = Checkpoint(spark, str(tmp_path))
        start.wait()
        try:
            with place.locked():
                found.append("locked")
                ended.wait(PATIENCE)
        except Exception as error:  # noqa: BLE001 - the test compares it
            found.append(str(error))

    threads = [threading.Thread(target=lock) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: len(found) == 4)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert found.count("locked") == 1
    assert len([each for each in found if "another job uses" in each]) == 3
    assert not list((tmp_path / "spark_keyframes").glob("lock_*"))


def test_a_lock_stays_while_it_is_renewed(spark, tmp_path, monkeypatch):
    monkeypatch.setattr(job_lock, "_RENEW_SECONDS", 0.01)
    names = set()
    with Checkpoint(spark, str(tmp_path)).locked():

        def is_renewed():
            with pytest.raises(ParameterError, match="another job uses"):
                Checkpoint(spark, str(tmp_path)).locked().__enter__()
            names.update(path.name for path in tmp_path.glob("spark_keyframes/lock_*"))
            return len(names) > 2

        until(is_renewed)
    assert not list(tmp_path.glob("spark_keyframes/lock_*"))
