"""Where the images of a report come from, which of them it has, and what stands for the others."""

import base64
import io

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from spark_keyframes.errors import CredentialsError, SourceNotFoundError, SourceReadError
from spark_keyframes.limits import Limits
from spark_keyframes.report import stored_images, write
from spark_keyframes.report.pictures import Place, choose
from spark_keyframes.report.stored_images import StoredImages
from spark_keyframes.storage import Access, write_url
from tests.report.result_tables import (
    ARRAYS,
    ENCODED,
    EXPLODED,
    exploded,
    image_cell,
    jpeg,
    pixels,
    several_texts,
    video,
)
from tests.report.result_tables import (
    write as write_table,
)
from tests.storage.tos_server import TosServer


@pytest.fixture
def cards(tmp_path, monkeypatch):
    """A function that writes a report and returns its cards, and what it says of missing images."""
    made = {}

    def kept(contents):
        made["contents"] = contents
        return "page"

    monkeypatch.setattr(write, "page_html", kept)

    def written(table, **options):
        write.write_report(table, tmp_path / "report.html", **options)
        contents = made["contents"]
        kinds = {type(error).__name__: count for count, error in contents.missing}
        if contents.not_stored:
            kinds["not stored"] = contents.not_stored
        return [each.card for each in contents.videos], kinds

    return written


def color(picture):
    """The colour of a picture's image, which tells its frame."""
    file = io.BytesIO(base64.b64decode(picture.source.partition(",")[2]))
    return np.asarray(Image.open(file).convert("RGB"))[40, 40].astype(int)


def shows(picture, frame_id):
    return np.abs(color(picture) - pixels(frame_id)[0, 0]).max() < 12


@pytest.mark.parametrize(
    ("field", "cell"), [(ENCODED, jpeg), (ARRAYS, image_cell)], ids=["encoded", "arrays"]
)
def test_images_of_the_table_are_shown(cards, tmp_path, field, cell):
    rows = [
        video(f"{n}.mp4", frames=frames, keyframes_images=[cell(each) for each in frames])
        for n, frames in enumerate([(10, 40), (60, 80)])
    ]
    found, missing = cards(write_table(tmp_path / "t", rows, field), thumbnail_height=64)
    assert not missing
    for card in found:
        assert all(shows(each, each.frame_id) for each in card.pictures)
    picture = found[0].pictures[0]
    assert picture.source.startswith("data:image/webp;base64,")


def test_images_of_a_dataframe_of_spark_are_shown(cards, spark, tmp_path):
    images = [jpeg(10), jpeg(40)]
    table = write_table(tmp_path / "t", [video("a.mp4", keyframes_images=images)], ENCODED)
    (card,), missing = cards(spark.read.parquet(str(table)))
    assert not missing
    assert all(shows(each, each.frame_id) for each in card.pictures)


def test_images_of_several_texts_are_found_by_their_frames(cards, tmp_path):
    row, schema = several_texts(images=True)
    found, missing = cards(write_table(tmp_path / "t", [row], schema=schema))
    assert not missing
    frames = [[each.frame_id for each in card.pictures] for card in found]
    assert frames == [[10, 40], [40, 70, 90], []]
    assert all(shows(each, each.frame_id) for card in found for each in card.pictures)


def test_images_of_rows_per_keyframe_are_shown(cards, tmp_path):
    schema = EXPLODED.append(pa.field("image", pa.binary()))
    rows = [
        row | {"image": jpeg(row["frame_id"])}
        for name in ("a.mp4", "b.mp4")
        for row in exploded(video(name, frames=(10, 40, 60)))
    ]
    # Two keyframes of a video are in another file, as where a table is partitioned.
    table = write_table(tmp_path / "t", [*rows[:2], *rows[4:]], schema=schema)
    found, missing = cards(write_table(table, rows[2:4], schema=schema))
    assert not missing
    assert [len(card.pictures) for card in found] == [3, 3]
    assert all(shows(each, each.frame_id) for card in found for each in card.pictures)


def stored_row(name, frames, folder):
    paths = []
    for frame in frames:
        path = folder / f"{name}-{frame}.jpg"
        path.write_bytes(jpeg(frame, (720, 1280)))
        paths.append(str(path))
    return video(name, frames=frames, paths=paths)


def test_stored_images_are_embedded_small(cards, tmp_path):
    table = write_table(tmp_path / "t", [stored_row("a.mp4", (10, 40), tmp_path)])
    (card,), missing = cards(table, thumbnail_height=90)
    assert not missing
    assert all(shows(each, each.frame_id) for each in card.pictures)
    file = io.BytesIO(base64.b64decode(card.pictures[0].source.partition(",")[2]))
    assert Image.open(file).size == (160, 90)


@pytest.fixture
def tos(monkeypatch):
    with TosServer(buckets=["photos"]) as server:
        server.apply(monkeypatch)
        yield server


def test_images_in_buckets_are_embedded(cards, s3, tos, monkeypatch, tmp_path):
    s3.put("reports")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    rows = []
    for frame, folder in ((10, "s3://reports/a"), (40, "tos://photos/b")):
        write_url(f"{folder}/x.jpg", jpeg(frame), content_type="image/jpeg")
        rows.append(video("a.mp4", frames=(frame,), paths=[f"{folder}/x.jpg"]))
    found, missing = cards(write_table(tmp_path / "t", rows))
    assert not missing
    assert all(shows(card.pictures[0], card.pictures[0].frame_id) for card in found)


def test_a_report_may_be_stored_in_a_bucket(s3, tmp_path):
    s3.put("reports")
    table = write_table(tmp_path / "t", [video("a.mp4")])
    done = write.write_report(table, "s3://reports/page.html")
    stored = s3.client.get_object(Bucket="reports", Key="page.html")
    assert stored["ContentType"] == "text/html; charset=utf-8"
    assert len(stored["Body"].read()) == done.size


def test_a_missing_image_has_a_placeholder_that_says_why(cards, tmp_path):
    row = stored_row("a.mp4", (10, 40, 60), tmp_path)
    (tmp_path / "a.mp4-40.jpg").unlink()
    (tmp_path / "a.mp4-60.jpg").write_bytes(b"no image")
    (card,), missing = cards(
        write_table(
            tmp_path / "t",
            [
                row,
            ],
        )
    )
    first, second, third = card.pictures
    assert first.source
    assert second.source is None
    assert second.missing.startswith("no file")
    assert third.missing == "the 8 bytes are no image"
    assert missing == {"SourceNotFoundError": 1, "EncodeError": 1}


def test_images_that_nobody_stored_are_said(cards, tmp_path):
    (card,), missing = cards(write_table(tmp_path / "t", [video("a.mp4")]))
    assert [each.missing for each in card.pictures] == ["not stored"] * 2
    assert missing == {"not stored": 2}


def test_frames_are_decoded_where_they_are_asked_for(cards, clips, tmp_path):
    frames = (5, 40, 80)
    row = video(str(clips[0]), frames=frames) | {"timestamps": [each / 25 for each in frames]}
    gone = video(str(tmp_path / "gone.mp4"))
    changed = video(str(clips[1]), frames=(5, 40)) | {"timestamps": [5 / 25, 99.0]}
    (a, b, c), missing = cards(write_table(tmp_path / "t", [row, gone, changed]), open_videos=True)
    assert all(each.source for each in a.pictures)
    assert len({each.source for each in a.pictures}) == 3
    assert [each.missing.startswith("no file") for each in b.pictures] == [True, True]
    assert c.pictures[0].source
    assert "is shown at 1.6 s, and was at 99.0 s" in c.pictures[1].missing
    assert missing == {"SourceNotFoundError": 2, "VideoChangedError": 1}


def counts(videos):
    class Card:
        def __init__(self, pictures):
            self.pictures = pictures

    class Fake:
        def __init__(self, pictures):
            self.card = Card(pictures)

    from spark_keyframes.html import Picture

    return [
        Fake([Picture(frame_id=at, score=score) for at, score in enumerate(scores)])
        for scores in videos
    ]


def test_each_video_has_its_best_keyframes():
    videos = counts([[0.1, 0.9, 0.5, None], [0.3], [float("nan"), 0.2, 0.8]])
    assert choose(videos, 100) == [
        *(Place(0, at) for at in range(4)),
        Place(1, 0),
        *(Place(2, at) for at in range(3)),
    ]
    assert choose(videos, 5) == [Place(0, 1), Place(0, 2), Place(1, 0), Place(2, 1), Place(2, 2)]
    assert choose(videos, 2) == [Place(0, 1), Place(1, 0)]
    assert choose(videos, 0) == []
    assert choose([], 10) == []


def test_the_others_are_listed(cards, tmp_path):
    rows = [stored_row(f"{n}.mp4", (10, 40, 60), tmp_path) for n in range(2)]
    found, missing = cards(write_table(tmp_path / "t", rows), max_images=4)
    assert not missing
    for card in found:
        assert [len(card.pictures), len(card.more)] == [2, 1]
        assert all(shows(each, each.frame_id) for each in card.pictures)


@pytest.mark.parametrize(
    ("error", "tried"), [(CredentialsError, 1), (SourceReadError, 3), (SourceNotFoundError, 40)]
)
def test_a_storage_that_fails_is_not_waited_for_again(monkeypatch, error, tried):
    opened = []

    def open_url(url, **_):
        opened.append(url)
        raise error(f"{url}: broken")

    monkeypatch.setattr(stored_images, "open_url", open_url)
    monkeypatch.setattr(stored_images, "_AT_A_TIME", 1)
    stored = StoredImages(90, Access(), Limits())
    urls = [f"tos://bucket/{n}.jpg" for n in range(40)]
    found = dict(stored.read(urls))
    assert list(found) == urls
    assert len(opened) == tried
    assert all(isinstance(each, Exception) for each in found.values())
    if tried < 40:
        assert "not tried, because others there failed: tos://bucket/" in str(found[urls[-1]])
    opened.clear()
    assert not isinstance(next(stored.read(["tos://other/a.jpg"]))[1], str)
    assert len(opened) == 1  # another bucket
