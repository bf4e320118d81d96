"""A job's table: its columns, the size of its files, and the videos that it lacks."""

import pyarrow.parquet as pq
import pytest

from spark_keyframes import explode_keyframes
from spark_keyframes.jobs.incremental import new_rows
from spark_keyframes.jobs.table import Table


def test_the_columns_suit_every_table_format(spark, sampler):
    """Only types that Delta, Iceberg, ORC and Avro have, all nullable, with names that Avro takes
    and that are different in lower case.
    """
    from pyspark.sql import types as st

    plain = (st.StringType, st.LongType, st.IntegerType, st.FloatType, st.DoubleType, st.BinaryType)

    def check(kind):
        if isinstance(kind, st.ArrayType):
            assert kind.containsNull
            check(kind.elementType)
        elif isinstance(kind, st.StructType):
            lower = [field.name.lower() for field in kind]
            assert len(set(lower)) == len(lower)
            for field in kind:
                assert field.nullable
                assert not field.metadata
                assert field.name.isidentifier()
                check(field.dataType)
        else:
            assert type(kind) in plain

    videos = spark.createDataFrame([], "video string")
    result = sampler.transform(videos, error_col="error", account_col="account")
    check(result.schema)
    check(explode_keyframes(result).schema)


@pytest.mark.parametrize("tasks", [1, 40])
def test_files_have_about_the_size_asked_for(spark, tmp_path, tasks):
    """40 rows of 100 KB, from one task and from as many as there are rows."""
    frame = spark.range(0, 40, 1, tasks).selectExpr(
        "string(id) video", "id % 2 AS day", "cast(randstr(100000, 1) AS binary) data"
    )
    table = Table(place=str(tmp_path / "t"), file_bytes=1_500_000)
    before = spark.conf.get("spark.sql.adaptive.advisoryPartitionSizeInBytes")
    table.save(table.rebalanced(frame, "video"), "error")
    sizes = [path.stat().st_size for path in (tmp_path / "t").glob("*.parquet")]
    assert sum(sizes) > 40 * 70_000
    assert max(sizes) < 1_700_000, "at most one row more than asked for"
    assert len(sizes) <= 5
    assert spark.conf.get("spark.sql.adaptive.advisoryPartitionSizeInBytes") == before


def test_parquet_writes_large_rows_in_small_groups_without_copies(spark, tmp_path):
    """By default it checks its memory after 100 rows, and keeps the smallest and largest value."""
    frame = spark.range(0, 10, 1, 1).selectExpr(
        "id", "array(struct(cast(randstr(1000000, 1) AS binary) data)) images"
    )
    table = Table(place=str(tmp_path / "t"), options={"parquet.block.size": "1000000"})
    table.save(frame, "error")
    (path,) = (tmp_path / "t").glob("*.parquet")
    written = pq.ParquetFile(path)
    assert written.num_row_groups >= 5
    number, image = (written.metadata.row_group(0).column(index) for index in (0, 1))
    assert image.path_in_schema == "images.list.element.data"
    assert number.statistics is not None
    assert image.statistics is None
    assert set(image.encodings) == {"PLAIN", "RLE"}, "no dictionary"


def test_new_rows_by_two_columns_of_which_one_may_be_null(spark):
    """The same video with another text is another row."""
    schema = "video string, `a.text` string"
    videos = spark.createDataFrame([("v", "x"), ("v", "y"), ("v", None), (None, "x")], schema)
    table = spark.createDataFrame([("v", "x"), ("v", None)], schema)
    assert new_rows(videos, ["video", "a.text"], [table]).collect() == [("v", "y")]
    assert new_rows(videos, ["video", "a.text"], []).count() == 3
