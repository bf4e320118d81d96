"""The kinds of input: a video, a folder, a glob, a URL, a list, a table."""

from itertools import chain

import pytest
from pyspark.sql import functions as sf

from spark_keyframes.errors import ParameterError, SourceNotFoundError
from spark_keyframes.jobs import inputs
from spark_keyframes.jobs.inputs import (
    LISTED_AS_URL,
    read_table,
    read_videos,
    repartition_videos,
)
from spark_keyframes.jobs.listing import local_path
from spark_keyframes.jobs.partitioning import assign_to_tasks, cpus_for_largest


def names(frame):
    assert frame.columns == ["video"]
    return [row["video"].rsplit("/", 1)[-1] for row in frame.collect()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    (folder / "b").mkdir()
    for name in ("z.mp4", "a.MOV", "b/m.webm", "notes.md", "list.csv"):
        (folder / name).write_bytes(b"x")
    return folder


def test_a_folder_gives_its_videos_and_those_of_subfolders_by_name(spark, folder):
    assert names(read_videos(spark, str(folder))) == ["a.MOV", "m.webm", "z.mp4"]
    assert names(read_videos(spark, f"file://{folder}")) == ["a.MOV", "m.webm", "z.mp4"]


def test_a_glob_gives_every_file_that_it_matches(spark, folder):
    assert names(read_videos(spark, f"{folder}/*.m*")) == ["notes.md", "z.mp4"]
    assert names(read_videos(spark, f"{folder}/{{z,none}}.mp4")) == ["z.mp4"]


def test_brackets_in_a_file_name_are_not_a_glob(spark, tmp_path):
    (tmp_path / "bikes [abc].mp4").write_bytes(b"x")
    assert names(read_videos(spark, str(tmp_path / "bikes [abc].mp4"))) == ["bikes [abc].mp4"]


def flat(tasks):
    return list(chain.from_iterable(tasks))


def in_tasks(frame):
    """The names in each task, in the order in which the tasks start."""
    rows = frame.withColumn("task", sf.spark_partition_id()).collect()
    tasks = [[] for _ in range(frame.rdd.getNumPartitions())]
    for row in rows:
        tasks[row["task"]].append(row["video"].rsplit("/", 1)[-1])
    return tasks


def test_large_videos_come_first_with_tasks_of_their_own():
    sizes = {"long": 300, **{f"short{n}": 2 for n in range(90)}, "longer": 500}
    first, second, *others = assign_to_tasks(list(sizes), list(sizes.values()), at_once=2)
    assert (first, second) == (["longer"], ["long"])
    assert sorted(flat(others)) == sorted(sizes.keys() - {"long", "longer"})
    # A quarter of the remaining bytes each, and no more than 16 videos.
    assert [len(task) for task in others] == [16, 16, 14, 11, 8, 6, 4, 3, 3, 2, 1, 1, 1, 1, 1, 1, 1]


def test_without_sizes_the_order_stays():
    names = [f"{n:03}" for n in range(200)]
    tasks = assign_to_tasks(names, at_once=4)
    assert flat(tasks) == names
    assert [len(task) for task in tasks][:8] == [16, 16, 16, 16, 16, 15, 13, 11]
    assert len(assign_to_tasks(names, at_once=1, cpus=8)[0]) == 100, "enough for all CPUs of a task"


def test_a_million_videos_make_tasks_of_16():
    tasks = assign_to_tasks([""] * 1_000_000, range(1_000_000), at_once=800)
    assert 62_500 < len(tasks) < 75_000
    assert max(map(len, tasks)) == 16


def test_files_are_assigned_by_their_sizes(spark, tmp_path):
    for number in range(40):
        (tmp_path / f"{number:02}.mp4").write_bytes(b"x" * (10_000 if number == 25 else 100))
    frame = read_videos(spark, str(tmp_path))
    names = [f"{number:02}.mp4" for number in range(40)]
    sizes = [10_000 if number == 25 else 100 for number in range(40)]
    expected = assign_to_tasks(names, sizes, at_once=2)
    assert expected[0] == ["25.mp4"]
    assert in_tasks(frame) == expected


def test_one_dominant_video_is_warned_of_with_the_cpus_to_set(spark, tmp_path, monkeypatch, caplog):
    assert cpus_for_largest([928, *[1] * 640], cores=64) == 38
    assert cpus_for_largest([1] * 640, cores=64) == 1
    for number in range(100):
        (tmp_path / f"{number:02}.mp4").write_bytes(b"x" * (300 if number == 25 else 9))
    read_videos(spark, str(tmp_path))
    assert not caplog.records, "two cores are busy with the others for as long"
    monkeypatch.setattr("spark_keyframes.jobs.inputs._cores", lambda spark: 64)
    read_videos(spark, str(tmp_path))
    assert "25% of all bytes: its task has 1 of 64 CPUs" in caplog.text
    assert "set cpus (or spark.task.cpus, where cpus is refused) to up to 17" in caplog.text
    caplog.clear()
    read_videos(spark, str(tmp_path), cpus=16)
    assert not caplog.records


def test_few_videos_keep_their_order(spark, tmp_path):
    for name, size in (("a.mp4", 1), ("b.mp4", 9), ("c.mp4", 99)):
        (tmp_path / name).write_bytes(b"x" * size)
    assert names(read_videos(spark, str(tmp_path), limit=2)) == ["a.mp4", "b.mp4"]
    assert names(read_videos(spark, str(tmp_path))) == ["c.mp4", "b.mp4", "a.mp4"]


def test_a_limit_takes_the_first_by_name_and_not_the_largest(spark, tmp_path):
    for number in range(9):
        (tmp_path / f"{number}.mp4").write_bytes(b"x" * 10**number)
    found = names(read_videos(spark, str(tmp_path), limit=4))
    assert found == ["3.mp4", "2.mp4", "1.mp4", "0.mp4"]


def test_a_long_list_becomes_many_tasks_in_its_order(spark, tmp_path):
    listed = tmp_path / "list.txt"
    listed.write_text("".join(f"{n:04}.mp4\n" for n in range(400)))
    tasks = in_tasks(read_videos(spark, str(listed)))
    assert flat(tasks) == [f"{n:04}.mp4" for n in range(400)]
    assert len(tasks) > 400 // 16
    # A task with more CPUs gets more videos.
    assert len(in_tasks(read_videos(spark, str(listed), cpus=2))[0]) == 32


def test_a_table_is_distributed_over_tasks(spark):
    assert repartition_videos(spark.range(400).limit(6), 6).rdd.getNumPartitions() == 2
    assert repartition_videos(spark.range(400), 400).rdd.getNumPartitions() == 25


def test_volumes_of_databricks_are_listed_by_the_path_that_each_machine_has(spark, monkeypatch):
    """A stand-in for its file system, which lists dbfs:/Volumes/… for the folder /Volumes/…"""
    listed = spark.createDataFrame(
        [("dbfs:/Volumes/main/a.mp4", 5), ("dbfs:/mnt/b.mp4", 5), ("file:/c.mp4", 5)],
        "path string, length long",
    )
    for name, result in (("local_path", None), ("has_file_system", True), ("_read", listed)):
        monkeypatch.setattr(inputs, name, lambda *_, result=result: result)
    monkeypatch.setattr(inputs, "hadoop_files_hidden", lambda *_: {})
    videos = {row[0] for row in read_videos(spark, "/Volumes/main").collect()}
    assert videos == {"/Volumes/main/a.mp4", "dbfs:/mnt/b.mp4", "/c.mp4"}
    # As a stream has it.
    assert {
        row[0] for row in listed.select(sf.regexp_replace("path", LISTED_AS_URL, "/")).collect()
    } == videos


def test_a_path_is_one_video(spark, folder):
    (row,) = read_videos(spark, str(folder / "z.mp4")).collect()
    assert row["video"] == str(folder / "z.mp4")


@pytest.mark.parametrize("url", ["https://example.com/a.mp4?x=1", "tos://bucket/a/b.mp4"])
def test_a_url_is_one_video(spark, url):
    (row,) = read_videos(spark, url).collect()
    assert row["video"] == url


def test_a_list_keeps_its_order(spark, tmp_path):
    (tmp_path / "list.txt").write_text("# films\n\nhttps://x/2.mp4\n  tos://b/1.mp4  \n")
    (tmp_path / "empty.txt").write_text("# none\n")
    assert names(read_videos(spark, str(tmp_path / "list.txt"))) == ["2.mp4", "1.mp4"]
    with pytest.raises(ParameterError, match="every line is empty or a comment"):
        read_videos(spark, str(tmp_path / "empty.txt"))
    with pytest.raises(ParameterError, match="copy it to a local file first"):
        read_videos(spark, "https://example.com/list.txt")


def test_a_missing_input_is_an_error_that_lists_the_kinds_of_input(spark, folder, tmp_path):
    with pytest.raises(SourceNotFoundError, match="nothing found at .*; give a video, a folder"):
        read_videos(spark, tmp_path / "none")
    with pytest.raises(SourceNotFoundError, match="nothing found at '~/none'; ~ is not expanded"):
        read_videos(spark, "~/none")
    with pytest.raises(
        SourceNotFoundError, match=r"'tos:/b/k'; write two slashes .*: tos://bucket/key"
    ):
        read_videos(spark, "tos:/b/k")
    assert local_path(spark, "hdfs:/none") is None, "Hadoop's form, with the host of its conf"
    with pytest.raises(SourceNotFoundError, match="nothing found at"):
        read_videos(spark, f"{folder}/*.avi")
    with pytest.raises(SourceNotFoundError, match="nothing found at .*; give the place of a table"):
        read_table(spark, str(tmp_path / "none"), None)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "x.md").write_text("x")
    (tmp_path / "empty" / "y.md").write_text("y")
    with pytest.raises(ParameterError, match=r"no videos in .*; looked for \.264"):
        read_videos(spark, str(tmp_path / "empty"))


@pytest.mark.parametrize("table_format", ["parquet", "json", "csv", "orc"])
def test_a_table_in_the_format_of_its_suffix(spark, tmp_path, table_format):
    frame = spark.createDataFrame([("x.mp4", "spoon")], "film string, prompt string")
    path = str(tmp_path / f"films.{table_format}")
    frame.write.option("header", True).format(table_format).save(path)
    assert read_table(spark, path, None).collect() == frame.collect()
    frame.createOrReplaceTempView("films")
    assert read_table(spark, "films", "table").collect() == frame.collect()
    with pytest.raises(SourceNotFoundError):
        read_table(spark, str(tmp_path / "none"), None)


def test_spark_reads_the_largest_binary_files_first(spark, tmp_path):
    """Spark assigns files to tasks by size, so the jobs need not."""
    for number in range(12):
        (tmp_path / f"{number:02}.mp4").write_bytes(b"x" * (10_000 + 1000 * (number * 5 % 12)))
    try:
        spark.conf.set("spark.sql.files.maxPartitionBytes", 16_000)
        spark.conf.set("spark.sql.files.openCostInBytes", 0)
        files = spark.read.format("binaryFile").load(str(tmp_path)).select("length", "content")
        rows = files.withColumn("task", sf.spark_partition_id()).collect()
    finally:
        spark.conf.unset("spark.sql.files.maxPartitionBytes")
        spark.conf.unset("spark.sql.files.openCostInBytes")
    lengths = [row["length"] for row in sorted(rows, key=lambda row: row["task"])]
    assert len({row["task"] for row in rows}) == 12
    assert lengths == sorted(lengths, reverse=True)
