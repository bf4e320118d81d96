"""Places of tables and checkpoints that Spark cannot write: one line, before a video is sampled."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from spark_keyframes import ParameterError
from spark_keyframes.jobs import ingest, sample
from spark_keyframes.jobs.file_systems import has_file_system
from spark_keyframes.jobs.overwriting import check_overwriting
from spark_keyframes.jobs.session import run_job
from spark_keyframes.jobs.table import Table


@pytest.fixture
def said(spark, monkeypatch, capsys):
    """A function that runs a job in the shared session, and returns its exit code and line."""
    monkeypatch.setattr("spark_keyframes.jobs.session.start_spark", lambda: spark)
    monkeypatch.setattr(spark, "stop", lambda: None)

    def run(job, *arguments):
        capsys.readouterr()
        status = run_job("job.py", job.run, job.parse_options([*map(str, arguments)]))
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1, lines
        (line,) = lines
        return status, line

    return run


@pytest.mark.parametrize("option", ["output", "failed-output"])
def test_a_table_on_s3_without_its_package_is_one_line(said, clips, tmp_path, option):
    arguments = ["--input", clips[0], "--output", tmp_path / "table", "--text", "spoon"]
    for scheme in ("s3", "s3a"):
        place = f"{scheme}://lake/table"
        status, line = said(sample, *arguments, f"--{option}", place)
        assert status == 2
        assert f"--{option} cannot be '{place}': this Spark has no file system for {scheme}" in line
        assert "; add --packages org.apache.hadoop:hadoop-aws:" in line


def test_a_checkpoint_on_tos_is_one_line(said, tmp_path):
    arguments = ["--input", tmp_path, "--output", tmp_path / "table", "--text", "spoon"]
    status, line = said(ingest, *arguments, "--checkpoint", "tos://lake/checkpoint")
    assert status == 2
    assert "--checkpoint cannot be 'tos://lake/checkpoint': this Spark has no file system" in line
    assert not (tmp_path / "table").exists()


@pytest.mark.parametrize("option", ["output", "failed-output"])
def test_a_local_place_that_cannot_be_made_is_one_line(said, clips, tmp_path, option):
    (tmp_path / "file").write_text("no folder")
    arguments = ["--input", clips[0], "--output", tmp_path / "table", "--text", "spoon"]
    place = tmp_path / "file" / "below" / "table"
    status, line = said(sample, *arguments, f"--{option}", place)
    assert status == 2
    assert f"--{option} cannot be '{place}': Not a directory; choose another place" in line
    assert not (tmp_path / "table").exists()


@pytest.mark.parametrize(
    ("place", "folder"),
    [
        ("videos", "videos"),
        ("videos", "."),
        ("videos/*.mp4", "videos/../videos/"),
        ("v*/*.mp4", "videos"),
        ("linked", "videos"),
        ("file:{}/videos/a.mp4", "videos"),
    ],
)
def test_overwriting_never_deletes_the_videos(said, clips, tmp_path, monkeypatch, place, folder):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "videos").mkdir()
    video = Path(shutil.copy(clips[0], tmp_path / "videos" / "a.mp4"))
    (tmp_path / "linked").symlink_to("videos")
    arguments = ["--input", place.format(tmp_path), "--output", folder, "--text", "spoon"]
    status, line = said(sample, *arguments, "--mode", "overwrite")
    assert status == 2
    assert "--mode overwrite would delete --input" in line
    assert video.exists()


def test_overwriting_never_deletes_images(said, clips, tmp_path):
    arguments = ["--input", clips[0], "--output", tmp_path / "out", "--text", "spoon"]
    images = ["--output-tos-dir", tmp_path / "out" / "images", "--mode", "overwrite"]
    assert "would delete --output-tos-dir" in said(sample, *arguments, *images)[1]


@pytest.mark.parametrize(
    ("place", "folder", "inside"),
    [
        ("s3://lake/videos/a.mp4", "s3a://lake/videos", True),
        ("tos://films/a", "tos://films/", True),
        ("tos://films/ab", "tos://films/a", False),
        ("s3://films/a/b", "s3://others/a", False),
        ("s3://films/a", "s3://films/a/b", False),
    ],
)
def test_a_place_in_another(spark, place, folder, inside):
    options = SimpleNamespace(
        mode="overwrite", input=place, output=folder, sampler=SimpleNamespace(output_tos_dir="")
    )
    if not inside:
        check_overwriting(spark, options)
        return
    with pytest.raises(ParameterError, match="would delete `input`"):
        check_overwriting(spark, options)


@pytest.mark.parametrize("url", ["tos://films/landing/", "s3://films/landing/"])
def test_a_stream_from_an_object_storage_says_what_to_do(said, tmp_path, url):
    arguments = ["--output", tmp_path / "table", "--checkpoint", tmp_path / "c", "--text", "x"]
    status, line = said(ingest, "--input", url, *arguments)
    assert status == 2
    assert f"--input cannot be '{url}': this Spark has no file system" in line
    assert "run jobs/sample.py with its option resume: it lists such" in line


@pytest.mark.parametrize("table", ["s3://lake/videos.parquet", "tos://lake/videos.json"])
def test_a_table_of_videos_there_is_one_line(said, table):
    status, line = said(sample, "--input", table, "--input-col", "url", "--text", "spoon")
    assert status == 2
    assert f"--input cannot be '{table}': this Spark has no file system" in line


@pytest.mark.parametrize("where", ["input", "table", "output"])
def test_an_unknown_name_node_is_one_line(said, clips, where):
    url = "hdfs://nohost.invalid/x.parquet"
    arguments = ["--text", "spoon"]
    arguments += ["--input", clips[0], "--output", url] if where == "output" else ["--input", url]
    arguments += ["--input-col", "url"] if where == "table" else []
    status, line = said(sample, *arguments)
    assert status == 1
    assert "UnknownHostException: nohost.invalid; correct the name of the host" in line


@pytest.fixture
def s3a(spark, tmp_path):
    """Hadoop with a file system for s3a:// alone: a folder, by a view with any scheme."""
    conf = spark.sparkContext._jsc.hadoopConfiguration()
    view = "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme"
    local = "org.apache.hadoop.fs.LocalFileSystem"
    settings = {"fs.s3a.impl": view}
    for scheme in ("s3", "s3a"):
        settings[f"fs.viewfs.overload.scheme.target.{scheme}.impl"] = local
    settings["fs.viewfs.overload.scheme.target.file.impl"] = local
    settings["fs.viewfs.mounttable.lake.link./data"] = tmp_path.as_uri()
    for name, value in settings.items():
        conf.set(name, value)
    yield
    for name in [*settings, "fs.s3.impl"]:
        conf.unset(name)


@pytest.mark.usefixtures("s3a")
def test_s3_means_s3a_where_hadoop_has_that_only(spark, tmp_path):
    assert has_file_system(spark, "s3://lake/data/table")
    table = Table(place="s3://lake/data/table")
    rows = spark.createDataFrame([("a.mp4",)], "video string")
    table.save(rows, "error")
    assert table.read(spark, rows.schema).collect() == rows.collect()
    assert list((tmp_path / "table").glob("*.parquet"))


def test_other_schemes_of_hadoop_are_known(spark):
    for place in ("hdfs://name-node/a", "hdfs:/a", "file:/a", "/a", "a b", "viewfs://c/a", "C:a"):
        assert has_file_system(spark, place)
    for place in ("s3://b/a", "S3://b/a", "s3a://b/a", "tos://b/a", "nonsense://b/a"):
        assert not has_file_system(spark, place)
