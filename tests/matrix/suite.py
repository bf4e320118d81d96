"""Tests that pass in every version of Spark, classic and over Connect; test_matrix.py runs them."""

import base64
import os
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.errors import PythonException
from pyspark.sql import Observation
from pyspark.sql import functions as sf

import spark_keyframes
from spark_keyframes import ParameterError, explode_keyframes, metrics, report_lines, to_pil
from spark_keyframes.doctor.options import Options
from spark_keyframes.doctor.session import of_executors, of_session
from spark_keyframes.errors import SourceNotFoundError
from spark_keyframes.images import rgb_array
from spark_keyframes.jobs.inputs import read_videos, repartition_videos
from spark_keyframes.spark.versions import check_observations, has_arrow_udf
from tests.conftest import REPO
from tests.spark.conftest import check_rows
from tests.spark.processes import all_processes
from tests.video.clips import number_in


@pytest.fixture(scope="module")
def expected(plain, clips):
    return {str(path): plain.sample(str(path)) for path in clips}


@pytest.fixture(scope="module")
def videos(spark, clips):
    rows = [(1, str(clips[2]), "spoon"), (2, "/none.mp4", "spoon"), (3, str(clips[1]), None)]
    return spark.createDataFrame(rows, "id int, video string, prompt string")


def test_all_columns(sampler, videos, expected):
    result = sampler.transform(
        videos, text_col="prompt", error_col="error", account_col="account", output_col="keyframes"
    )
    assert result.columns == [
        *("id", "video", "prompt", "keyframes", "keyframes_images", "error", "account")
    ]
    good, missing, null = result.orderBy("id").collect()
    check_rows([good], expected)
    for image, number in zip(good["keyframes_images"], good["keyframes"]["frame_ids"], strict=True):
        assert number_in(rgb_array(image)) == number
        assert image["origin"] == good["video"]
    assert good["account"]["frames_scored"] > 0
    assert missing["keyframes"] is missing["keyframes_images"] is None
    assert (missing["error"]["stage"], missing["error"]["error"]) == ("open", "SourceNotFoundError")
    assert [null[name] for name in ("keyframes", "keyframes_images", "error")] == [None] * 3


def test_times_files_and_what_made_them(sampler, videos, expected, clips):
    result = sampler.transform(
        videos,
        text_col="prompt",
        timestamps_col="timestamps",
        curve_col="curve",
        made_by_col="made_by",
        images="encoded",
    )
    good, missing, null = result.orderBy("id").collect()
    assert good["timestamps"] == expected[str(clips[2])].timestamps
    candidates = expected[str(clips[2])].candidates
    assert good["curve"]["timestamps"] == candidates.timestamps
    assert good["curve"]["scores"] == pytest.approx(candidates.scores, abs=1e-6)
    assert missing["curve"] is null["curve"] is None
    assert [to_pil(file).size for file in good["keyframes_images"]] == [(160, 96)] * 4
    assert [row["made_by"]["text"] for row in (good, missing, null)] == ["spoon", "spoon", None]
    assert good["made_by"]["model"] == "small"
    assert len(good["made_by"]["revision"]) == 16
    frames = explode_keyframes(result).where("id = 1").orderBy("frame_index").collect()
    assert [row["timestamp"] for row in frames] == good["timestamps"]
    assert [row["image"] for row in frames] == good["keyframes_images"]


def test_an_index(spark, plain, videos, expected, clips):
    texts = sf.array(sf.lit("spoon"), sf.lit("a fork on a table"))
    index = plain.index(videos.withColumn("texts", texts), error_col="error").cache()
    rows = index.orderBy("id").collect()
    path = str(clips[2])
    assert [each["frame_id"] for each in rows[0]["candidates"]] == (
        expected[path].candidates.frame_ids
    )
    assert [row["error"] is None for row in rows] == [True, False, True]
    assert rows[0]["index_info"]["duration"] == pytest.approx(1.2)
    answers = (
        plain.transform_index(index, timestamps_col="timestamps", curve_col="curve")
        .orderBy("id")
        .collect()
    )
    assert answers[0]["curve"]["timestamps"] == expected[path].candidates.timestamps
    assert list(answers[0]["keyframes"]["frame_ids"]) == expected[path].frame_ids
    assert answers[0]["timestamps"] == expected[path].timestamps
    assert answers[1]["keyframes"] is None
    several = plain.transform_index(index, text_col="texts").orderBy("id").collect()
    assert several[0]["keyframes"][0] == answers[0]["keyframes"]
    best = plain.search(index.select("id", "candidates", "index_info"), limit=3, min_gap=0.3)
    hits = best.collect()
    assert best.columns == ["id", "frame_id", "timestamp", "score"]
    scores = [score for of in (clips[1], clips[2]) for score in expected[str(of)].candidates.scores]
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)
    assert hits[0]["score"] == pytest.approx(max(scores), abs=1e-5)
    both = plain.search(index, text=["spoon", "fork"], limit=2).collect()
    assert [row["text"] for row in both] == ["spoon", "spoon", "fork", "fork"]


def test_a_row_per_keyframe_of_several_texts(sampler, videos):
    texts = sf.array(sf.lit("spoon"), sf.lit(None).cast("string"), sf.lit("fork"))
    result = sampler.transform(videos.where("id = 1").withColumn("texts", texts), text_col="texts")
    frames = explode_keyframes(result, text_col="texts").collect()
    assert [row["text_index"] for row in frames] == [0] * 4 + [1] + [2] * 4
    for row in frames:
        assert row["frame_id"] is None or number_in(rgb_array(row["image"])) == row["frame_id"]


def test_parts_of_videos(spark, plain, videos, expected):
    part = videos.where("id = 1").withColumns({"start": sf.lit(0.4), "end": sf.lit(1)})
    (row,) = plain.transform(
        part, start_col="start", end_col="end", timestamps_col="timestamps"
    ).collect()
    assert all(0.4 <= at < 1 for at in row["timestamps"])
    assert len(row["timestamps"]) == 3


def test_on_error_raise(plain, videos):
    with pytest.raises(PythonException, match="SourceNotFoundError: row 1 of partition 0.*no file"):
        plain.transform(videos.coalesce(1), on_error="raise").collect()


@pytest.mark.parametrize("kind", ["video_binary", "video_base64"])
def test_videos_in_rows(spark, plain, clips, expected, kind):
    raw = [path.read_bytes() for path in clips]
    cells = raw if kind == "video_binary" else [base64.b64encode(cell).decode() for cell in raw]
    sort = "binary" if kind == "video_binary" else "string"
    frame = spark.createDataFrame(
        list(enumerate(map(type(cells[0]), cells))), f"id int, video {sort}"
    )
    result = replace(plain, video_src_type=kind).transform(frame)
    assert result.columns == ["id", "keyframes"]
    rows = [{**row.asDict(), "video": str(clips[row["id"]])} for row in result.collect()]
    assert len(rows) == 3
    check_rows(rows, expected)


def test_a_udf_of_one_and_of_two_columns(spark, plain, videos, clips, expected):
    udf = plain.udf()
    spark.udf.register("keyframes", udf)
    videos.createOrReplaceTempView("videos")
    for frame in (
        videos.withColumn("keyframes", udf("video")).withColumn("asked", udf("video", "prompt")),
        spark.sql(
            "SELECT *, keyframes(video) keyframes, keyframes(video, prompt) asked FROM videos"
        ),
    ):
        good, missing, null = frame.orderBy("id").collect()
        check_rows([good, null], expected)
        assert good["asked"] == good["keyframes"]
        for nothing in (missing["keyframes"], missing["asked"], null["asked"]):
            if has_arrow_udf():
                assert nothing is None
            else:
                assert list(nothing) == [None, None, None]


@pytest.fixture
def observations(spark):
    try:
        check_observations(spark)
    except ParameterError:
        return False
    return True


def test_metrics(plain, videos, observations):
    if not observations:
        pytest.skip("this Spark cannot read an Observation over Connect")
    seen = Observation()
    result = plain.transform(videos, error_col="error", account_col="account")
    result = result.observe(seen, *metrics(error_col="error", account_col="account"))
    assert len(result.drop("account").collect()) == 3
    found = seen.get
    assert (found["videos"], found["done"], found["failed"]) == (3, 2, 1)
    assert found["frames_scored"] == 6 + 10
    assert "failed     1 at stage open, e.g. SourceNotFoundError: no file /none.mp4" in "\n".join(
        report_lines(found)
    )


def test_a_stage_of_a_pipeline(spark, models, videos, expected, connect, tmp_path):
    from pyspark.ml import Pipeline, PipelineModel, util

    if connect and not hasattr(util, "try_remote_write"):
        pytest.skip("this Spark has no pyspark.ml over Connect")

    from spark_keyframes.ml import KeyframeSampler

    stage = KeyframeSampler(
        text="spoon",
        modelPath=str(models),
        clipModelName="small",
        fps=5,
        maxNumFrames=4,
        dtype="float32",
        returnKeyframes=False,
        errorCol="error",
    )
    KeyframeSampler(fps=2).save(str(tmp_path / "stage"))
    stage.write().overwrite().save(str(tmp_path / "stage"))
    loaded = KeyframeSampler.load(str(tmp_path / "stage"))
    assert loaded.uid == stage.uid
    assert loaded.getMaxNumFrames() == 4
    model = Pipeline(stages=[loaded]).fit(videos)
    model.write().overwrite().save(str(tmp_path / "model"))
    rows = PipelineModel.load(str(tmp_path / "model")).transform(videos).orderBy("id").collect()
    check_rows([rows[0], rows[2]], expected)


def test_frames_as_a_data_source(spark, clips):
    if find_spec("pyspark.sql.datasource") is None:
        with pytest.raises(ImportError, match="needs the Python data sources of Spark 4.0"):
            spark_keyframes.KeyframeCandidates  # noqa: B018
        return
    spark.dataSource.register(spark_keyframes.KeyframeCandidates)
    reader = spark.read.format("keyframe_candidates").option("fps", 5).option("image", "true")
    rows = reader.load([str(clips[2]), str(clips[1])]).collect()
    assert [row["frame_id"] for row in rows] == [*range(0, 30, 5), *range(0, 50, 5)]
    assert [number_in(rgb_array(row["image"])) for row in rows] == [r["frame_id"] for r in rows]


def test_rows_are_shown(sampler, videos, expected):
    shown = spark_keyframes.show_keyframes(sampler.transform(videos, error_col="error"))
    found = [[each.frame_id for each in card.pictures] for card in shown.cards if card.pictures]
    assert len(shown.cards) == 3
    assert len(found) == 2
    assert all(each.source for card in shown.cards for each in card.pictures)
    assert any("no file /none.mp4" in (card.failure or "") for card in shown.cards)


def test_folders_as_an_input(spark, clips, tmp_path):
    folder = clips[0].parent
    names = [row["video"].rsplit("/", 1)[1] for row in read_videos(spark, str(folder)).collect()]
    assert sorted(names) == ["a.mp4", "b.mp4", "c.mp4"]
    assert (
        repartition_videos(spark.range(100), 100).select(sf.spark_partition_id()).distinct().count()
        == 6
    )
    with pytest.raises(SourceNotFoundError, match="nothing found at"):
        read_videos(spark, str(tmp_path / "none"))


def test_resources(plain, videos):
    with pytest.raises(ParameterError, match=r"gpus=1, but Spark assigns no GPU in 'local\[2\]'"):
        plain.transform(videos, gpus=1)
    with pytest.raises(ParameterError, match="start Spark with --conf spark.task.cpus=2"):
        plain.transform(videos, cpus=2)


def test_the_job(models, clips, connect, observations, tmp_path):
    """With --max-failures, failures are counted before anything is written."""
    listed = tmp_path / "videos.txt"
    listed.write_text("".join(f"{path}\n" for path in (*clips, "/none.mp4")))
    arguments = [
        *("--input", str(listed), "--text", "spoon", "--fps", "5", "--max-num-frames", "4"),
        *("--model-path", str(models), "--clip-model-name", "small", "--dtype", "float32"),
        *("--output", str(tmp_path / "table")),
    ]
    status, printed = run_job(connect, *arguments, "--max-failures", "0")
    if not observations:
        assert status == 2, printed
        assert "use pyspark 4.0 or newer in the client" in printed
        return
    assert status == 3, printed
    assert not (tmp_path / "table").exists()
    status, printed = run_job(connect, *arguments, "--max-failures", "1")
    assert status == 0, printed
    assert "videos     4: 3 with keyframes, 1 failed" in printed
    assert "failed     1 at stage open, e.g. SourceNotFoundError" in printed
    rows = pq.read_table(tmp_path / "table").to_pylist()
    assert {row["video"]: row["error"] is None for row in rows} == {
        **{str(path): True for path in clips},
        "/none.mp4": False,
    }
    arguments = ["--resume", *(each if each != "spoon" else "fork" for each in arguments)]
    status, printed = run_job(connect, *arguments)
    assert status == 2, printed
    assert "rows with text 'spoon', not 'fork'; add --key-on-text" in printed
    arguments += ["--key-on-text", "--failed-output", str(tmp_path / "failed")]
    status, printed = run_job(connect, *arguments)
    assert status == 0, printed
    assert "videos     4: 3 with keyframes, 1 failed" in printed
    texts = [row["made_by"]["text"] for row in pq.read_table(tmp_path / "table").to_pylist()]
    assert sorted(texts) == ["fork"] * 3 + ["spoon"] * 4


def run_job(connect, *arguments):
    """Run jobs/sample.py; return its exit code and its output."""
    job = str(REPO / "jobs" / "sample.py")
    submit = [str(Path(sys.executable).with_name("spark-submit")), "--master", "local[2]"]
    environment = dict(os.environ)
    if connect:
        submit = [sys.executable]
        environment["SPARK_REMOTE"] = os.environ["SPARK_KEYFRAMES_REMOTE"]
    done = subprocess.run(
        [*submit, job, *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout


def test_the_doctor(spark, connect):
    first, *settings = of_session(spark)
    assert first.level == "good", first
    assert spark.version in first.found
    assert ("Connect" in first.found) == connect
    assert "redaction" in {each.name for each in settings}
    (section,) = of_executors(spark, Options(only=("python", "arrow", "packages")))
    found = {each.name: each for each in section.findings}
    assert found["versions"].level != "bad", "an older client may have another pyspark"
    assert found["Python"].level == "good", section
    assert found["Arrow/pandas"].level == "good", found["Arrow/pandas"]


def test_over_connect_no_jvm_is_started(connect, spark):
    if not connect:
        pytest.skip("a classic session has a JVM")
    below = {os.getpid()}
    for process in sorted(all_processes().values(), key=lambda process: int(process.started)):
        if process.parent in below:
            below.add(process.pid)
            assert "java" not in process.command.split(" ")[0], process.command
