"""What people type as an input."""

import pytest

from spark_keyframes.engine.inputs import read_table, read_videos, spread
from spark_keyframes.errors import ParameterError, SourceNotFoundError


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


def test_a_folder_is_its_videos_with_those_below_in_order(spark, folder):
    assert names(read_videos(spark, str(folder))) == ["a.MOV", "m.webm", "z.mp4"]
    assert names(read_videos(spark, f"file://{folder}")) == ["a.MOV", "m.webm", "z.mp4"]


def test_a_glob_is_what_it_matches(spark, folder):
    assert names(read_videos(spark, f"{folder}/*.m*")) == ["notes.md", "z.mp4"]
    assert names(read_videos(spark, f"{folder}/{{z,none}}.mp4")) == ["z.mp4"]


def test_brackets_in_the_name_of_a_file_are_no_glob(spark, tmp_path):
    (tmp_path / "bikes [abc].mp4").write_bytes(b"x")
    assert names(read_videos(spark, str(tmp_path / "bikes [abc].mp4"))) == ["bikes [abc].mp4"]


def test_many_videos_are_many_tasks_and_few_keep_their_order(spark, tmp_path):
    listed = tmp_path / "list.txt"
    listed.write_text("".join(f"{n:04}.mp4\n" for n in range(400)))
    many = read_videos(spark, str(listed))
    assert many.rdd.getNumPartitions() == 400 // 16
    assert sorted(names(many)) == [f"{n:04}.mp4" for n in range(400)]
    assert spread(many.limit(6), 6).rdd.getNumPartitions() == 2


def test_one_video_is_itself(spark, folder):
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


def test_nothing_there_is_an_error_that_says_what_can_be_given(spark, folder, tmp_path):
    with pytest.raises(SourceNotFoundError, match="nothing found at .*; give a video, a folder"):
        read_videos(spark, str(tmp_path / "none"))
    with pytest.raises(SourceNotFoundError, match="nothing found at"):
        read_videos(spark, f"{folder}/*.avi")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "x.md").write_text("x")
    (tmp_path / "empty" / "y.md").write_text("y")
    with pytest.raises(ParameterError, match=r"no videos in .*; looked for \.3gp"):
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
