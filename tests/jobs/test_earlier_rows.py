"""A job and the rows that its table has already: what made them, their columns and images."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from spark_keyframes import ParameterError
from spark_keyframes.jobs import sample
from tests.jobs.tables import names, rows

MADE_BY = {"text": "spoon", "model": "small", "fps": 2.0, "max_num_frames": 2, "selector": "aks"}


def texts(place):
    return sorted((Path(row["video"]).stem, row["made_by"]["text"]) for row in rows(place))


def test_a_resume_that_differs_is_refused_with_the_difference(run, folder, tmp_path):
    table, one = tmp_path / "table", folder / "c.mp4"
    run(one)
    (row,) = rows(table)
    assert row["made_by"].items() >= MADE_BY.items()
    assert len(row["timestamps"]) == 2
    assert "keyframes_images" not in row
    for more, message in (
        (["--text", "fork"], "rows with text 'spoon', not 'fork'; add `key_on_text`"),
        (["--fps", "4"], "rows with fps 2.0, not 4.0; use the same settings"),
        (
            ["--fps", "4", "--selector", "top", "--text", "fork"],
            "text 'spoon', not 'fork'; fps 2.0, not 4.0; selector 'aks', not 'top'; use the same",
        ),
        (["--images", "arrays"], "has `images` none, and this job has arrays"),
    ):
        with pytest.raises(ParameterError, match=message):
            run(one, "--resume", *more)
    assert len(rows(table)) == 1
    _, printed = run(one, "--resume")
    assert "videos     0: nothing new" in printed


@pytest.mark.slow
def test_another_model_is_another_question(run, folder, models, tmp_path):
    from tests.clip.random_clip import save_random_clip

    run(folder / "c.mp4")
    save_random_clip(tmp_path / "other" / "small", seed=1)
    with pytest.raises(ParameterError, match="revision '[0-9a-f]{16}', not '[0-9a-f]{16}'; use"):
        run(folder / "c.mp4", "--resume", "--model-path", tmp_path / "other")
    shutil.copytree(models / "small", tmp_path / "copy" / "small")
    _, printed = run(folder / "c.mp4", "--resume", "--model-path", tmp_path / "copy")
    assert "nothing new" in printed


def test_key_on_text_adds_the_rows_of_a_new_text_once(run, folder, tmp_path):
    table = tmp_path / "table"
    run(f"{folder}/c.mp4")
    given = ["--resume", "--key-on-text", "--text", "fork"]
    _, printed = run(f"{folder}/[bc].mp4", *given)
    assert "videos     2: 2 with keyframes" in printed
    assert texts(table) == [("b", "fork"), ("c", "fork"), ("c", "spoon")]
    _, printed = run(f"{folder}/[bc].mp4", *given)
    assert "nothing new" in printed
    with pytest.raises(ParameterError, match="fps 2.0, not 4.0"):
        run(folder / "c.mp4", *given, "--fps", "4")


@pytest.mark.slow
@pytest.mark.parametrize("explode", [[], ["--explode"]])
def test_an_older_table_stays_as_it_is(run, folder, tmp_path, caplog, explode):
    table = tmp_path / "table"
    run(f"{folder}/b.mp4", "--return-keyframes", *explode)
    new = {"made_by", "timestamp" if explode else "timestamps"}
    for file in table.glob("*.parquet"):
        written = pq.read_table(file).drop_columns(sorted(new))
        pq.write_table(written.replace_schema_metadata(None), file)  # it has Spark's schema
        (table / f".{file.name}.crc").unlink()
    run(f"{folder}/[bc].mp4", "--resume", *explode)
    assert names(table) == sorted(("bb" if explode else "b") + ("cc" if explode else "c"))
    assert "has no column" in caplog.text
    image = "image" if explode else "keyframes_images"
    for row in rows(table):
        assert not new & row.keys()
        assert row[image], "the images are those that the table had"
    with pytest.raises(ParameterError, match="`key_on_text` needs the text of each row"):
        run(folder / "b.mp4", "--resume", "--key-on-text", "--text", "fork", *explode)


@pytest.mark.slow
@pytest.mark.parametrize("explode", [[], ["--explode"]])
def test_images_are_stored_as_asked_for_and_then_as_the_table_has_them(
    run,
    folder,
    tmp_path,
    explode,
):
    table = tmp_path / "table"
    image = "image" if explode else "keyframes_images"
    run(f"{folder}/b.mp4", "--images", "encoded", *explode)
    run(f"{folder}/[bc].mp4", "--resume", *explode)
    for row in rows(table):
        first = row[image] if explode else row[image][0]
        assert first[:3] == b"\xff\xd8\xff", "JPEG"
    shutil.rmtree(table)
    run(f"{folder}/b.mp4", "--return-keyframes", *explode)
    first = rows(table)[0][image]
    assert (first if explode else first[0])["height"] == 96


def test_options_of_images_that_contradict_each_other_are_refused():
    assert sample.SampleOptions(input="x", return_keyframes=True).images == "arrays"
    assert sample.SampleOptions(input="x", return_keyframes=False).images == "none"
    assert sample.parse_options(["--input", "x", "--no-return-keyframes"]).images == "none"
    with pytest.raises(ParameterError, match="`images` is encoded; leave one of them out"):
        sample.SampleOptions(input="x", return_keyframes=True, images="encoded")
    with pytest.raises(ParameterError, match="`images` must be one of none, encoded, arrays"):
        sample.SampleOptions(input="x", images="jpeg")
    with pytest.raises(ParameterError, match="`key_on_text` needs `resume`"):
        sample.SampleOptions(input="x", output="y", key_on_text=True)


@pytest.mark.slow
@pytest.mark.parametrize("more", [[], ["--videos-per-batch", "2"], ["--max-failures", "2"]])
def test_each_video_is_sampled_once_beside_a_table_of_failures(run, folder, tmp_path, more):
    log = tmp_path / "started"
    given = ["--failed-output", tmp_path / "failed", "--resume", *more]
    given += ["--callbacks", "tests.jobs.own_callback:Started"]
    given += ["--callbacks-args", json.dumps([{"file": str(log)}])]
    run(f"{folder}/b.mp4", *given)
    run(folder, *given)
    stems = sorted(Path(line).stem for line in log.read_text().splitlines())
    assert stems == ["b", "broken", "c"]
    assert names(tmp_path / "table") == ["b", "c"]
    (failed,) = rows(tmp_path / "failed")
    assert failed["made_by"]["text"] == "spoon"
    assert "timestamps" not in failed


@pytest.mark.slow
def test_several_texts_decode_each_video_once(run, folder, tmp_path):
    table = tmp_path / "table"
    given = ["--text", "spoon", "--text", "fork", "--text", "a knife"]
    given += ["--images", "encoded", "--resume"]
    status, printed = run(folder, *given, "--account-col", "took")
    assert status == 0
    assert "videos     3: 2 with keyframes, 1 failed" in printed
    assert "keyframes  12" in printed, "two of each of three texts, in two videos"
    assert "2 + 2 + 2 keyframes, for each text" in printed
    found = {Path(row["video"]).stem: row for row in rows(table)}
    assert found["b"]["text"] == ["spoon", "fork", "a knife"]
    assert [len(times) for times in found["b"]["timestamps"]] == [2, 2, 2]
    assert found["b"]["made_by"]["text"] is None
    assert found["broken"]["keyframes"] is None
    assert "nothing new" in run(folder, *given)[1]
    fewer = ["--text", "pan", "--text", "spoon", "--resume"]
    with pytest.raises(
        ParameterError, match=r"texts \['spoon', 'fork', 'a knife'\], not \['pan', "
    ):
        run(folder, *fewer)
    assert "videos     3: 2 with keyframes" in run(folder, *fewer, "--key-on-text")[1]
    with pytest.raises(ParameterError, match="has several texts per video, and this job has one"):
        run(folder, "--resume")
    with pytest.raises(ParameterError, match="`explode` with several texts"):
        run(folder, *given, "--explode")
    _, printed = run(folder, *given[:6], "--explode", "--output", tmp_path / "exploded")
    texts = {(row["text_index"], row["text"]) for row in rows(tmp_path / "exploded")}
    assert texts == {(0, "spoon"), (1, "fork"), (2, "a knife")}


def test_a_text_may_be_repeated_on_the_command_line():
    options = sample.parse_options(["--input", "x", "--text", "a", "--text", "b"])
    assert (options.texts, options.text_col, options.sampler.text) == (("a", "b"), "text", "")
    options = sample.parse_options(["--input", "x", "--text", "a"])
    assert (options.texts, options.text_col, options.sampler.text) == ((), None, "a")
    with pytest.raises(ParameterError, match="several `text` and `text_col` exclude each other"):
        sample.SampleOptions(input="x", texts=("a", "b"), text_col="prompt")


@pytest.mark.slow
def test_a_row_per_keyframe_and_a_row_per_video_are_not_mixed(run, folder, tmp_path):
    run(folder / "b.mp4")
    for mode in ("--resume", "--mode=append"):
        with pytest.raises(ParameterError, match="has a row per video, and this job has a row per"):
            run(folder / "c.mp4", mode, "--explode")
    run(folder / "b.mp4", "--explode", "--output", tmp_path / "other")
    with pytest.raises(ParameterError, match="has a row per keyframe, and this job has a row per"):
        run(folder / "c.mp4", "--output", tmp_path / "other", "--resume")
    assert names(tmp_path / "table") == ["b"]


@pytest.mark.slow
def test_another_name_of_a_column_is_no_older_table(run, folder):
    run(folder / "b.mp4")
    for option in ("--made-by-col", "--timestamps-col"):
        with pytest.raises(ParameterError, match="written with another name in `made_by_col` or"):
            run(folder / "c.mp4", "--resume", option, "other")


@pytest.mark.slow
def test_what_is_overwritten_leaves_no_failures(run, folder, clips, tmp_path):
    given = ["--failed-output", tmp_path / "failed"]
    run(folder, *given)
    assert names(tmp_path / "failed") == ["broken"]
    shutil.copy(clips[2], folder / "broken.mp4")
    run(folder, *given, "--mode", "overwrite", "--videos-per-batch", "1")
    assert names(tmp_path / "table") == ["b", "broken", "c"]
    assert rows(tmp_path / "failed") == []


def test_options_that_lose_something_are_refused():
    for given, message in (
        ({"input": ""}, "`input` is empty"),
        ({"input": "x", "made_by_col": ""}, "`made_by_col` is empty"),
        ({"input": "x", "output": "t", "failed_output": "t"}, "is the `output` too"),
    ):
        with pytest.raises(ParameterError, match=message):
            sample.SampleOptions(**given)
