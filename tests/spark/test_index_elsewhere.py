"""DuckDB and LanceDB find in an index what `search` finds, by the code of docs/index.md."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import made_up_index
from spark_keyframes import EmbeddingModule, VideoAdaptiveKeyframesSampling
from tests.conftest import REPO
from tests.run_examples import EXAMPLE

SIZE = 64
COUNTS = [300, 1, 700, 250]
SPOON = made_up_index.embeddings(99, 1, SIZE)[0]


class Texts(EmbeddingModule):
    """Has one text; there are no images."""

    revision = "1"

    def embed_images(self, inputs):
        raise AssertionError("no video is decoded")

    def embed_texts(self, texts):
        assert texts == ["spoon"]
        return 3 * SPOON[np.newaxis]


@pytest.fixture(scope="module")
def sampler():
    return VideoAdaptiveKeyframesSampling(text="spoon", module=Texts(), return_keyframes=False)


@pytest.fixture(scope="module")
def out(sampler, tmp_path_factory):
    """A folder as docs/index.md has it: an index in two files, with a failed and an empty row."""
    folder = tmp_path_factory.mktemp("reader")
    info = sampler.index_info(sampler.make_module()).cell()
    made = made_up_index.rows(0, COUNTS, info, SIZE)
    odd = [{"video": "failed.mp4"}, {"video": "empty.mp4", "candidates": [], "index_info": info}]
    (folder / "out" / "index").mkdir(parents=True)
    pq.write_table(made, folder / "out" / "index" / "1.parquet")
    pq.write_table(pa.Table.from_pylist(odd, made.schema), folder / "out" / "index" / "2.parquet")
    return folder


@pytest.fixture(scope="module")
def expected():
    """The best three of all candidates."""
    hits = [
        (f"video-{video:07}.mp4", 25 * at, float(at), float(score))
        for video, count in enumerate(COUNTS)
        for at, score in enumerate(made_up_index.embeddings(video, count, SIZE) @ SPOON)
    ]
    return sorted(hits, key=lambda hit: -hit[3])[:3]


@pytest.fixture
def run(spark, sampler, out, monkeypatch):
    """Run the examples of sections of docs/index.md."""
    monkeypatch.chdir(out)

    def run(*titles):
        page = (REPO / "docs" / "index.md").read_text()
        sections = dict(part.split("\n", 1) for part in page.split("\n## ")[1:])
        index = spark.read.parquet(str(out / "out" / "index"))
        names = {"sampler": sampler, "index": index}
        for title in titles:
            for example in EXAMPLE.finditer(sections[title]):
                # The JVM was started in another folder.
                exec(example["code"].replace('parquet("out/', f'parquet("{out}/out/'), names)
        return names

    return run


def same(found, expected):
    assert [hit[:3] for hit in found] == [hit[:3] for hit in expected]
    assert [hit[3] for hit in found] == pytest.approx([hit[3] for hit in expected], abs=1e-6)


def test_search_finds_the_best(spark, sampler, out, expected):
    index = spark.read.parquet(str(out / "out" / "index"))
    found = sampler.search(index, limit=3, min_gap=0)
    same([tuple(row) for row in found.collect()], expected)


def test_duckdb_finds_the_same(run, expected):
    pytest.importorskip("duckdb")
    same(run("In DuckDB")["moments"].fetchall(), expected)


def test_lancedb_finds_the_same(run, expected):
    pytest.importorskip("duckdb")
    pytest.importorskip("lancedb")
    names = run("In DuckDB", "In LanceDB")
    assert [index.index_type for index in names["table"].list_indices()] == ["IvfFlat"]
    assert names["table"].count_rows() == sum(COUNTS)
    hits = names["found"].to_list()
    found = [(h["video"], h["frame_id"], h["timestamp"], 1 - h["_distance"]) for h in hits]
    same(found, expected)
