"""transform() of a DataFrame of pandas: the result of sample(), with the frame's other columns."""

import _thread
import base64
import decimal
import itertools
import json
import os
import signal
import threading
from dataclasses import replace

import hypothesis
import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from spark_keyframes import Account, Callback, Candidates, Keyframes, ParameterError, to_pil
from spark_keyframes.account import account_columns
from spark_keyframes.arrow import result_rows
from spark_keyframes.arrow.batches import sample_batches
from spark_keyframes.arrow.columns import AddedColumns, Wanted
from spark_keyframes.arrow.pandas_frames import sample_frames
from spark_keyframes.engine import Pipeline
from spark_keyframes.errors import SourceNotFoundError
from spark_keyframes.made_by import made_by_columns
from tests.engine.own_modules import FrameNumber
from tests.engine.own_modules import sampler as of_module

ALL = {
    f"{name}_col": name
    for name in ("error", "account", "timestamps", "curve", "made_by", "candidates")
}


def struct(keyframes):
    return {
        "tos_paths": keyframes.tos_paths,
        "frame_ids": keyframes.frame_ids,
        "scores": pytest.approx(keyframes.scores, abs=1e-6),
    }


def test_the_result_is_that_of_sample_in_the_rows_of_the_frame(sampler, clips):
    """With a null, a failure, an index with a label twice, and every column that can be added."""
    videos = [str(clips[0]), None, "/none.mp4", str(clips[2])]
    big = 2**60 + 1  # a float would lose the 1
    frame = pd.DataFrame(
        {
            7: pd.array([big, None, 1, 2], dtype="Int64"),
            "video": videos,
            "tag": pd.Categorical(["a", "b", None, "a"]),
            "when": pd.to_datetime(["2026-01-02", None, "1999-01-01", "2026-01-02"]),
        },
        index=[3, 3, 0, -1],
    )
    before = frame.copy()
    result = sampler.transform(frame, **ALL)
    pd.testing.assert_frame_equal(frame, before)
    pd.testing.assert_frame_equal(result[frame.columns], before)
    added = ["keyframes", "keyframes_images", "timestamps", "curve", "error", "account"]
    added.append("made_by")
    assert list(result.columns) == [*frame.columns, *added, "candidates", "index_info"]

    good, null, failed, other = result.to_dict("records")
    for row, clip in ((good, clips[0]), (other, clips[2])):
        alone = sampler.sample(clip)
        assert row["keyframes"] == struct(alone)
        assert row["timestamps"] == alone.timestamps
        assert row["curve"] == {
            "timestamps": alone.candidates.timestamps,
            "scores": pytest.approx(alone.candidates.scores, abs=1e-6),
        }
        assert row["error"] is None
        for image, rgb in zip(row["keyframes_images"], alone.images, strict=True):
            assert np.array_equal(np.asarray(to_pil(image)), rgb)
        assert [each["frame_id"] for each in row["candidates"]] == alone.candidates.frame_ids
        embedding = row["candidates"][0]["embedding"]
        assert embedding.dtype == np.float32
        assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-5)
        assert row["index_info"]["dimensions"] == len(embedding)
        assert row["account"].keys() == account_columns().keys()
        assert row["account"]["frames_scored"] == len(alone.candidates.frame_ids)
    assert [null[name] for name in added[:-1]] == [None] * 6
    assert failed["keyframes"] is None
    assert failed["error"]["error"] == "SourceNotFoundError"
    for row in (good, null, failed, other):
        assert row["made_by"].keys() == made_by_columns().keys()
        assert row["made_by"]["text"] == "spoon"
    json.dumps(result["keyframes"].tolist())  # lists, dicts and numbers of Python


def test_texts_and_parts_of_each_row(plain, clips):
    """Values as pandas has them: floats beside nulls, decimals, arrays of texts, missing ones."""
    video = str(clips[0])
    texts = [["spoon", None, "car"], np.array(["car"], dtype=object), [], None]
    frame = pd.DataFrame(
        {
            "video": [video] * 4,
            "texts": texts,
            "start": [0.5, np.nan, 0, 0],
            "end": [decimal.Decimal("1.5"), None, None, None],
        }
    )
    result = plain.transform(frame, text_col="texts", start_col="start", end_col="end")
    first, second, third, fourth = result["keyframes"]
    spoon, nothing, car = first
    assert nothing is None
    assert spoon == struct(plain.sample(video, text="spoon", start=0.5, end=1.5))
    assert car == struct(plain.sample(video, text="car", start=0.5, end=1.5))
    assert second == [struct(plain.sample(video, text="car"))]
    assert (third, fourth) == ([], None)
    one = frame.assign(texts=["car", None, pd.NA, np.nan], end=pd.array([1, None, 2, 3], "Int64"))
    result = plain.transform(one, text_col="texts", end_col="end")
    assert result["keyframes"][0] == struct(plain.sample(video, text="car", end=1))
    assert list(result["keyframes"][1:]) == [None] * 3


@pytest.mark.parametrize("kind", ["video_base64", "video_binary"])
def test_videos_in_rows_are_dropped_unless_they_are_kept(plain, clips, kind):
    data = clips[2].read_bytes()
    value = data if kind == "video_binary" else base64.b64encode(data).decode()
    frame = pd.DataFrame({"id": [1, 2], "film": [value, None]})
    same = replace(plain, video_src_type=kind)
    result = same.transform(frame, input_col="film")
    assert list(result.columns) == ["id", "keyframes"]
    assert result["keyframes"][0] == struct(plain.sample(clips[2]))
    kept = same.transform(frame, input_col="film", keep_video=True)
    assert kept["film"].equals(frame["film"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_col": "film"}, "input_col 'film' is not a column .* it has id, video"),
        ({"input_col": "id"}, "'id' is of type bigint, but 'video_url' needs string"),
        ({"input_col": "mixed"}, r"is of type object \(int, str\), but 'video_url' needs string"),
        ({"text_col": "id"}, "text_col 'id' is of type bigint, but texts are string"),
        ({"start_col": "video"}, "start_col 'video' is of type string, but seconds are double"),
        ({"output_col": "id"}, "two columns called 'id'"),
        ({"error_col": "keyframes"}, "two columns called 'keyframes'"),
        (
            {"input_col": "odd"},
            r"column 'odd', row 1, counted from 0, has half of a surrogate pair",
        ),
        ({"text_col": "odds"}, r"column 'odds', row 0, counted from 0, has half of a surrogate"),
        ({"input_col": 0}, r"input_col must be the name of a column, as a string, got 0 \(int\)"),
        ({"input_col": None}, "input_col must be the name of a column, as a string, got None"),
        ({"output_col": 1}, "output_col must be the name of a column, as a string, got 1"),
        ({"text_col": ["id"]}, "text_col must be the name of a column, as a string, got .'id'."),
        ({"error_col": True}, "error_col must be the name of a column, as a string, got True"),
        ({"keep_video": "no"}, "keep_video must be True or False, got 'no'"),
        ({"on_error": "skip"}, "on_error must be one of null, raise, got 'skip'"),
        ({"cpus": 2}, "cpus=2 and gpus=None are of Spark's tasks; leave them out"),
    ],
)
def test_columns_are_checked_before_a_video_is_read(plain, options, message):
    frame = pd.DataFrame(
        {
            "id": [1, 2],
            "video": ["a", "b"],
            "mixed": ["a", 1],
            # As objects: pandas 3 refuses them in a column of strings.
            "odd": pd.Series(["a", os.fsdecode(b"\xff.mp4")], dtype=object),
            "odds": [["a", "\ud800"], []],
        }
    )
    with pytest.raises(ParameterError, match=message):
        plain.transform(frame, **options)


def test_paths_are_videos_and_a_label_is_named_by_its_text(plain, clips):
    frame = pd.DataFrame([[clips[0]], [None]])
    result = plain.transform(frame, input_col="0")
    assert list(result.columns) == [0, "keyframes"]
    assert list(result[0]) == [clips[0], None]
    assert list(result["keyframes"]) == [struct(plain.sample(clips[0])), None]


def test_any_null_in_a_list_of_texts_is_one(plain, clips):
    texts = [np.nan, pd.NA, "spoon", None]
    frame = pd.DataFrame({"video": [clips[0]], "texts": [texts]})
    (found,) = plain.transform(frame, text_col="texts")["keyframes"]
    assert found == [None, None, struct(plain.sample(clips[0], text="spoon")), None]


def test_an_integer_that_is_no_float_fails_alone(plain, clips):
    starts = pd.Series([-(10**400), 10**400, None], dtype=object)
    frame = pd.DataFrame({"video": [str(clips[0])] * 3, "start": starts})
    result = plain.transform(frame, start_col="start", error_col="error")
    assert [cell and cell["error"] for cell in result["error"]] == ["WindowError"] * 2 + [None]
    assert result["keyframes"][2] == struct(plain.sample(clips[0]))


def test_a_column_twice_is_refused(plain):
    frame = pd.DataFrame([["a", "b"]], columns=["video", "video"])
    with pytest.raises(ParameterError, match="has two columns called 'video'"):
        plain.transform(frame)


def test_no_rows_and_only_nulls_have_the_columns_of_a_result(plain):
    nothing = plain.transform(pd.DataFrame({"video": []}), error_col="why")
    assert list(nothing.columns) == ["video", "keyframes", "why"]
    for null in (None, np.nan, pd.NA):
        result = plain.transform(pd.DataFrame({"video": [null]}), error_col="why")
        assert result.iloc[0, 1:].tolist() == [None, None]


def test_on_error_raise_names_the_row(plain, clips):
    frame = pd.DataFrame({"video": [str(clips[2]), "/none.mp4"]}, index=["x", "y"])
    with pytest.raises(SourceNotFoundError, match=r"^row 1, counted from 0: no file /none\.mp4"):
        plain.transform(frame, on_error="raise")


class Seen(Callback):
    def __init__(self):
        self.ended = []
        self.torn_down = 0

    def on_video_end(self, source, outcome):
        self.ended.append(source)

    def teardown(self):
        self.torn_down += 1


def test_a_module_of_the_user_s_and_callbacks_are_called(clips):
    seen = Seen()
    own = of_module(FrameNumber(), callbacks=[seen])
    frame = pd.DataFrame({"video": [str(clips[0]), str(clips[2])]})
    result = own.transform(frame)
    assert sorted(seen.ended) == sorted(frame["video"])
    assert seen.torn_down == 1
    for video, cell in zip(frame["video"], result["keyframes"], strict=True):
        assert cell == struct(own.sample(video))


def parts_of(frames, **added):
    """The results of frames whose videos' names are frame numbers."""
    wanted = Wanted(input="video", added=AddedColumns(**{"output": "k"} | added))
    pipeline = Pipeline(FrameNumber(), of_module(FrameNumber()))
    opened = []

    def run(requests):
        for request in requests:
            opened.append(request.video)
            yield None if request.is_null else keyframes_of(int(request.video))

    def sampled(batches):
        return sample_batches(batches, pipeline, run)

    return sample_frames(frames, wanted, sampled), opened


def keyframes_of(number):
    image = np.zeros((100, 100, 3), np.uint8)
    return Keyframes([], [number], [0.5], [0.0], [image], Candidates([], [], []), Account())


def test_large_results_come_in_parts_that_belong_to_their_rows(monkeypatch):
    monkeypatch.setattr(result_rows, "_BATCH_BYTES", 65_000)
    frames = [
        pd.DataFrame({"n": range(first, last), "video": map(str, range(first, last))})
        for first, last in ((0, 5), (5, 5), (5, 12))
    ]
    results, _ = parts_of(iter(frames), images="i")
    parts = list(results)
    assert [len(part) for part in parts] == [3, 2, 3, 3, 1]
    rows = pd.concat(parts)
    assert rows["n"].tolist() == list(range(12))
    assert [cell["frame_ids"] for cell in rows["k"]] == [[n] for n in range(12)]


_VALUES = st.none() | st.integers(-(2**63), 2**63 - 1)
_FRAMES = st.lists(st.lists(st.tuples(st.booleans(), _VALUES), max_size=6), max_size=6)


@hypothesis.given(_FRAMES, st.integers(1, 200_000))
@hypothesis.settings(max_examples=int(os.environ.get("FRAME_EXAMPLES", "20")))
def test_any_frames_in_any_parts_keep_their_rows(frames, most_bytes):
    """Null videos, empty frames, and flushes anywhere; each row keeps its integer, exactly."""
    rows = [row for frame in frames for row in frame]
    numbers = itertools.count()
    made = []
    for frame in frames:
        given = [(str(next(numbers)), is_given) for is_given, _ in frame]
        videos = [number if is_given else None for number, is_given in given]
        values = pd.array([value for _, value in frame], dtype="Int64")
        made.append(pd.DataFrame({"n": values, "video": videos}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(result_rows, "_BATCH_BYTES", most_bytes)
        results, _ = parts_of(iter(made), images="i")
        found = [row for part in results for row in part.to_dict("records")]
    assert len(found) == len(rows)
    for number, ((given, value), row) in enumerate(zip(rows, found, strict=True)):
        assert (None if row["n"] is pd.NA else row["n"]) == value
        assert (row["k"] and row["k"]["frame_ids"]) == ([number] if given else None)
        assert (row["i"] is None) == (not given)


def test_a_consumer_that_stops_early_ends_the_run():
    endless = (pd.DataFrame({"video": [str(number)]}) for number in itertools.count())
    results, opened = parts_of(endless)
    assert next(results)["k"][0]["frame_ids"] == [0]
    results.close()
    assert opened == ["0"]


class Interrupting(Callback):
    """Interrupts the main thread, as Ctrl-C does."""

    def on_video_end(self, source, outcome):
        _thread.interrupt_main()


@pytest.fixture
def ctrl_c():
    """What Python does by default; it does not in a process that a shell began by `&`."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_ends_the_run_and_its_threads(clips):
    seen = Seen()
    own = of_module(FrameNumber(), callbacks=[Interrupting(), seen])
    frame = pd.DataFrame({"video": [str(clips[0])] * 200})
    before = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt):
        own.transform(frame)
    assert seen.torn_down == 1
    assert len(seen.ended) < 200
    assert not [each for each in set(threading.enumerate()) - before if "video" in each.name]
