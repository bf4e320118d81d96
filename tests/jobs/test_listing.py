"""Folders and files of any name: read, or left out with a word."""

import os
from pathlib import Path

import av
import pytest
from pyspark.sql import functions as sf

from spark_keyframes.errors import ParameterError, SourceNotFoundError
from spark_keyframes.jobs.inputs import read_table, read_videos
from spark_keyframes.jobs.streams import read_stream
from spark_keyframes.listing.globs import escaped
from spark_keyframes.listing.local_files import local_files
from spark_keyframes.listing.suffixes import VIDEO_SUFFIXES
from spark_keyframes.video import container

ODD = ["x [y]", "{e,f}", "*", "q?", "10:30:00", "w[1]:2", "a%20b", "back\\slash", "it's", "勺 子"]


def few(names, *quick):
    """The names as parameters; others than the quick ones are of the slow tests."""
    slow = pytest.mark.slow
    return [pytest.param(name, marks=[] if name in quick else slow) for name in names]


def made(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def names(frame, folder):
    paths = [row["video"] for row in frame.collect()]
    assert all(path.startswith(f"{folder}/") for path in paths)
    return sorted(path.removeprefix(f"{folder}/") for path in paths)


@pytest.fixture(scope="module")
def phone(tmp_path_factory):
    """Names as phones and cameras give them, beside files that are none of theirs."""
    videos = ["_MG_1.MOV", "_day/b.mp4", "_day/_c.m2v", "e/_f.VOB", "g:h.rmvb", "i.insv"]
    others = [".k.mp4", ".trash/l.mp4", "_SUCCESS", "notes.md", "e/a.srt"]
    folder = made(tmp_path_factory.mktemp("phone"), *videos, *others)
    return folder, sorted(videos)


def test_names_that_begin_with_an_underscore_are_taken_and_dots_hide(spark, phone, caplog):
    folder, videos = phone
    for location in (folder, f"file://{folder}", f"file:{folder}/", f"{folder}/e/.."):
        assert names(read_videos(spark, location), folder) == videos
    assert "3 files are left out, whose names do not end as those of videos do: " in caplog.text
    assert "_SUCCESS, a.srt, notes.md" in caplog.text
    assert "k.mp4" not in caplog.text
    caplog.clear()
    assert names(read_videos(spark, f"{folder}/_*"), folder) == sorted(
        ["_MG_1.MOV", "_SUCCESS", "_day/_c.m2v", "_day/b.mp4"]
    )
    assert not caplog.records, "a glob takes what it matches"
    assert names(read_videos(spark, f"{folder}/{{_MG_[0-9],[^_]*}}.*"), folder) == sorted(
        ["_MG_1.MOV", "g:h.rmvb", "i.insv", "notes.md"]
    )
    assert names(read_videos(spark, f"{folder}/_MG_1.MOV"), folder) == ["_MG_1.MOV"]


def test_the_same_on_other_file_systems_of_hadoop(spark, phone, tmp_path, monkeypatch):
    """With the local one in their place, as Spark lists it."""
    monkeypatch.setattr("spark_keyframes.jobs.inputs.local_path", lambda spark, location: None)
    folder, videos = phone
    assert names(read_videos(spark, f"file:{folder}"), folder) == videos
    assert names(read_videos(spark, f"file:{folder}/_day"), folder) == ["_day/_c.m2v", "_day/b.mp4"]
    plain = made(tmp_path / "plain", "_a.mov", "_day/_c.m2v", "_day/.d.m2v", "_day/b.mp4", "e.mp4")
    assert names(read_videos(spark, f"file:{plain}/_*"), plain) == sorted(
        ["_a.mov", "_day/_c.m2v", "_day/b.mp4"]
    )
    assert names(read_videos(spark, f"file:{plain}/*.m*"), plain) == ["_a.mov", "e.mp4"]
    odd = made(tmp_path / "x [y]*", "a.mp4", "c:d.mp4", "_e.mp4")
    assert names(read_videos(spark, f"file:{odd}"), odd) == ["_e.mp4", "a.mp4", "c:d.mp4"]
    with pytest.raises(SourceNotFoundError, match="cannot be listed: Hadoop takes a colon"):
        read_videos(spark, f"file:{odd.parent}/x*/*.mp4")
    with pytest.raises(SourceNotFoundError, match="nothing found at"):
        read_videos(spark, f"file:{folder}/none")


def test_only_some_of_many_names_are_shown(spark, tmp_path, caplog):
    made(tmp_path, "a.mp4", "b.mp4", "\x1b[2J.txt", *(f"{number}.md" for number in range(20)))
    read_videos(spark, tmp_path)
    (record,) = caplog.records
    assert record.message.startswith("21 files are left out")
    assert record.message.endswith(": \\x1b[2J.txt, 0.md, 1.md, 10.md, 11.md, …")


@pytest.mark.parametrize("name", few(ODD, "x [y]", "w[1]:2", "a%20b"))
def test_a_folder_of_any_name(spark, tmp_path, monkeypatch, name):
    folder = made(tmp_path / name, "a.mp4", "b.mov", "c:d.mp4")
    made(tmp_path / "other", "z.mp4")
    videos = ["a.mp4", "b.mov", "c:d.mp4"]
    assert names(read_videos(spark, folder), folder) == videos
    assert names(read_videos(spark, folder.as_uri()), folder) == videos
    assert names(read_videos(spark, f"{folder}/a.mp4"), folder) == ["a.mp4"]
    assert names(read_videos(spark, f"{folder.as_uri()}/a.mp4"), folder) == ["a.mp4"]
    monkeypatch.chdir(tmp_path)
    assert names(read_videos(spark, name), folder) == videos
    assert names(read_videos(spark, f"{escaped(str(folder))}/*:*"), folder) == ["c:d.mp4"]
    (folder / "list.txt").write_text("\ufeff/a.mp4\n")
    assert [row["video"] for row in read_videos(spark, folder / "list.txt").collect()] == ["/a.mp4"]


@pytest.mark.parametrize("name", few(["x [y]", "{e,f}", "10:30", "_t"], "x [y]"))
def test_a_table_or_stream_in_a_folder_of_any_name(spark, tmp_path, name, caplog):
    place = tmp_path / name / "t.json"
    spark.range(2).select(sf.lit("a.mp4").alias("video")).write.json(str(tmp_path / "t.json"))
    (tmp_path / name).mkdir()
    (tmp_path / "t.json").rename(place)
    assert read_table(spark, str(place), None).count() == 2
    made(tmp_path / name, "a.mp4", "_b.mp4", "_c/d.mkv", "e.md")
    options = {"column": None, "table_format": None, "content": False, "files_per_batch": 9}
    stream, column = read_stream(spark, str(tmp_path / name), **options)
    query = stream.writeStream.format("memory").queryName("odd").trigger(availableNow=True)
    query.start().awaitTermination()
    assert [row[column] for row in spark.table("odd").collect()] == [str(tmp_path / name / "a.mp4")]
    assert "2 files are left out, since Spark streams none whose name, or folder, " in caplog.text
    assert '"_"; rename them, or add them to the table with jobs/sample.py' in caplog.text
    assert "`resume`: _b.mp4, d.mkv" in caplog.text


def test_nothing_there_is_an_error_with_any_name(spark, tmp_path):
    for name in ODD:
        with pytest.raises(SourceNotFoundError, match="nothing found at"):
            read_videos(spark, f"{tmp_path}/none/{name}")


def test_links_are_followed_and_circles_end(tmp_path):
    made(tmp_path, "a/b.mp4", "c.mp4")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "gone.mp4").symlink_to(tmp_path / "none")
    (tmp_path / "d").symlink_to(tmp_path / "a")
    found = [path.removeprefix(f"{tmp_path}/") for path in local_files(str(tmp_path))]
    assert found == ["a/b.mp4", "c.mp4", "d/b.mp4"]


def test_every_container_that_is_read_has_its_suffixes():
    """FFmpeg names suffixes of most formats; those of sound and pictures are no videos."""
    others = {"avif", "heic", "heif", "ism", "isma", "m4a", "m4b", "mka", "mks", "mpo", "ra", "wma"}
    of_ffmpeg = set()
    for name in container._VIDEO_FORMATS.split(","):
        of_ffmpeg |= av.ContainerFormat(name).extensions
    assert {f".{each}" for each in of_ffmpeg - others} <= VIDEO_SUFFIXES
    assert {f".{each}" for each in others}.isdisjoint(VIDEO_SUFFIXES)
    told = ["vob", "rmvb", "insv", "dav", "m2v", "f4v", "3g2", "ogg", "h264"]
    assert {f".{each}" for each in told} <= VIDEO_SUFFIXES


def test_a_name_that_is_not_utf_8_is_left_out_and_named(tmp_path, caplog):
    (tmp_path / "a.mp4").write_bytes(b"")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp4")).write_bytes(b"")
    assert list(local_files(str(tmp_path))) == [str(tmp_path / "a.mp4")]
    assert "1 files are left out, whose names are not UTF-8: caf\\xe9.mp4" in caplog.text


def test_a_folder_is_a_folder_whatever_its_name_and_however_few_its_files(spark, tmp_path):
    folder = tmp_path / "old.txt"
    folder.mkdir()
    (folder / "readme.md").write_text("about them")
    with pytest.raises(ParameterError, match="no videos in"):
        read_videos(spark, str(folder))
    (folder / "a.mp4").write_bytes(b"")
    for place in (str(folder), f"{folder}/"):
        (row,) = read_videos(spark, place).collect()
        assert row["video"] == str(folder / "a.mp4")
