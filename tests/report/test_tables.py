"""Reports of all kinds of tables: what they count, and the cards that they have."""

import json
import math
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spark_keyframes.errors import MissingPackageError, ParameterError, SourceNotFoundError
from spark_keyframes.report import ReportOptions, tables, write_report
from spark_keyframes.report.gather import gather
from spark_keyframes.report.shape import shape_of
from spark_keyframes.report.tables import open_table
from spark_keyframes.report.totals import Totals
from spark_keyframes.schema import CANDIDATES_DDL, INDEX_INFO_DDL, arrow_type
from tests.report.result_tables import (
    ACCOUNT,
    CURVE,
    EXPLODED,
    KEYFRAMES,
    SCHEMA,
    account,
    curve,
    exploded,
    failed,
    several_texts,
    video,
    write,
)

EMPTY = {"video": None, "keyframes": None, "timestamps": None, "error": None, "made_by": None}
INFO = pa.field("index_info", arrow_type(f"struct<{INDEX_INFO_DDL}>"))


def gathered(table, most=1000, **options):
    """The totals and the cards of a table."""
    options = ReportOptions(**options)
    rows = open_table(table, options.format)
    totals = Totals()
    return totals, gather(rows, shape_of(rows.kinds, rows.name, options), totals, most)


def test_totals_are_of_all_videos_and_cards_of_the_first(tmp_path):
    rows = [video(f"{n}.mp4", paths=["a.jpg", "b.jpg"]) for n in range(5)]
    table = write(tmp_path, [*rows, failed("x.mp4"), EMPTY])
    totals, videos = gathered(table, 3)
    assert totals.shown == 3
    assert (totals.videos, totals.done, totals.failed, totals.empty) == (7, 5, 1, 1)
    assert (totals.keyframes, totals.stored) == (10, 10)
    assert [each.card.title for each in videos] == ["0.mp4", "1.mp4", "2.mp4"]
    first = videos[0].card
    assert first.text == "spoon"
    assert [(each.frame_id, each.seconds, each.source) for each in first.pictures] == [
        (10, 1.0, "a.jpg"),
        (40, 4.0, "b.jpg"),
    ]


def test_failures_are_counted_by_kind_with_three_examples(tmp_path):
    other = {"stage": "decode", "error": "LimitError", "message": "too long; raise it"}
    rows = [failed(f"{n}.mp4") for n in range(5)] + [failed("l.mp4", error=other)]
    totals, videos = gathered(write(tmp_path, rows))
    kinds = [(each.stage, each.error, each.count) for each in totals.failures.values()]
    assert kinds == [("open", "SourceNotFoundError", 5), ("decode", "LimitError", 1)]
    examples = totals.failures["open", "SourceNotFoundError"].examples
    assert examples == [(f"{n}.mp4", "no file x.mp4; check the path") for n in range(3)]
    assert videos[-1].kind == "decode LimitError"


def test_hours_of_video_come_from_the_index_the_curve_or_the_account(tmp_path):
    info = {
        **{each.name: None for each in INFO.type},
        "fps": 1.0,
        "duration": 100.0,
        "preprocessing": "p",
    }
    of_curve, of_info = curve(60), {"index_info": info, "start": 20.0, "end": 50.0}
    fields = (ACCOUNT, INFO, pa.field("curve", CURVE))
    fields += (pa.field("start", pa.float64()), pa.field("end", pa.float64()))
    rows = [
        video("a", curve=of_curve),
        video("b", account=account(frames_scored=30)),
        video("c", index_info=info),
        video("d", **of_info),
        video("e"),
    ]
    totals, videos = gathered(write(tmp_path, rows, *fields))
    assert totals.seconds == 60 + 30 + 100 + 30
    assert totals.with_seconds == 4
    assert [each.card.title for each in videos] == ["a", "b", "c", "d, 0:20.0 – 0:50.0", "e"]


def test_a_video_that_is_there_twice_has_two_cards(tmp_path):
    totals, videos = gathered(write(tmp_path, [video("a.mp4"), video("a.mp4")]))
    assert (totals.videos, totals.shown, len(videos)) == (2, 2, 2)


def test_a_part_without_an_end_goes_to_the_end(tmp_path):
    fields = [pa.field(name, pa.float64()) for name in ("start", "end")]
    _, videos = gathered(write(tmp_path, [video("a", start=20.0)], *fields))
    assert videos[0].card.title == "a, 0:20.0 – end"


def test_accounts_are_summed(tmp_path):
    rows = [video("a", account=account(decode_seconds=1.5)), video("b", account=None)]
    totals, _ = gathered(write(tmp_path, [*rows, rows[0]], ACCOUNT))
    assert totals.accounts == 2
    assert totals.account["decode_seconds"] == 3.0


def test_each_text_of_a_video_has_a_card(tmp_path):
    row, schema = several_texts()
    totals, videos = gathered(write(tmp_path, [row], schema=schema))
    assert (totals.videos, totals.done, totals.keyframes) == (1, 1, 5)
    assert [(each.card.text, len(each.card.pictures)) for each in videos] == [
        ("spoon", 2),
        ("egg", 3),
        (None, 0),
    ]
    assert videos[2].card.note == "There is no result: the text is null."


def test_rows_per_keyframe_are_joined_to_videos(tmp_path):
    seconds = account(decode_seconds=2.0)
    rows = [
        *exploded(video("a.mp4", frames=(10, 40, 60)), account=seconds),
        *exploded(failed("x.mp4"), account=seconds),
        *exploded(video("b.mp4"), account=seconds),
    ]
    totals, videos = gathered(write(tmp_path, rows, schema=EXPLODED))
    assert (totals.videos, totals.done, totals.failed, totals.keyframes) == (3, 2, 1, 5)
    assert totals.account["decode_seconds"] == 6.0  # of each video once
    cards = [each.card for each in videos]
    assert [(card.title, len(card.pictures)) for card in cards] == [
        ("a.mp4", 3),
        ("x.mp4", 0),
        ("b.mp4", 2),
    ]
    assert cards[0].pictures[2].seconds == 6.0
    assert cards[1].failure is not None
    assert cards[0].text == "spoon"


def test_rows_per_keyframe_of_several_texts_are_joined_by_text(tmp_path):
    both = {"made_by": None, "account": account(decode_seconds=2.0)}
    rows = [
        *exploded(video("a.mp4", frames=(10, 40)), **both, text_index=0, text="spoon"),
        *exploded(video("a.mp4", frames=(40, 70)), **both, text_index=1, text="egg"),
    ]
    totals, videos = gathered(write(tmp_path, rows, schema=EXPLODED))
    assert (totals.videos, totals.done, totals.keyframes, totals.shown) == (1, 1, 4, 1)
    assert totals.account["decode_seconds"] == 2.0
    assert [each.card.text for each in videos] == ["spoon", "egg"]
    assert dict(totals.texts) == {"spoon": 1, "egg": 1}


def test_the_moments_of_a_search_are_joined_by_video_and_text(tmp_path):
    rows = [
        {"text": "spoon", "rank": 1, "score": 0.7, "timestamp": 9.0, "frame_id": 90, "video": "a"},
        {"text": "spoon", "rank": 2, "score": 0.6, "timestamp": 1.0, "frame_id": 10, "video": "a"},
        {"text": "spoon", "rank": 3, "score": 0.5, "timestamp": 2.0, "frame_id": 20, "video": "b"},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "m.parquet")
    totals, videos = gathered(tmp_path)
    assert (totals.videos, totals.keyframes) == (2, 3)
    assert [each.frame_id for each in videos[0].card.pictures] == [10, 90]


def test_an_index_is_no_result(tmp_path):
    candidates = pa.field("candidates", arrow_type(f"array<struct<{CANDIDATES_DDL}>>"))
    schema = pa.schema([("video", pa.string()), candidates, INFO])
    table = write(tmp_path, [{"video": "a"}], schema=schema)
    with pytest.raises(ParameterError, match=r"is an index: .* Ask it first"):
        gathered(table)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"video_col": "none"}, "`video_col` 'none' is no column"),
        ({"keyframes_col": "none"}, "`keyframes_col` 'none' is no column"),
        ({"start_col": "none"}, "`start_col` 'none' is no column"),
    ],
)
def test_a_name_that_is_no_column_is_said(tmp_path, options, message):
    with pytest.raises(ParameterError, match=message):
        gathered(write(tmp_path, [video("a")]), **options)


def test_other_tables_are_no_results(tmp_path):
    pq.write_table(pa.table({"a": [1]}), tmp_path / "t.parquet")
    with pytest.raises(ParameterError, match="is no result: .* it has a"):
        gathered(tmp_path)


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(SourceNotFoundError, match="no table .*none; check the path"):
        gathered(tmp_path / "none")
    with pytest.raises(ParameterError, match="has no Parquet file"):
        gathered(tmp_path)
    (tmp_path / "part.parquet").write_bytes(b"no parquet")
    with pytest.raises(ParameterError, match="cannot be read as Parquet"):
        gathered(tmp_path)


def test_partitions_and_columns_that_a_later_run_added_are_read(tmp_path):
    for text in ("a b/c", "7"):
        folder = tmp_path / f"question={text.replace('/', '%2F')}"
        write(folder, [video(f"{text[0]}.mp4")])
    write(tmp_path / "question=7", [video("new.mp4", curve=curve(5))], pa.field("curve", CURVE))
    (tmp_path / "_SUCCESS").touch()
    totals, videos = gathered(tmp_path, text_col="question")
    assert totals.videos == 3
    cards = {each.card.title: each.card for each in videos}
    assert cards["new.mp4"].curve is not None
    assert cards["7.mp4"].curve is None
    assert {card.text for card in cards.values()} == {"7", "a b/c"}


def test_names_of_columns_may_have_dots(tmp_path):
    schema = pa.schema(
        [pa.field("a.b", pa.string()), *(each for each in SCHEMA if each.name != "video")]
    )
    row = video("x.mp4")
    table = write(tmp_path, [row | {"a.b": "x.mp4"}], schema=schema)
    _, videos = gathered(table, video_col="a.b")
    assert videos[0].card.title == "x.mp4"


def test_tables_without_names_of_videos_have_another_title(tmp_path):
    schema = SCHEMA.remove(0)
    _, videos = gathered(write(tmp_path / "a", [video("x")], schema=schema))
    assert [each.card.title for each in videos] == ["Video 1"]
    with_id = schema.append(pa.field("id", pa.string()))
    _, videos = gathered(write(tmp_path / "b", [video("x", id="row 7")], schema=with_id))
    assert [each.card.title for each in videos] == ["row 7"]


def test_dataframes_of_pandas_are_read(tmp_path):
    frame = pq.read_table(write(tmp_path, [video("a.mp4"), failed("x.mp4")])).to_pandas()
    totals, videos = gathered(frame)
    assert (totals.videos, totals.failed, totals.keyframes) == (2, 1, 2)
    assert [each.card.title for each in videos] == ["a.mp4", "x.mp4"]


@pytest.mark.parametrize("format", ["orc", "json", "parquet"])
def test_other_formats_are_read_through_spark(spark, tmp_path, monkeypatch, format):
    frame = spark.read.parquet(str(write(tmp_path / "a", [video("a.mp4"), failed("x.mp4")])))
    frame.write.format(format).save(str(tmp_path / "b"))
    started = []
    monkeypatch.setattr(tables, "_started", lambda *_: started.append(1) or spark)
    totals, videos = gathered(tmp_path / "b")
    assert (totals.videos, totals.failed, totals.keyframes) == (2, 1, 2)
    assert {each.card.title for each in videos} == {"a.mp4", "x.mp4"}
    assert len(started) == (format != "parquet")


def test_dataframes_of_spark_are_read(spark, tmp_path):
    frame = spark.read.parquet(str(write(tmp_path, [video("a.mp4"), failed("x.mp4")])))
    totals, _ = gathered(frame)
    assert (totals.videos, totals.failed, totals.keyframes) == (2, 1, 2)


def test_what_spark_must_read_says_so_without_it(tmp_path, monkeypatch):
    (tmp_path / "_delta_log").mkdir()
    monkeypatch.setattr("spark_keyframes.imports.find_spec", lambda _: None)
    with pytest.raises(
        MissingPackageError, match="is of the format delta: to read it, .* needs pyspark"
    ):
        gathered(tmp_path)


@pytest.mark.parametrize(
    ("names", "format"),
    [
        (["_delta_log/0.json", "a.parquet"], "delta"),
        (["metadata/v1.metadata.json", "data/a.parquet"], "iceberg"),
        (["_SUCCESS", "p=1/part-0.zstd.orc"], "orc"),
        ([".a.orc", "part-0.json.gz"], "json"),
        (["part-0.c000.snappy.parquet"], "parquet"),
        (["part-0"], None),
    ],
)
def test_the_format_is_that_of_the_files(tmp_path, names, format):
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(json.dumps({}))
    assert tables._format_of(tmp_path) == format


def test_a_relative_place_is_found(tmp_path, monkeypatch):
    write(tmp_path / "t", [video("a.mp4")])
    monkeypatch.chdir(tmp_path)
    assert gathered("t")[0].videos == gathered(f"file://{os.fspath(tmp_path)}/t")[0].videos == 1
    assert KEYFRAMES in (pq.read_schema(tmp_path / "t" / "part-00000.parquet").types)


ODD = [
    {"frame_ids": None, "scores": [0.5]},
    {"frame_ids": [None, 3], "scores": [0.5, 0.6]},
    {"frame_ids": [1], "scores": None},
    {"frame_ids": [1], "scores": [0.1, 0.2]},
    {"frame_ids": [1], "scores": []},
    {"curve": {"timestamps": None, "scores": None}},
    {"curve": {"timestamps": [1.0, None], "scores": [0.1, None]}},
    {"curve": {"timestamps": [1.0, 2.0], "scores": [0.1]}},
]
"""Changes of a row that only tables have that others wrote or changed."""


@pytest.mark.parametrize("change", ODD, ids=str)
def test_rows_that_others_wrote_do_not_end_the_report(change, tmp_path):
    row = video("a.mp4", curve=curve(5))
    for name, value in change.items():
        (row if name in row else row["keyframes"])[name] = value
    table = write(tmp_path / "table", [row, video("b.mp4")], pa.field("curve", CURVE))
    written = write_report(table, tmp_path / "report.html")
    assert (written.videos, written.cards) == (2, 2)
    page = (tmp_path / "report.html").read_text()
    assert "a.mp4" in page
    assert ("it has 2 times and 1 score, and needs one for each" in page) == (change == ODD[-1])


def test_fields_of_ours_that_hold_something_else_are_not_counted(tmp_path):
    kind = pa.struct([("decode_seconds", pa.float64()), ("frames_scored", pa.string())])
    made_by = pa.struct([(name, pa.string()) for name in ("text", "model", "revision", "fps")])
    schema = pa.schema([("keyframes", KEYFRAMES), ("account", kind), ("made_by", made_by)])
    row = {
        "keyframes": video("a.mp4")["keyframes"],
        "account": {"decode_seconds": math.nan, "frames_scored": "x"},
        "made_by": dict.fromkeys(made_by.names, "x"),
    }
    table = write(tmp_path / "table", [row], schema=schema)
    assert write_report(table, tmp_path / "report.html").videos == 1
    totals, _ = gathered(table)
    assert not any(totals.account.values())
