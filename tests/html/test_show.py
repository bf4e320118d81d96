"""Rows of result tables, shown."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from spark_keyframes import Access, ParameterError, show_keyframes
from tests.html.own_cards import HOSTILE
from tests.html.reading import Page

WANTED = {"error_col": "error", "timestamps_col": "timestamps", "made_by_col": "made_by"}


def videos(clips):
    return pd.DataFrame({"video": [str(clips[2]), "none.mp4", None, str(clips[1])]})


@pytest.fixture(scope="module")
def result(sampler, clips):
    return sampler.transform(videos(clips), **WANTED)


def test_rows_show_images_failures_and_nulls(result, clips):
    shown = show_keyframes(result)
    good, failed, null, last = shown.cards
    assert good.title == str(clips[2])
    assert good.text == "spoon"
    assert [each.frame_id for each in good.pictures] == result["keyframes"][0]["frame_ids"]
    assert [each.seconds for each in good.pictures] == result["timestamps"][0]
    assert all(each.source.startswith("data:image/jpeg;base64,") for each in good.pictures)
    assert failed.failure.startswith("open: SourceNotFoundError: no file none.mp4")
    assert null.title == "Video 3"
    assert "There is no result" in null.note
    assert len(last.pictures) == 4
    page = Page(shown._repr_html_())
    assert len(page.of("img")) == 8
    assert "✗ Failed. open: SourceNotFoundError" in page.text


def test_a_terminal_gets_a_table_of_words(result, clips):
    lines = repr(show_keyframes(result, 3)).splitlines()
    assert lines[0] == f"{clips[2]}  “spoon”"
    score = result["keyframes"][0]["scores"][0]
    assert lines[1] == f"  0:00.0  {score:.3f}  frame 0".replace("-", "−")
    assert lines[5] == "none.mp4  “spoon”"
    assert lines[6].startswith("  failed: open: SourceNotFoundError")
    assert repr(show_keyframes(result.head(0))) == "The table has no rows."
    assert "no rows" in show_keyframes(result.head(0))._repr_html_()


def test_so_many_rows_as_asked_for(result):
    assert len(show_keyframes(result, 2).cards) == 2
    with pytest.raises(ParameterError, match="n must be at least 1, got 0"):
        show_keyframes(result, 0)


def test_a_table_from_parquet_is_the_same(result, tmp_path):
    result.to_parquet(tmp_path / "table.parquet")
    again = pd.read_parquet(tmp_path / "table.parquet")
    assert show_keyframes(again) == show_keyframes(result)


def test_encoded_images_show_too(sampler, clips):
    table = sampler.transform(videos(clips), images="encoded")
    assert [bool(each.source) for each in show_keyframes(table, 1).cards[0].pictures] == [True] * 4


def test_stored_images_are_read_where_the_table_has_none(plain, clips, tmp_path):
    storing = replace(plain, output_tos_dir=str(tmp_path / "images"))
    table = storing.transform(videos(clips))
    pictures = show_keyframes(table, 1).cards[0].pictures
    assert all(each.source.startswith("data:image/jpeg") for each in pictures)

    elsewhere = Access(allowed_roots=(str(tmp_path / "other"),))
    (card,) = show_keyframes(table, 1, access=elsewhere).cards
    assert "allowed_roots" in card.pictures[0].missing

    for image in (tmp_path / "images").rglob("*.jpg"):
        image.write_bytes(b"broken")
    broken, gone = show_keyframes(table, 1).cards[0].pictures[:2]
    assert "are no image" in broken.missing
    for image in (tmp_path / "images").rglob("*.jpg"):
        image.unlink()
    gone = show_keyframes(table, 1)
    assert gone.cards[0].pictures[0].missing.startswith("no file ")
    assert "no image: no file" in repr(gone)


def test_nothing_stored_and_nothing_returned_is_said(plain, clips):
    (card,) = show_keyframes(plain.transform(videos(clips)), 1).cards
    assert {each.missing for each in card.pictures} == {
        "the table has no images, and none were stored"
    }
    assert card.text is None
    assert card.pictures[0].seconds is None


def test_several_texts_are_a_card_each_with_their_own_images(sampler, clips):
    table = pd.DataFrame({"path": [str(clips[0])], "text": [["early", None, "late"]]})
    table = sampler.transform(table, input_col="path", text_col="text", timestamps_col="timestamps")
    first, null, last = show_keyframes(table).cards
    assert (first.text, null.text, last.text) == ("early", None, "late")
    assert null.note == "There is no result: the text is null."
    alone = sampler.sample(clips[0], text=["early", "late"])
    for card, keyframes in zip((first, last), alone, strict=True):
        assert [each.frame_id for each in card.pictures] == keyframes.frame_ids
        assert [each.seconds for each in card.pictures] == keyframes.timestamps
        assert [each.source for each in card.pictures] == [
            each.source for each in keyframes._card().pictures
        ]


def test_columns_are_found_by_type_and_may_be_named(sampler, clips):
    table = sampler.transform(
        pd.DataFrame({"clip": [str(clips[2])]}),
        input_col="clip",
        output_col="my result",
        error_col="why",
        timestamps_col="when",
    )
    (card,) = show_keyframes(table).cards
    assert card.title == "Video 1"
    assert card.pictures[0].source
    (card,) = show_keyframes(table, video_col="clip", timestamps_col="when").cards
    assert card.title == str(clips[2])
    assert card.pictures[1].seconds == table["when"][0][1]
    with pytest.raises(ParameterError, match="`video_col` 'other' is no column of the table"):
        show_keyframes(table, video_col="other")


def test_of_two_columns_of_keyframes_one_is_named():
    cell = {"tos_paths": [], "frame_ids": [3], "scores": [0.5]}
    table = pd.DataFrame({"a": [cell], "b": [{**cell, "frame_ids": [4]}]})
    with pytest.raises(ParameterError, match="several of keyframes, 'a', 'b'"):
        show_keyframes(table)
    assert show_keyframes(table, keyframes_col="b").cards[0].pictures[0].frame_id == 4
    assert show_keyframes(table.rename(columns={"b": "keyframes"})).cards[0].pictures[0].frame_id


def test_a_curve_in_the_table_is_drawn():
    cell = {"tos_paths": [], "frame_ids": [3], "scores": [0.5]}
    curve = {"timestamps": np.arange(4.0), "scores": np.array([0.1, np.nan, 0.2, 0.5], "f4")}
    table = pd.DataFrame({"keyframes": [cell, None], "c": [curve, None]})
    first, last = show_keyframes(table).cards
    assert first.curve.seconds == [0.0, 1.0, 2.0, 3.0]
    assert last.curve is None
    assert "Score curve of 3 candidates" in show_keyframes(table)._repr_html_()


def test_hostile_and_secret_names_are_text():
    cell = {"tos_paths": ["tos://none/\u202e?X-Tos-Signature=abc"], "frame_ids": [0], "scores": [1]}
    name = "https://me:hunter2@example.com/a.mp4?X-Tos-Signature=abc"
    error = {"stage": "open", "error": HOSTILE, "message": f"cannot read {name}"}
    table = pd.DataFrame(
        {"video": [name, HOSTILE], "keyframes": [cell, None], "error": [None, error]}
    )
    shown = show_keyframes(table)
    html = shown._repr_html_()
    assert not Page(html).of("script")
    assert "<script>alert(1)</script>" in Page(html).text
    for text in (html, repr(shown)):
        assert "hunter2" not in text
        assert "Signature=abc" not in text
        assert "\u202e" not in text
        assert "\x00" not in text


@pytest.mark.parametrize("value", [None, [], {"a": 1}, "table"])
def test_what_is_no_dataframe_is_refused(value):
    with pytest.raises(ParameterError, match="shows a DataFrame of Spark or pandas, got"):
        show_keyframes(value)


def test_a_dataframe_of_something_else_is_refused():
    with pytest.raises(ParameterError, match="no column of keyframes: its columns are 'a'"):
        show_keyframes(pd.DataFrame({"a": [1]}))


def test_spark_computes_only_the_rows_and_columns_that_are_shown(spark, sampler, clips):
    table = sampler.transform(
        spark.createDataFrame([(str(clips[2]), 1), ("none.mp4", 2)], "video string, `a.b` int"),
        output_col="the.result",
        **WANTED,
    )
    shown = show_keyframes(table)
    expected = sampler.transform(videos(clips).head(2), output_col="the.result", **WANTED)
    assert shown == show_keyframes(expected)
    for rows in (1, 2):
        assert len(show_keyframes(table.drop("a.b"), rows).cards) == rows

    # A column that cannot be computed, and a row behind the first, are not asked for.
    from pyspark.sql import functions as sf

    failing = spark.range(1000, numPartitions=1).select(
        sf.expr(
            "named_struct('tos_paths', array(), 'frame_ids', array(id),"
            " 'scores', array(if(id > 2, raise_error('too far'), 0.5)))"
        ).alias("keyframes"),
        sf.expr("raise_error('not this one')").alias("other"),
    )
    assert len(show_keyframes(failing, 2).cards) == 2
    with pytest.raises(ParameterError, match="is a stream"):
        show_keyframes(spark.readStream.format("rate").load())
