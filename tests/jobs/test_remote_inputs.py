"""Folders, globs and lists on storages that Spark's Hadoop does not read, as if they were local."""

import os

import hypothesis
import pytest
from hypothesis import strategies as st

from spark_keyframes.errors import (
    AccessError,
    CredentialsError,
    ParameterError,
    SourceNotFoundError,
    UnsupportedSchemeError,
)
from spark_keyframes.jobs.inputs import read_videos
from spark_keyframes.jobs.partitioning import assign_to_tasks
from spark_keyframes.jobs.streams import read_stream
from spark_keyframes.limits import Limits
from spark_keyframes.listing.local_files import local_files
from spark_keyframes.listing.remote_files import remote_files
from spark_keyframes.storage import Access
from tests.jobs.test_inputs import in_tasks
from tests.storage.tos_server import TosServer

ODD = ["x [y]", "{e,f}", "*", "q?", "10:30:00", "w[1]:2", "a%20b", "back\\slash", "it's", "勺 子#"]


@pytest.fixture
def tos(monkeypatch):
    with TosServer(buckets=["films"]) as server:
        server.apply(monkeypatch)
        yield server


@pytest.fixture(params=["tos", "s3a", "buckets"])
def store(request, monkeypatch):
    """A function that stores files in the bucket films, and returns its URL."""
    if request.param == "tos":
        server = request.getfixturevalue("tos")
        add = lambda name, data: server.objects.update({("films", name): data})  # noqa: E731
    elif request.param == "s3a":
        s3 = request.getfixturevalue("s3")
        s3.put("films")
        add = lambda name, data: s3.client.put_object(Bucket="films", Key=name, Body=data)  # noqa: E731
    else:
        fsspec = pytest.importorskip("fsspec")
        kind = pytest.importorskip("tests.storage.fsspec_stores").Buckets
        fsspec.register_implementation(kind.protocol, kind, clobber=True)
        monkeypatch.setattr(kind, "store", {})
        monkeypatch.setattr(kind, "error", None)
        add = lambda name, data: kind().pipe_file(f"/films/{name}", data)  # noqa: E731

    def put(*names, sizes=None):
        for index, name in enumerate(names):
            add(name, b"x" * (sizes[index] if sizes else 1))
        return f"{request.param}://films"

    return put


def below(url, frame):
    paths = [row["video"] for row in frame.collect()]
    assert all(path.startswith(f"{url}/") for path in paths)
    return sorted(path.removeprefix(f"{url}/") for path in paths)


def test_a_folder_gives_its_videos_and_names_what_it_leaves_out(spark, store, caplog):
    videos = ["_MG_1.MOV", "_day/b.mp4", "_day/_c.m2v", "e/_f.VOB", "g:h.rmvb", "i.insv"]
    others = [".k.mp4", ".trash/l.mp4", "_SUCCESS", "notes.md", "e/a.srt"]
    url = store(*[f"in/{name}" for name in videos + others], "out.mp4")
    for location in (f"{url}/in", f"{url}/in/"):
        assert below(f"{url}/in", read_videos(spark, location)) == sorted(videos)
    assert "3 files are left out, whose names do not end as those of videos do: " in caplog.text
    assert "_SUCCESS, a.srt, notes.md" in caplog.text
    assert "k.mp4" not in caplog.text
    caplog.clear()
    assert below(url, read_videos(spark, f"{url}/*/*.{{MOV,md}}")) == [
        "in/_MG_1.MOV",
        "in/notes.md",
    ]
    assert below(url, read_videos(spark, f"{url}/i[n]/")) == sorted(
        f"in/{name}" for name in [*videos, "_SUCCESS", "notes.md", "e/a.srt"]
    )
    assert not caplog.records, "a glob takes what it matches"
    assert below(url, read_videos(spark, f"{url}/in/i.insv")) == ["in/i.insv"]


def test_its_videos_are_assigned_by_their_sizes(spark, store):
    names = [f"{number:02}.mp4" for number in range(40)]
    sizes = [10_000 if number == 25 else 100 for number in range(40)]
    url = store(*names, sizes=sizes)
    expected = assign_to_tasks(names, sizes, at_once=2)
    assert expected[0] == ["25.mp4"]
    assert in_tasks(read_videos(spark, url)) == expected
    limited = [row["video"] for row in read_videos(spark, f"{url}/", limit=2).collect()]
    assert limited == [f"{url}/00.mp4", f"{url}/01.mp4"], "the first by name"


@pytest.mark.parametrize("name", ODD)
def test_a_folder_and_a_file_of_any_name(spark, tos, name):
    tos.objects.update({("films", f"{name}/{each}"): b"x" for each in ("a.mp4", f"{name}.mp4")})
    tos.objects["films", "other/z.mp4"] = b"x"
    url = f"tos://films/{name}"
    wanted = sorted(["a.mp4", f"{name}.mp4"])
    assert below(url, read_videos(spark, url)) == wanted
    assert below(url, read_videos(spark, f"{url}/")) == wanted
    assert below(url, read_videos(spark, f"{url}/{name}.mp4")) == [f"{name}.mp4"]


def test_a_list_of_videos(spark, store):
    url = store("list.txt")
    assert [row["video"] for row in read_videos(spark, f"{url}/list.txt").collect()] == ["x"]
    access = Access(allowed_schemes=("https",))
    assert read_videos(spark, f"{url}/list.txt", access=access).count() == 1


def test_only_allowed_folders_are_listed(spark, store):
    url = store("in/a.mp4")
    for access in (Access(allowed_schemes=("https",)), Access(allowed_hosts=("other",))):
        with pytest.raises(AccessError, match=f"{url}/in has .*allowed_"):
            read_videos(spark, f"{url}/in", access=access)
    assert read_videos(spark, f"{url}/in", access=Access(allowed_hosts=("films",))).count() == 1


def test_nothing_there_is_an_error(spark, store):
    url = store()
    for location in (url, f"{url}/"):
        with pytest.raises(SourceNotFoundError, match="nothing found at"):
            read_videos(spark, location)
    store("a.md")
    for location in (f"{url}/none", f"{url}/none/", f"{url}/*.mp4", f"{url}/a[b]"):
        with pytest.raises(SourceNotFoundError, match="nothing found at .*; give a video"):
            read_videos(spark, location)
    store("b.md")
    with pytest.raises(ParameterError, match=r"no videos in .*; looked for \.264"):
        read_videos(spark, url)


def test_a_scheme_without_its_package_or_with_one_slash(spark, monkeypatch):
    with pytest.raises(UnsupportedSchemeError, match="unknown scheme nonsense://"):
        read_videos(spark, "nonsense://bucket/folder")
    with pytest.raises(SourceNotFoundError, match=r"'s3:/b/k'; write two slashes"):
        read_videos(spark, "s3:/b/k")


def test_a_driver_without_keys_passes_a_single_video_on(spark, tos, monkeypatch, caplog):
    monkeypatch.delenv("SECRET_KEY")
    for url in ("tos://films/a.mp4", "tos://films/without-suffix"):
        (row,) = read_videos(spark, url).collect()
        assert row["video"] == url
    assert "SECRET_KEY is not set" in caplog.text
    assert "the driver takes this for the URL of one video" in caplog.text
    for url in ("tos://films/folder/", "tos://films/*.mp4"):
        with pytest.raises(CredentialsError, match="SECRET_KEY is not set"):
            read_videos(spark, url)
    assert tos.requests == 0


@pytest.mark.parametrize(
    ("url", "remedy"),
    [
        ("tos://films/landing/", r"tos://; run jobs/sample\.py .* `resume`: .*; or use a place"),
        ("s3://films/landing/", r"s3://; run .*; or add --packages \S+:hadoop-aws:\d\S+ to spark-"),
    ],
)
def test_a_stream_of_such_a_folder_is_refused(spark, url, remedy):
    options = {"table_format": None, "content": False, "files_per_batch": 9}
    said = f"`input` cannot be '{url}': this Spark has no file system for {remedy}"
    with pytest.raises(ParameterError, match=said):
        read_stream(spark, url, column=None, **options)
    with pytest.raises(ParameterError, match="`input` cannot be .*has no file system"):
        read_stream(spark, url, column="video", **options)


# The same rules as for local folders

_NAMES = st.sampled_from(["a", "b", ".c", "_d", "e.mp4", "[a]", "a*", "?"])
_PARTS = st.sampled_from(
    ["a", "*", "?", "[ab]", "[^a]", "{a,b}", "{a,_*}", ".*", "*.mp4", "[[]a]", "a\\*", "**", "[a]"]
)


_PATHS = st.lists(st.lists(_NAMES, min_size=1, max_size=3).map(tuple), min_size=1, max_size=6)
_PATTERNS = st.lists(_PARTS, min_size=1, max_size=3).map("/".join)
_MANY = int(os.environ.get("GLOB_EXAMPLES", "2000"))


@pytest.mark.parametrize("count", [50, pytest.param(_MANY, marks=pytest.mark.slow)])
def test_a_glob_finds_what_it_finds_in_a_local_folder(tmp_path_factory, count):
    examples = hypothesis.given(_PATHS, _PATTERNS)(check_glob)
    hypothesis.settings(max_examples=count)(examples)(tmp_path_factory)


def check_glob(tmp_path_factory, paths, pattern):
    fsspec = pytest.importorskip("fsspec")
    kind = pytest.importorskip("tests.storage.fsspec_stores").Buckets
    fsspec.register_implementation(kind.protocol, kind, clobber=True)
    kind.store.clear()
    folder = tmp_path_factory.mktemp("local")
    for parts in paths:
        path = folder.joinpath(*parts)
        if path.is_dir() or any(above.is_file() for above in path.parents):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        kind().pipe_file(f"/films/{'/'.join(parts)}", b"x")
    wanted = {path.removeprefix(f"{folder}/") for path in local_files(f"{folder}/{pattern}")}
    found, _ = remote_files(f"buckets://films/{pattern}", Access(), Limits())
    assert {url.removeprefix("buckets://films/") for url in found} == wanted
