"""`--curve` of the jobs: the scores of all candidates in the table, in all its rows or in none."""

import pyarrow.parquet as pq
import pytest

from spark_keyframes import ParameterError
from spark_keyframes.jobs import ingest, sample
from spark_keyframes.jobs.sample import SampleOptions
from tests.jobs.ingesting import arguments
from tests.jobs.tables import names, rows

PLACES = ["--input", "x", "--output", "y"]


def test_the_table_has_it_in_all_rows_or_in_none(run, folder, plain, clips, tmp_path):
    table = tmp_path / "table"
    run(f"{folder}/*c.mp4", "--curve")
    with pytest.raises(ParameterError, match="score curves in the column 'curve', which new rows"):
        run(folder, "--resume")
    with pytest.raises(ParameterError, match="has no score curves in a column 'other'"):
        run(folder, "--resume", "--curve-col", "other")
    run(folder, "--resume", "--curve")
    assert names(table) == ["b", "broken", "c"]
    for row in rows(table):
        if row["error"]:
            assert row["curve"] is None
        else:
            assert len(row["curve"]["scores"]) == len(row["curve"]["timestamps"])
            assert max(row["curve"]["scores"]) == max(row["keyframes"]["scores"])
            assert set(row["timestamps"]) <= set(row["curve"]["timestamps"])


@pytest.mark.slow
def test_a_table_without_it_stays_without_it(run, folder, tmp_path):
    one = folder / "c.mp4"
    run(one)
    with pytest.raises(ParameterError, match=r"table has no score curves in a column 'curve'"):
        run(one, "--resume", "--curve")


@pytest.mark.slow
def test_a_curve_of_the_input_passes_through_and_failures_have_none(run, folder, spark, tmp_path):
    """A table with a curve can be sampled again, without or with a second curve."""
    run(f"{folder}/c.mp4", "--curve")
    rows_of = spark.read.parquet(str(tmp_path / "table")).select("video", "curve")
    rows_of.union(rows_of.selectExpr("'/none.mp4'", "curve")).write.parquet(str(tmp_path / "in"))
    given = ["--input-col", "video", "--output", tmp_path / "second", "--failed-output"]
    given += [tmp_path / "failed", "--curve-col", "again", "--text", "fork"]
    run(tmp_path / "in", *given)
    run(tmp_path / "in", *given, "--resume")
    (row,) = rows(tmp_path / "second")
    assert row["curve"]["timestamps"] == row["again"]["timestamps"]
    assert row["curve"]["scores"] != row["again"]["scores"]
    assert "again" not in pq.read_schema(next((tmp_path / "failed").glob("*.parquet"))).names


def test_the_short_option_names_the_column_curve():
    assert sample.parse_options([*PLACES, "--curve"]).curve_col == "curve"
    assert sample.parse_options([*PLACES, "--curve-col", "c"]).curve_col == "c"
    assert sample.parse_options([*PLACES, "--curve", "--curve-col", "c"]).curve_col == "c"
    assert sample.parse_options(PLACES).curve_col is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--explode", "--curve"], "--curve-col is the score curve of a video, and --explode"),
        (["--curve-col", ""], "--curve-col is empty; give a name"),
    ],
)
def test_what_does_not_go_with_it(given, message, capsys):
    for options, places in ((sample, PLACES), (ingest, [*PLACES, "--checkpoint", "z"])):
        with pytest.raises(SystemExit) as raised:
            options.parse_options([*places, *given])
        assert raised.value.code == 2
        assert message in capsys.readouterr().err


def test_it_needs_a_table():
    with pytest.raises(ParameterError, match="`curve_col` needs a table"):
        SampleOptions(input="x", curve=True)


@pytest.mark.slow
def test_the_ingest_job_has_it_in_all_runs(models, folder, spark, tmp_path):
    def run(*more):
        return ingest.run(spark, ingest.parse_options(arguments(models, folder, *more)))

    assert run("--curve") == 0
    found = {row["video"].rpartition("/")[2]: row["curve"] for row in rows(tmp_path / "table")}
    assert found.pop("broken.mp4") is None
    assert {name: len(curve["scores"]) for name, curve in found.items()} == {
        "b.mp4": 10,
        "c.mp4": 6,
    }
    with pytest.raises(ParameterError, match="belongs to a run with curve_col 'curve', and this"):
        run()
    assert run("--curve-col", "curve") == 0
