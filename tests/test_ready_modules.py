"""Modules of one's own: what they are given, what must come back, and how often they are set up."""

import gc
import threading

import numpy as np
import pytest
import torch

from spark_keyframes import (
    Keyframes,
    KeyframesModule,
    ready_modules,
)
from spark_keyframes.errors import ModelNotFoundError, ModuleError
from spark_keyframes.ready_modules import ready_module
from tests.engine.own_modules import CPU, FrameNumber, run, sampler
from tests.video.clips import number_in


def test_ten_lines_are_a_module(clips):
    keyframes = sampler(FrameNumber()).sample(clips[0])
    assert keyframes.frame_ids == [70, 75, 80, 85]
    assert keyframes.scores == [70, 75, 80, 85]


@pytest.mark.parametrize(
    "made", [list, np.array, torch.tensor, lambda s: torch.tensor(s, dtype=torch.bfloat16)]
)
def test_scores_may_be_a_list_an_array_or_a_tensor(clips, made):
    class Made(FrameNumber):
        def predict_step(self, inputs, texts):
            return made([float(number) for number in inputs])

    assert sampler(Made()).sample(clips[0]).frame_ids == [70, 75, 80, 85]


def test_a_module_gets_the_frame_of_which_nothing_is_overwritten(clips):
    """By default the inputs are the frames themselves, whose memory the decoder uses again."""

    class Late(KeyframesModule):
        def predict_step(self, inputs, texts):
            return [number_in(rgb) for rgb in inputs]

    frames = sampler(Late(), batch_size=64).sample(clips[0])
    assert frames.candidates.scores == frames.candidates.frame_ids


def test_a_module_gets_each_frame_s_own_text(clips):
    class Length(KeyframesModule):
        def predict_step(self, inputs, texts):
            return [len(text) for text in texts]

    first, second = run(sampler(Length()), [(clips[2], "one"), (clips[2], "three")], workers=2)
    assert (first.scores, second.scores) == ([3] * 4, [5] * 4)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda inputs: [1.0] * 3, "predict_step of Wrong gave 3 scores for 6 frames"),
        (lambda inputs: np.ones((6, 2)), r"gave shape \(6, 2\) for 6 frames"),
        (lambda inputs: 0.5, r"gave shape \(\) for 6 frames"),
        (lambda inputs: [0.5] * 5 + [float("nan")], "gave nan for 1 of 6 frames"),
        (lambda inputs: [np.inf] * 6, "gave inf for 6 of 6 frames"),
        (lambda inputs: None, "predict_step of Wrong"),
        (lambda inputs: ["a"] * 6, "predict_step of Wrong gave values of type <U1"),
        (lambda inputs: 1 / 0, "predict_step of Wrong failed: ZeroDivisionError"),
    ],
)
def test_a_wrong_result_is_the_row_s_failure_and_names_the_class(clips, result, message):
    class Wrong(KeyframesModule):
        def predict_step(self, inputs, texts):
            return result(inputs)

    with pytest.raises(ModuleError, match=message) as caught:
        sampler(Wrong()).sample(clips[2])
    assert caught.value.stage == "clip"
    assert str(clips[2]) in str(caught.value)


def test_a_text_that_breaks_the_module_fails_its_own_row_only(clips):
    class Picky(FrameNumber):
        def predict_step(self, inputs, texts):
            if "bad" in texts:
                raise KeyError("bad")
            return inputs

    texts = ["good", "bad", "good", "bad"]
    of = sampler(Picky(), batch_size=64)
    outcomes = run(of, [(clips[2], text) for text in texts], workers=4)
    assert [isinstance(outcome, Keyframes) for outcome in outcomes] == [True, False, True, False]
    assert outcomes[1].error == "ModuleError"
    assert "predict_step of Picky failed: KeyError" in outcomes[1].message


def test_a_preprocess_that_fails_is_the_row_s_failure_and_logs_where(clips, caplog):
    class Broken(FrameNumber):
        def preprocess(self, rgb):
            raise ZeroDivisionError("https://u:pw@host/x?X-Tos-Signature=abc")

    (failure,) = run(sampler(Broken()), [(clips[2], "")])
    assert (failure.stage, failure.error) == ("preprocess", "ModuleError")
    assert "preprocess of Broken failed: ZeroDivisionError" in failure.message
    assert "Traceback" in caplog.text
    assert "abc" not in failure.message + caplog.text


def test_a_setup_that_fails_ends_the_run(clips):
    class Missing(FrameNumber):
        def setup(self, device):
            raise FileNotFoundError("weights.pt")

    with pytest.raises(ModuleError, match="setup of Missing failed: FileNotFoundError: weights.pt"):
        run(sampler(Missing()), [(clips[2], "")])

    class Own(FrameNumber):
        def setup(self, device):
            raise ModelNotFoundError("put weights.pt beside the script")

    with pytest.raises(
        ModelNotFoundError, match="^setup of Own: put weights.pt beside the script$"
    ):
        run(sampler(Own()), [(clips[2], "")])


class Counted(FrameNumber):
    """Notes its setups and teardowns."""

    calls = []

    def setup(self, device):
        self.ready = True
        self.calls.append("setup")

    def predict_step(self, inputs, texts):
        assert self.ready
        return inputs

    def teardown(self):
        self.calls.append("teardown")


def test_a_module_without_a_key_is_set_up_for_each_run_and_stays_as_it_was(clips):
    Counted.calls.clear()
    module = Counted()
    for _ in range(2):
        sampler(module).sample(clips[2])
    assert Counted.calls == ["setup", "teardown"] * 2
    assert not hasattr(module, "ready"), "the module that the user made is pickled later"


def test_a_module_with_a_key_is_set_up_once_for_each_key_and_device(clips, monkeypatch):
    monkeypatch.setattr(ready_modules, "_ready", {})

    class Keyed(Counted):
        def __init__(self, key):
            self.key = key

    Counted.calls.clear()
    for key in ("a", "a", "b", "a"):
        sampler(Keyed(key)).sample(clips[2])
    assert Counted.calls == ["setup", "setup"]
    with ready_module(Keyed("a"), torch.device("cuda", 0)), ready_module(Keyed("a"), CPU):
        assert Counted.calls == ["setup"] * 3
    ready_modules._tear_down_all()
    assert Counted.calls == ["setup"] * 3 + ["teardown"] * 3


def test_a_class_that_was_defined_again_is_set_up_again(monkeypatch):
    monkeypatch.setattr(ready_modules, "_ready", {})

    def define():
        class Keyed(Counted):
            key = "same"

        return Keyed()

    Counted.calls.clear()
    first, second = define(), define()
    with ready_module(first, CPU), ready_module(second, CPU) as ready:
        assert type(ready) is type(second)
    assert Counted.calls == ["setup", "teardown", "setup"]


def test_a_key_that_is_not_hashable_is_said(clips):
    class Keyed(Counted):
        key = ["a", "list"]

    with pytest.raises(ModuleError, match=r"key of Keyed must be hashable, got \['a', 'list'\]"):
        sampler(Keyed()).sample(clips[2])


def test_preprocess_runs_in_several_threads_and_predict_step_in_one(clips):
    seen = {"preprocess": set(), "predict_step": set()}

    class Watching(FrameNumber):
        def preprocess(self, rgb):
            seen["preprocess"].add(threading.get_ident())
            return number_in(rgb)

        def predict_step(self, inputs, texts):
            seen["predict_step"].add(threading.get_ident())
            return inputs

    run(sampler(Watching()), [(clips[0], "")] * 6, workers=3)
    assert len(seen["preprocess"]) > 1
    assert seen["predict_step"] == {threading.get_ident()}


def test_a_tolerance_leads_to_a_second_exact_look(clips):
    exact_looks = []

    class Rough(KeyframesModule):
        tolerance = 0.6

        def preprocess(self, rgb):
            return np.array([number_in(rgb)])

        def predict_step(self, inputs, texts, *, exact=False):
            numbers = [float(value[0]) for value in inputs]
            if exact:
                exact_looks.append(numbers)
                return numbers
            return [number - number % 10 for number in numbers]  # 80 and 85 look the same

    keyframes = sampler(Rough(), max_num_frames=1).sample(clips[0])
    assert keyframes.frame_ids == [85]
    assert keyframes.account.scored_again == 2
    assert exact_looks == [[80.0, 85.0]]


def test_a_failed_row_keeps_neither_the_error_s_frames_nor_its_video(clips):
    class Broken(KeyframesModule):
        def predict_step(self, inputs, texts):
            raise ValueError(len(inputs))

    (failure,) = run(sampler(Broken()), [(clips[2], "")])
    gc.collect()
    held = [o for o in gc.get_objects() if isinstance(o, np.ndarray) and o.shape == (96, 160, 3)]
    assert failure.error == "ModuleError"
    assert not held


@pytest.mark.parametrize("error", [SystemExit(1), BaseException("out"), MemoryError()])
@pytest.mark.parametrize("hook", ["preprocess", "predict_step"])
def test_no_exception_of_any_class_makes_a_run_wait_for_ever(clips, error, hook):
    class Broken(FrameNumber):
        pass

    def fail(self, *_):
        raise error

    setattr(Broken, hook, fail)
    (failure,) = run(sampler(Broken()), [(clips[2], "")])
    assert failure.error == "ModuleError"
    assert f"{hook} of Broken failed: {type(error).__name__}" in failure.message


def test_an_error_without_a_message_is_a_failure_too(clips):
    class MuteError(Exception):
        def __str__(self):
            raise RuntimeError

    class Broken(FrameNumber):
        def predict_step(self, inputs, texts):
            raise MuteError

    (failure,) = run(sampler(Broken()), [(clips[2], "")])
    assert "predict_step of Broken failed: MuteError: no message" in failure.message


def test_the_setup_of_a_keyed_module_may_sample_with_another(clips, monkeypatch):
    monkeypatch.setattr(ready_modules, "_ready", {})

    class Inner(FrameNumber):
        key = "inner"

    class Outer(FrameNumber):
        key = "outer"

        def setup(self, device):
            sampler(Inner()).sample(clips[2])

    assert sampler(Outer()).sample(clips[2]).frame_ids


@pytest.mark.parametrize("tolerance", [-1, float("nan"), float("inf"), "0.1", None])
def test_a_tolerance_that_cannot_be_ends_the_run(clips, tolerance):
    class Rough(FrameNumber):
        pass

    Rough.tolerance = tolerance
    with pytest.raises(ModuleError, match="setup of Rough failed: .*tolerance must be a finite"):
        sampler(Rough()).sample(clips[2])


def test_a_torch_module_stays_as_it_was(clips):
    class Net(KeyframesModule, torch.nn.Module):
        def setup(self, device):
            self.head = torch.nn.Linear(1, 1)

        def preprocess(self, rgb):
            return torch.tensor([float(number_in(rgb))])

        def predict_step(self, inputs, texts):
            return self.head(torch.stack(list(inputs)))[:, 0]

    net = Net()
    assert len(sampler(net).sample(clips[2]).scores) == 4
    assert not net._modules, "what setup adds must not be pickled with it"


def test_an_error_of_this_package_hides_no_class_and_shows_no_secret(clips):
    class E(FrameNumber):
        def preprocess(self, rgb):
            raise ModelNotFoundError("no Energy at https://u:pw@host/x?X-Tos-Signature=abc")

    (failure,) = run(sampler(E()), [(clips[2], "")])
    assert "preprocess of E: no Energy at https://host/x" in failure.message
    assert "abc" not in failure.message


@pytest.mark.parametrize("scores", [["0.5"] * 6, [1j] * 6, np.array(["2020-01-01"] * 6, "M8[D]")])
def test_scores_that_are_no_numbers_are_refused(clips, scores):
    class Wrong(FrameNumber):
        def predict_step(self, inputs, texts):
            return scores

    with pytest.raises(ModuleError, match="predict_step of Wrong gave values of type"):
        sampler(Wrong()).sample(clips[2])
