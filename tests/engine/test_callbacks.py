"""Callbacks: when each hook is called, with what, and what becomes of its errors."""

import pickle
import time

import pytest
from PIL import Image

from spark_keyframes import (
    Callback,
    ContactSheets,
    Failure,
    Keyframes,
    RateLimit,
    VideoAdaptiveKeyframesSampling,
)
from spark_keyframes.engine import ImageWriter, Pipeline, Request
from spark_keyframes.errors import CallbackError, ParameterError, UnsupportedSchemeError
from tests.engine.own_modules import CPU, FrameNumber, sampler
from tests.video.clips import number_in


def run(callbacks, videos, *, writer=None, **parameters):
    given = {"fps": 5, "max_num_frames": 2, "selector": "top", "return_keyframes": False}
    of = VideoAdaptiveKeyframesSampling(
        module=FrameNumber(), callbacks=callbacks, **(given | parameters)
    )
    pipeline = Pipeline(of.make_module(), of, callbacks=of.callbacks, writer=writer, workers=1)
    requests = [Request(None if video is None else str(video), "a text") for video in videos]
    return list(pipeline.run(requests, device=CPU))


class Diary(Callback):
    """Notes each call."""

    def __init__(self, name="", *, needs_images=False):
        self.name = name
        self.needs_images = needs_images
        self.entries = []

    def setup(self, module, device):
        self.entries.append(("setup", type(module).__name__, device.type))

    def on_video_start(self, source, text):
        self.entries.append(("start", source, text))

    def on_keyframes(self, keyframes):
        self.entries.append(("keyframes", keyframes))

    def on_video_end(self, source, outcome):
        self.entries.append(("end", source, outcome))

    def teardown(self):
        self.entries.append(("teardown",))


def test_the_hooks_of_a_video_are_called_in_order(clips, tmp_path):
    diary = Diary()
    writer = ImageWriter(str(tmp_path), ".jpg")
    good, none, missing = run([diary], [clips[2], None, "/none.mp4"], writer=writer)
    assert none is None
    steps = [entry[0] for entry in diary.entries]
    assert steps == ["setup", "start", "keyframes", "end", "start", "end", "teardown"]
    assert diary.entries[0] == ("setup", "FrameNumber", "cpu")
    assert diary.entries[1] == ("start", str(clips[2]), "a text")
    (_, chosen), (_, source, ended) = diary.entries[2:4]
    assert (chosen.frame_ids, chosen.tos_paths, chosen.images) == ([20, 25], [], [])
    assert (source, ended) == (str(clips[2]), good)
    assert len(ended.tos_paths) == 2
    assert isinstance(diary.entries[5][2], Failure)
    assert diary.entries[5][2] == missing


def test_on_keyframes_comes_before_the_images_are_stored(clips, tmp_path):
    class Stop(Callback):
        def on_keyframes(self, keyframes):
            raise ValueError("not this one")

    writer = ImageWriter(str(tmp_path), ".jpg")
    (failure,) = run([Stop()], [clips[2]], writer=writer)
    assert (failure.stage, failure.error) == ("select", "CallbackError")
    assert "on_keyframes of Stop failed: ValueError: not this one" in failure.message
    assert not list(tmp_path.rglob("*.jpg"))


@pytest.mark.parametrize("returned", [True, False])
@pytest.mark.parametrize("stored", [True, False])
def test_a_callback_gets_the_images_that_it_asks_for(clips, tmp_path, returned, stored):
    diary = Diary(needs_images=True)
    writer = ImageWriter(str(tmp_path), ".jpg") if stored else None
    (outcome,) = run([diary], [clips[2]], writer=writer, return_keyframes=returned)
    images = next(entry[1].images for entry in diary.entries if entry[0] == "keyframes")
    assert [number_in(image) for image in images] == [20, 25]
    assert [number_in(image) for image in outcome.images] == ([20, 25] if returned else [])
    assert len(list(tmp_path.rglob("*.jpg"))) == (2 if stored else 0)


def test_several_callbacks_are_called_in_the_order_given(clips):
    order = []

    class Noted(Callback):
        def __init__(self, name):
            self.name = name

        def setup(self, module, device):
            order.append(f"setup {self.name}")

        def on_video_start(self, source, text):
            order.append(f"start {self.name}")

        def teardown(self):
            order.append(f"teardown {self.name}")

    run([Noted("a"), Noted("b")], [clips[2]])
    wanted = ["setup a", "setup b", "start a", "start b", "teardown a", "teardown b"]
    assert order == wanted


@pytest.mark.parametrize("hook", ["setup", "teardown"])
def test_what_setup_and_teardown_raise_ends_the_run(clips, hook):
    class Broken(Diary):
        pass

    def fail(self, *_):
        raise OSError("no disk")

    setattr(Broken, hook, fail)
    other = Diary()
    with pytest.raises(CallbackError, match=f"{hook} of Broken failed: OSError: no disk"):
        run([other, Broken()], [clips[2]])
    assert other.entries[-1] == ("teardown",), "what was set up is torn down"


def test_an_error_at_the_start_or_the_end_fails_the_row_only(clips):
    class Start(Callback):
        def on_video_start(self, source, text):
            if source == str(clips[1]):
                raise RuntimeError("no")

    class End(Callback):
        def on_video_end(self, source, outcome):
            if source == str(clips[2]):
                raise RuntimeError("late")

    diary = Diary()
    outcomes = run([Start(), End(), diary], [clips[0], clips[1], clips[2]])
    assert isinstance(outcomes[0], Keyframes)
    assert (outcomes[1].stage, outcomes[1].error) == ("open", "CallbackError")
    assert "on_video_start of Start failed: RuntimeError: no" in outcomes[1].message
    assert (outcomes[2].stage, outcomes[2].error) == ("upload", "CallbackError")
    assert "on_video_end of End failed: RuntimeError: late" in outcomes[2].message
    ends = [entry[2] for entry in diary.entries if entry[0] == "end"]
    assert ends == outcomes, "each callback is told the end, with the outcome so far"
    starts = [entry[1] for entry in diary.entries if entry[0] == "start"]
    assert starts == [str(clip) for clip in clips], "and the start, also where another fails"


@pytest.mark.parametrize("kind", ["module", "callback"])
def test_a_failed_teardown_does_not_hide_the_error_before_it(clips, caplog, kind):
    def fail(self, *_):
        raise OSError("torn")

    def requests():
        yield Request(str(clips[2]), "spoon")
        raise ZeroDivisionError("first")

    module = type("Module", (FrameNumber,), {"teardown": fail} if kind == "module" else {})()
    callback = type("Last", (Callback,), {"teardown": fail} if kind == "callback" else {})()
    of = sampler(module, callbacks=[callback])
    with pytest.raises(ZeroDivisionError, match="first"):
        list(Pipeline(module, of, callbacks=[callback]).run(requests(), device=CPU))
    (record,) = [record for record in caplog.records if "teardown" in record.message]
    assert "failed: OSError: torn" in record.message


def test_a_callback_closed_early_is_torn_down_and_says_what_failed(clips):
    class Last(Callback):
        def teardown(self):
            raise OSError("torn")

    with pytest.raises(CallbackError, match="teardown of Last failed: OSError: torn"):
        sampler(FrameNumber(), callbacks=[Last()]).sample(clips[2])


def test_a_contact_sheet_is_saved_for_each_video_with_keyframes(clips, tmp_path):
    sheets = ContactSheets(str(tmp_path / "sheets"))
    assert pickle.loads(pickle.dumps(sheets)) == sheets
    run([sheets], [clips[0], clips[1], "/none.mp4"])
    saved = sorted((tmp_path / "sheets").glob("*.jpg"))
    assert [path.name[:2] for path in saved] == ["a-", "b-"]
    for path in saved:
        with Image.open(path) as picture:
            assert picture.format == "JPEG"
            assert picture.width > 300
    before = [path.name for path in saved]
    height = Image.open(saved[0]).height
    run([ContactSheets(str(tmp_path / "sheets"), explain=True)], [clips[0]])
    assert sorted(path.name for path in (tmp_path / "sheets").glob("*.jpg")) == before
    assert Image.open(saved[0]).height > height, "the bars are below the curve"


def test_the_sheets_of_videos_of_bytes_do_not_overwrite_each_other(clips, tmp_path):
    of = VideoAdaptiveKeyframesSampling(
        module=FrameNumber(),
        callbacks=[ContactSheets(str(tmp_path))],
        video_src_type="video_binary",
        max_num_frames=2,
        return_keyframes=False,
    )
    for path in clips:
        of.sample(path.read_bytes())
    assert len(list(tmp_path.glob("*.jpg"))) == 3


def test_a_folder_where_no_sheet_can_be_written_ends_the_run(clips):
    with pytest.raises((UnsupportedSchemeError, ParameterError)):
        run([ContactSheets("http://host/sheets")], [clips[0]])


def test_a_rate_limit_spaces_the_videos_of_a_task(clips):
    diary, begun = RateLimit(4), []

    class Begun(Callback):
        def on_video_start(self, source, text):
            begun.append(time.monotonic())

    run([pickle.loads(pickle.dumps(diary)), Begun()], [clips[2]] * 3)
    assert begun[1] - begun[0] >= 0.24
    assert begun[2] - begun[0] >= 0.49


def test_a_rate_limit_with_more_arguments_is_picklable(clips):
    class Named(RateLimit):
        def __init__(self, rate, name):
            super().__init__(rate)
            self.name = name

    from pyspark import cloudpickle

    limit = cloudpickle.loads(cloudpickle.dumps(Named(1000, "x")))
    assert (limit.name, limit.videos_per_second) == ("x", 1000)
    run([limit], [clips[2]])


@pytest.mark.parametrize("rate", [0, -1, float("inf"), float("nan"), "2", None])
def test_a_rate_that_cannot_be_is_refused(rate):
    with pytest.raises(ParameterError, match="videos_per_second must be"):
        RateLimit(rate)
