"""Listing folders of tos://, of S3, and of other packages of fsspec: the same rules."""

import time

import pytest

from spark_keyframes.errors import (
    AccessError,
    CredentialsError,
    LimitError,
    SourceNotFoundError,
    SourceReadError,
    UnsupportedSchemeError,
)
from spark_keyframes.limits import Limits
from spark_keyframes.storage import Access, list_url, open_url
from spark_keyframes.storage.tos import client as tos_client
from tests.storage.faults import Refusal

ODD = "x [y]*?#%20&+ 勺/a?b#c [1].mp4"
VISIBLE = ["a.mp4", "day/_c.mov", "day/b.mp4", "day/notes.md", ODD]
HIDDEN = [".h/e.mp4", "day/.d.mp4", "day/.t/f.mp4"]
MARKERS = ["day/", "empty/"]


@pytest.fixture(params=["tos", "s3", "buckets", "flat"])
def place(request, monkeypatch):
    """The URL of a bucket with files, hidden files, and markers of empty folders."""
    objects = {key: b"x" * len(key) for key in [*VISIBLE, *HIDDEN, *MARKERS]}
    if request.param == "tos":
        tos = request.getfixturevalue("tos")
        tos.objects.update({("bucket", key): data for key, data in objects.items()})
        tos.page = 2
        return "tos://bucket"
    if request.param == "s3":
        s3 = request.getfixturevalue("s3")
        s3.put("films")
        for key, data in objects.items():
            s3.client.put_object(Bucket="films", Key=key, Body=data)
        return "s3://films"
    fsspec = pytest.importorskip("fsspec")
    stores = pytest.importorskip("tests.storage.fsspec_stores")
    kind = stores.Buckets if request.param == "buckets" else stores.FlatBuckets
    fsspec.register_implementation(kind.protocol, kind, clobber=True)
    monkeypatch.setattr(kind, "store", {})
    monkeypatch.setattr(kind, "calls", [])
    monkeypatch.setattr(stores.Buckets, "error", None)
    filesystem = kind()
    for key, data in objects.items():
        if key not in MARKERS:
            filesystem.pipe_file(f"/films/{key}", data)
    return f"{kind.protocol}://films"


def test_a_folder_gives_all_below_it_but_what_is_hidden(place):
    found = list_url(place)
    assert found == {f"{place}/{key}": len(key) for key in VISIBLE}
    assert list_url(f"{place}/") == found
    assert sorted(list_url(f"{place}/day")) == [f"{place}/{key}" for key in VISIBLE[1:4]]
    assert list_url(f"{place}/day/") == list_url(f"{place}/day")
    assert sorted(list_url(f"{place}/.h")) == [f"{place}/.h/e.mp4"], "who names it wants it"


def test_a_url_leads_to_its_file(place):
    for url, size in list_url(place).items():
        with open_url(url) as file:
            assert file.read() == b"x" * size
        assert list_url(url) == {url: size}


def test_one_level_has_the_folders_too(place):
    folder = ODD.partition("/")[0]
    found = {f"{place}/{name}" for name in ("a.mp4", "day/", f"{folder}/", ".h/")}
    empty = {f"{place}/empty/"} if place.startswith(("tos", "s3")) else set()
    assert set(list_url(place, recursive=False)) == found | empty
    names = ("_c.mov", "b.mp4", "notes.md", ".d.mp4", ".t/")
    wanted = {f"{place}/day/{name}" for name in names}
    assert set(list_url(f"{place}/day/", recursive=False)) == wanted


def test_what_is_not_there_is_an_empty_answer(place):
    for url in (f"{place}/none", f"{place}/a", f"{place}/da", f"{place}/a.mp4/"):
        assert list_url(url) == {}


def test_only_allowed_places_are_listed(place):
    for access in (Access(allowed_schemes=("https",)), Access(allowed_hosts=("other",))):
        with pytest.raises(AccessError, match=f"{place}/day has .*allowed_"):
            list_url(f"{place}/day", access=access)
    assert list_url(place, access=Access(allowed_hosts=(place.partition("://")[2],)))


def test_a_listing_is_not_remembered(place, request):
    before = list_url(f"{place}/day")
    if place == "s3://films":
        s3 = request.getfixturevalue("s3")
        s3.client.put_object(Bucket="films", Key="day/b.mp4", Body=b"longer than before")
    elif place == "tos://bucket":
        request.getfixturevalue("tos").objects["bucket", "day/b.mp4"] = b"longer than before"
    else:
        pytest.importorskip("fsspec").filesystem(place.partition(":")[0]).pipe_file(
            "/films/day/b.mp4", b"longer than before"
        )
    with open_url(f"{place}/day/b.mp4") as file:
        assert file.read() == b"longer than before"
    assert list_url(f"{place}/day") == before | {f"{place}/day/b.mp4": 18}


@pytest.mark.parametrize("place", ["buckets", "flat"], indirect=True)
def test_a_flat_storage_is_asked_once_and_others_per_folder(place):
    from tests.storage import fsspec_stores as stores

    list_url(place)
    if place.startswith("flat"):
        assert stores.FlatBuckets.calls == [("find", "/films")]
    else:
        folders = ["/films", "/films/day", f"/films/{ODD.partition('/')[0]}"]
        wanted = [("ls", folder) for folder in folders]
        assert stores.Buckets.calls == wanted, "no hidden folder is looked into"


# TOS


def test_pages_follow_each_other_until_the_last(tos):
    tos.objects.update({("bucket", f"d/{n:04}.mp4"): b"x" for n in range(2500)})
    found = list_url("tos://bucket/d/")
    assert list(found) == [f"tos://bucket/d/{n:04}.mp4" for n in range(2500)]
    assert tos.answers == [("GET", "bucket", "", 200)] * 3


@pytest.mark.parametrize("fault", [503, "reset", "truncate", "not text"])
def test_each_page_is_tried_again(tos, monkeypatch, fault):
    monkeypatch.setattr("tos.clientv2.SLEEP_BASE_TIME", 0.0)
    tos.objects.update({("bucket", f"d/{n}.mp4"): b"x" for n in range(9)})
    tos.page = 4
    tos.faults.extend(["none", fault, fault, fault, "none"])
    assert len(list_url("tos://bucket/d/")) == 9
    assert not tos.faults


def test_a_listing_ends_at_the_time_limit(tos, monkeypatch):
    monkeypatch.setattr(tos_client, "SOCKET_TIMEOUT", 5.0)
    monkeypatch.setattr(tos_client, "_built", None)
    tos.objects["bucket", "d/a.mp4"] = b"x"
    tos.faults.extend(["stall"] * 9)
    begin = time.monotonic()
    with pytest.raises(LimitError, match=r"bucket/d/ took longer than max_download_seconds=0\.3"):
        list_url("tos://bucket/d/", limits=Limits(max_download_seconds=0.3))
    assert time.monotonic() - begin < 15


@pytest.mark.parametrize("fault", ["no token", "same token"])
def test_a_page_without_the_place_of_the_next_is_an_error(tos, fault):
    tos.objects.update({("bucket", f"d/{n}.mp4"): b"x" for n in range(9)})
    tos.page = 4
    tos.faults.extend(["none", fault])
    with pytest.raises(SourceReadError, match="could not list tos://bucket/d/: TOS announces more"):
        list_url("tos://bucket/d/")


def test_a_url_that_is_too_long_is_not_requested(tos):
    with pytest.raises(SourceReadError, match="is not read: it has 9,"):
        list_url(f"tos://bucket/{'a' * 9000}")
    assert tos.requests == 0


def test_refusals_are_named(tos, monkeypatch):
    tos.faults.append(Refusal(403, "AccessDenied"))
    with pytest.raises(CredentialsError, match="refused to read tos://bucket/d/: .*AccessDenied"):
        list_url("tos://bucket/d/")
    with pytest.raises(SourceNotFoundError, match="no such bucket, tos://none/d: .*region"):
        list_url("tos://none/d")
    with pytest.raises(SourceReadError, match="tos://bucket/key"):
        list_url("tos://B/d")
    monkeypatch.delenv("SECRET_KEY")
    with pytest.raises(CredentialsError, match="SECRET_KEY is not set"):
        list_url("tos://bucket/d")


# fsspec


@pytest.fixture
def buckets(monkeypatch):
    fsspec = pytest.importorskip("fsspec")
    kind = pytest.importorskip("tests.storage.fsspec_stores").Buckets
    fsspec.register_implementation(kind.protocol, kind, clobber=True)
    monkeypatch.setattr(kind, "store", {})
    monkeypatch.setattr(kind, "error", None)
    return kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [(PermissionError("no"), CredentialsError), (OSError("no"), SourceReadError)],
)
def test_a_folder_that_cannot_be_listed_is_an_error(buckets, monkeypatch, error, kind):
    """The `find` of fsspec itself would leave it out without a word."""
    monkeypatch.setattr(buckets, "error", error)
    with pytest.raises(kind, match="could not list buckets://films/a: .*no"):
        list_url("buckets://films/a")


def test_a_lost_connection_is_tried_again(buckets, monkeypatch):
    errors, own = [ConnectionResetError(), TimeoutError()], buckets.ls

    def unreliable(self, path, **options):
        if errors:
            raise errors.pop()
        return own(self, path, **options)

    buckets().pipe_file("/films/a.mp4", b"x")
    monkeypatch.setattr(buckets, "ls", unreliable)
    assert list_url("buckets://films") == {"buckets://films/a.mp4": 1}


def test_a_package_that_hangs_is_given_up(buckets, monkeypatch):
    monkeypatch.setattr(buckets, "ls", lambda self, path, **options: time.sleep(3))
    begin = time.monotonic()
    with pytest.raises(LimitError, match=r"max_download_seconds=0\.2"):
        list_url("buckets://films/a", limits=Limits(max_download_seconds=0.2))
    assert time.monotonic() - begin < 2.5


@pytest.mark.parametrize("url", ["https://host/videos/", "data:,x", "/videos", "zip://a::b.zip"])
def test_what_has_no_folders_is_not_listed(url):
    with pytest.raises(UnsupportedSchemeError):
        list_url(url)


# S3


def test_s3_without_keys_or_bucket(s3, monkeypatch):
    with pytest.raises(SourceNotFoundError, match="no such bucket, s3://nobucket/x: "):
        list_url("s3://nobucket/x")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(CredentialsError, match="no credentials for S3, which s3://films/a needs"):
        list_url("s3://films/a")
