"""The score curve as a column: the times and scores of all candidates, also from an index."""

from dataclasses import replace

import pytest

from spark_keyframes import ParameterError
from spark_keyframes.arrow.columns import AddedColumns, Wanted, plan_columns
from spark_keyframes.arrow.curves import CANDIDATE_BYTES
from spark_keyframes.errors import RowTooLargeError
from spark_keyframes.spark import arrow_stage
from spark_keyframes.spark.arrow_stage import ArrowStage

ONE = "struct<timestamps:array<double>,scores:array<float>>"
TEXTS = ["spoon", "a fork on a table", None, "spoon"]


@pytest.fixture(scope="module")
def videos(spark, clips):
    """Two good videos, a null and a missing one, and a null text; with several texts beside."""
    paths = [str(clips[0]), str(clips[1]), None, "none.mp4", str(clips[2])]
    rows = [(n, path, None if n == 4 else "spoon", TEXTS) for n, path in enumerate(paths)]
    return spark.createDataFrame(rows, "id int, video string, prompt string, texts array<string>")


def by_id(frame):
    return {row["id"]: row.asDict(recursive=True) for row in frame.collect()}


def check(curve, candidates):
    assert curve["timestamps"] == candidates.timestamps
    assert curve["scores"] == pytest.approx(candidates.scores, abs=1e-5)


def test_all_candidates_of_each_video_are_in_it(videos, plain, clips):
    result = plain.transform(
        videos, text_col="prompt", curve_col="curve", timestamps_col="times", error_col="error"
    )
    assert result.schema["curve"].dataType.simpleString() == ONE
    assert result.columns[-4:] == ["keyframes", "times", "curve", "error"]
    found = by_id(result)
    for number in (0, 1):
        alone = plain.sample(clips[number])
        row = found[number]
        check(row["curve"], alone.candidates)
        assert len(row["curve"]["scores"]) > len(alone.frame_ids), "not the keyframes alone"
        of_time = dict(zip(row["curve"]["timestamps"], row["curve"]["scores"], strict=True))
        assert [of_time[time] for time in row["times"]] == row["keyframes"]["scores"]
    assert [found[number]["curve"] for number in (2, 3, 4)] == [None] * 3
    assert found[3]["error"]["error"] == "SourceNotFoundError"


def test_each_of_several_texts_has_its_own(videos, plain, clips):
    result = plain.transform(videos, text_col="texts", curve_col="curve")
    assert result.schema["curve"].dataType.simpleString() == f"array<{ONE}>"
    found = by_id(result)
    for text, curve in zip(TEXTS, found[0]["curve"], strict=True):
        if text is None:
            assert curve is None
        else:
            check(curve, plain.sample(clips[0], text=text).candidates)
    assert found[2]["curve"] is found[3]["curve"] is None


def test_of_a_part_it_has_the_times_of_the_whole_video(spark, plain, clips):
    frame = spark.createDataFrame(
        [(str(clips[0]), 1.3, 2.6), (str(clips[0]), 1.01, 1.02)], "video string, a double, b double"
    )
    result = plain.transform(frame, start_col="a", end_col="b", curve_col="curve")
    part, empty = (row["curve"].asDict() for row in result.collect())
    check(part, plain.sample(clips[0], start=1.3, end=2.6).candidates)
    assert part["timestamps"][0] == 1.4
    assert empty == {"timestamps": [], "scores": []}


def test_scores_are_not_thinned_out_by_what_may_be_chosen(spark, plain, clips):
    """All candidates are in it, also those below `min_score`; and of selectors without scores."""
    frame = spark.createDataFrame([(str(clips[0]),)], "video string")
    expected = plain.sample(clips[0]).candidates
    for parameters in ({"min_score": 0.99}, {"selector": "uniform"}, {"min_gap": 2.0}):
        (row,) = replace(plain, **parameters).transform(frame, curve_col="curve").collect()
        check(row["curve"], expected)


def test_an_index_gives_the_curve_of_its_own_text(videos, plain):
    index = plain.transform(videos, candidates_col="candidates", curve_col="curve").drop(
        "keyframes", "curve"
    )
    asked = {"text_col": "texts", "curve_col": "curve"}
    found = by_id(plain.transform_index(index, **asked))
    expected = by_id(plain.transform(videos, **asked))
    for number, row in found.items():
        curves, others = row["curve"], expected[number]["curve"]
        assert (curves is None) == (others is None)
        for curve, other in zip(curves or (), others or (), strict=True):
            assert (curve and curve["timestamps"]) == (other and other["timestamps"])
            assert curve is None or curve["scores"] == pytest.approx(other["scores"], abs=1e-5)
    assert sum(row["curve"] is not None for row in found.values()) == 3


def test_with_rerank_it_is_that_of_the_first_model(spark, reranking, clips):
    frame = spark.createDataFrame([(str(clips[0]),)], "video string")
    (row,) = reranking.transform(frame, curve_col="curve").collect()
    check(row["curve"].asDict(), replace(reranking, rerank="").sample(clips[0]).candidates)
    assert not set(row["keyframes"]["scores"]) & set(row["curve"]["scores"])


def test_the_name_must_be_free(spark, plain):
    frame = spark.createDataFrame([("a.mp4", 1)], "video string, Curve int")
    for columns, name in (
        ({"curve_col": "curve"}, "curve"),
        ({"curve_col": "keyframes"}, "keyframes"),
        ({"curve_col": "x", "timestamps_col": "x"}, "x"),
    ):
        with pytest.raises(ParameterError, match=f"two columns called '{name}'"):
            plain.transform(frame, **columns)
    with pytest.raises(ParameterError, match="curve_col must be the name of a column"):
        plain.transform(frame, curve_col=True)


def test_curves_too_large_for_a_row_are_its_failure(plain, clips, monkeypatch):
    """For as many texts as it takes; without the column there is no limit."""
    import pyarrow as pa

    count = len(plain.sample(clips[2]).candidates.scores)
    monkeypatch.setattr(arrow_stage, "_CURVE_BYTES", 2 * CANDIDATE_BYTES * count)
    texts = [["a", "b"], ["a", "b", "c"]]
    batch = pa.RecordBatch.from_pylist([{"v": str(clips[2]), "texts": each} for each in texts])
    types = [("v", "string"), ("texts", "array<string>")]

    def found(on_error="null", **names):
        added = AddedColumns(output="k", error="why", **names)
        columns = plan_columns(types, Wanted(input="v", text="texts", added=added))
        (result,) = ArrowStage(plain._pipeline(None), columns, on_error)(iter([batch]))
        return result.to_pylist()

    fits, fails = found(curve="curve")
    assert [len(curve["scores"]) for curve in fits["curve"]] == [count] * 2
    assert fails["curve"] is fails["k"] is None
    assert fails["why"]["error"] == "RowTooLargeError"
    assert f"the score curves of {count} candidates for 3 texts" in fails["why"]["message"]
    assert fails["why"]["message"].startswith(f"{clips[2]}: ")
    assert [row["why"] for row in found()] == [None, None]
    with pytest.raises(RowTooLargeError, match="row 1 of partition 0"):
        found(on_error="raise", curve="curve")


def test_an_index_has_the_same_limit(spark, videos, plain, monkeypatch):
    """Set in this process, since workers do not see it."""
    import pyarrow as pa

    index = plain.index(videos.where("id < 2")).select("id", "candidates", "index_info")
    table = pa.Table.from_batches(index.toArrow().to_batches())
    types = [(field.name, field.dataType.simpleString()) for field in index.schema]
    from spark_keyframes.arrow.columns import IndexColumns

    wanted = Wanted(
        index=IndexColumns(candidates="candidates", info="index_info"),
        added=AddedColumns(output="k", error="why", curve="curve"),
    )
    most = CANDIDATE_BYTES * len(
        plain.sample(videos.where("id = 1").first()["video"]).candidates.scores
    )
    monkeypatch.setattr(arrow_stage, "_CURVE_BYTES", most)
    pipeline = replace(plain._pipeline(None), asks_index=True)
    stage = ArrowStage(pipeline, plan_columns(types, wanted), "null")
    rows = [row for part in stage(iter(table.to_batches())) for row in part.to_pylist()]
    errors = {row["id"]: row["why"] and row["why"]["error"] for row in rows}
    assert errors == {0: "RowTooLargeError", 1: None}
