"""The best moments of a collection, against numpy on all its candidates."""

from dataclasses import replace

import numpy as np
import pytest
from pyspark.sql import functions as sf

from spark_keyframes import EmbeddingModule, ParameterError, VideoAdaptiveKeyframesSampling
from spark_keyframes.index import best_moments, candidates_array
from spark_keyframes.result import Candidates
from spark_keyframes.schema import INDEX_INFO_DDL

SIZE = 8
TEXTS = ["one", "two", "three"]


class Texts(EmbeddingModule):
    """Texts have made-up embeddings; there are no images."""

    revision = "1"

    def embed_images(self, inputs):
        raise AssertionError("no video is decoded")

    def embed_texts(self, texts):
        return np.stack([vector(TEXTS.index(text)) for text in texts])


def vector(seed):
    values = np.random.default_rng(seed).normal(size=SIZE).astype(np.float32)
    return values / np.linalg.norm(values)


@pytest.fixture(scope="module")
def searching():
    return VideoAdaptiveKeyframesSampling(module=Texts(), return_keyframes=False)


def made_up(video):
    """The candidates of a video at 1 fps; one video in five has none, one in seven failed."""
    count = 0 if video % 5 == 0 else 20 + video
    rows = np.stack([vector(1000 * video + at + 10) for at in range(count)] or [np.empty(0)])
    if not count:
        rows = np.empty((0, 0), np.float32)
    times = [float(at) for at in range(count)]
    return None if video % 7 == 0 else Candidates(list(range(count)), times, [], embeddings=rows)


VIDEOS = {video: made_up(video) for video in range(1, 25)}


@pytest.fixture(scope="module")
def index(spark, searching, tmp_path_factory):
    import pyarrow as pa
    import pyarrow.parquet as pq

    from spark_keyframes.schema import arrow_type

    info = searching.index_info(searching.make_module()).cell()
    folder = tmp_path_factory.mktemp("collection")
    rows = {
        "name.of": pa.array([f"v{video}" for video in VIDEOS]),
        "candidates": candidates_array(list(VIDEOS.values())),
        "index_info": pa.array(
            [info if found else None for found in VIDEOS.values()],
            arrow_type(f"struct<{INDEX_INFO_DDL}>"),
        ),
    }
    table = pa.table(rows)
    for part in range(3):
        pq.write_table(table.slice(8 * part, 8), folder / f"{part}.parquet")
    return spark.read.parquet(str(folder))


def expected(text, *, limit, min_gap, per_video=None, min_score=-1.0):
    hits = []
    for video, found in VIDEOS.items():
        if found is None or not found.frame_ids:
            continue
        scores = found.embeddings @ vector(TEXTS.index(text))
        best = best_moments(
            scores, found.timestamps, limit=per_video or 999, min_gap=min_gap, least=min_score
        )
        hits += [(float(scores[at]), f"v{video}", at, float(at)) for at in best]
    return sorted(hits, reverse=True)[:limit]


def rows_of(result):
    return [(r["score"], r["name.of"], r["frame_id"], r["timestamp"]) for r in result.collect()]


def same(found, wanted):
    assert [row[1:] for row in found] == [row[1:] for row in wanted]
    assert [row[0] for row in found] == pytest.approx([row[0] for row in wanted], abs=1e-6)


@pytest.fixture(params=["scored by Spark", "scored in Python"])
def both_ways(request, monkeypatch):
    if request.param == "scored in Python":  # as before Spark 4.3
        monkeypatch.setattr("spark_keyframes.spark.search.has_function", lambda *_: False)
    else:
        spark = request.getfixturevalue("spark")
        if not spark.catalog.functionExists("vector_inner_product"):
            pytest.skip("this Spark has no vectors")


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize(
    "asked",
    [
        {"limit": 20, "min_gap": 2.0},
        {"limit": 7, "min_gap": 0},
        {"limit": 30, "min_gap": 5.0, "per_video": 1},
        {"limit": 10_000, "min_gap": 3.0},
    ],
)
def test_the_best_moments_come_first(searching, index, asked):
    result = searching.search(index, text="two", **asked)
    assert result.columns == ["name.of", "frame_id", "timestamp", "score"]
    same(rows_of(result), expected("two", **asked))


@pytest.mark.usefixtures("both_ways")
def test_each_of_several_texts_has_its_moments(searching, index):
    texts = ["three", "one", "three"]
    found = replace(searching, min_score=0.5).search(index, text=texts, limit=6)
    assert found.columns == ["name.of", "text", "frame_id", "timestamp", "score"]
    rows = found.collect()
    assert [row["text"] for row in rows] == sorted(
        (row["text"] for row in rows), key=["three", "one"].index
    )
    for text in ("three", "one"):
        own = [
            (r["score"], r["name.of"], r["frame_id"], r["timestamp"])
            for r in rows
            if r["text"] == text
        ]
        same(own, expected(text, limit=6, min_gap=2.0, min_score=0.5))


def test_nothing_but_the_best_leaves_a_partition(searching, index, spark):
    plan = searching.search(index, text="one", limit=3)._jdf.queryExecution().toString()
    assert "TakeOrderedAndProject(limit=3" in plan


@pytest.mark.parametrize("limit", [10**9, 10**30])
def test_a_limit_takes_no_memory(searching, index, limit):
    expecting = expected("one", limit=limit, min_gap=0)
    same(rows_of(searching.search(index, text="one", limit=limit, min_gap=0)), expecting)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"text": []}, "text must not be an empty list"),
        ({"text": ["one", None]}, "text must be a string, or a list of strings, got None"),
        ({"text": [["one"]]}, r"text must be a string, or a list of strings, got \['one'\]"),
        ({"text": 7}, "text must be a string, or a list of strings, got 7"),
        ({"text": "a\ud800"}, "text has half of a surrogate pair"),
        ({"limit": 0}, "limit must be at least 1, got 0"),
        ({"limit": 2.5}, "limit must be a whole number, got 2.5"),
        ({"per_video": 0}, "per_video must be at least 1, got 0"),
        ({"min_gap": -1}, "min_gap must be at least 0 and finite, got -1"),
        ({"min_gap": float("inf")}, "min_gap must be at least 0 and finite, got inf"),
        ({"min_gap": float("nan")}, "min_gap must be a number, got nan"),
    ],
)
def test_a_bad_question_is_refused(searching, index, asked, message):
    with pytest.raises(ParameterError, match=message):
        searching.search(index, **asked)


def test_a_column_like_one_of_a_moment_is_refused(searching, index):
    with pytest.raises(ParameterError, match="a column called 'score'"):
        searching.search(index.withColumnRenamed("name.of", "score"))
    with pytest.raises(ParameterError, match="a column called 'text'"):
        searching.search(index.withColumnRenamed("name.of", "text"), text=["one"])
    assert (
        "text" in searching.search(index.withColumnRenamed("name.of", "text"), text="one").columns
    )


DAMAGE = {
    "is null": "named_struct('frame_id', 1L, 'timestamp', 1d, 'embedding', null)",
    "is not finite": "named_struct('frame_id', 1L, 'timestamp', 1d, 'embedding', {})".format(
        f"array_repeat(float('nan'), {SIZE})"
    ),
    "is not as long as those of the model": (
        "named_struct('frame_id', 1L, 'timestamp', 1d, 'embedding', array(float(1)))"
    ),
}


def damaged_index(index, how):
    kind = index.schema["candidates"].dataType.simpleString()
    info = sf.col("index_info").withField("dimensions", sf.lit(SIZE))
    return (
        index.where("`name.of` = 'v1'")
        .withColumn("candidates", sf.expr(f"CAST(array({DAMAGE[how]}) AS {kind})"))
        .withColumn("index_info", info)
    )


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_index_gives_no_keyframes(searching, index, how):
    with pytest.raises(Exception, match="the index is damaged"):
        searching.transform_index(damaged_index(index, how)).collect()


@pytest.mark.usefixtures("both_ways")
@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_index_ends_the_search(searching, index, how):
    damaged = damaged_index(index, how)
    with pytest.raises(Exception, match="the index is damaged|ismatch"):
        searching.search(damaged, text="one").collect()
