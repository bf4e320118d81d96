"""The documented parameters: names, defaults, and the errors for invalid values."""

import inspect
import math
import pickle
from pathlib import Path

import numpy as np
import pytest

from spark_keyframes import (
    Access,
    Limits,
    ParameterError,
    Selector,
    VideoAdaptiveKeyframesSampling,
)
from spark_keyframes.selection import Summary
from tests.own import Brightness, Last, Refuse


class Apart(Selector):
    """Needs embeddings."""

    needs_embeddings = True

    def select(self, scores, k, *, embeddings):
        return range(k)


DOCUMENTED = {
    "text": "",
    "model_path": "/opt/las/models",
    "clip_model_name": "openai/clip-vit-base-patch32",
    "dtype": "float16",
    "video_src_type": "video_url",
    "fps": 1.0,
    "max_num_frames": 32,
    "t1": 0.8,
    "t2": -100,
    "all_depth": 5,
    "img_type": ".jpg",
    "output_tos_dir": "",
    "return_keyframes": True,
    "batch_size": 16,
    "rank": 0,
    "video_format": "mp4",
}


def test_parameters_and_defaults_are_the_documented_ones():
    signature = inspect.signature(VideoAdaptiveKeyframesSampling)
    defaults = {name: parameter.default for name, parameter in signature.parameters.items()}
    assert defaults == DOCUMENTED | {
        "video_stream": None,
        "min_score": None,
        "min_gap": 0.0,
        "max_similarity": 1.0,
        "scan": "exhaustive",
        "scan_budget": 0.35,
        "diversity": 0.05,
        "rerank": "",
        "rerank_candidates": None,
        "selector": "aks",
        "decoder": "process",
        "limits": Limits(),
        "access": Access(),
        "module": None,
        "callbacks": (),
    }
    kinds = {parameter.kind for parameter in signature.parameters.values()}
    assert kinds == {inspect.Parameter.KEYWORD_ONLY}


def test_every_parameter_is_described():
    described = inspect.getdoc(VideoAdaptiveKeyframesSampling)
    for name in [*DOCUMENTED, "selector", "decoder", "limits", "access", "module", "callbacks"]:
        assert f"\n    {name}:" in described


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"fps": 0.0}, r"fps must be greater than 0 and finite, got 0\.0; use e\.g\. 0\.5"),
        ({"fps": -1}, "fps must be greater than 0"),
        ({"fps": math.inf}, "fps must be greater than 0 and finite, got inf"),
        ({"fps": math.nan}, "fps must be a number, got nan"),
        ({"fps": "2"}, "fps must be a number, got '2'"),
        ({"fps": True}, "fps must be a number, got True"),
        ({"max_num_frames": 0}, "max_num_frames must be at least 1, got 0"),
        ({"max_num_frames": 4.0}, r"max_num_frames must be a whole number, got 4\.0"),
        ({"all_depth": -1}, "all_depth must be at least 0, got -1"),
        ({"diversity": -1}, r"diversity must be finite and at least 0, got -1\.0; use .* 0\.05"),
        ({"min_gap": -1}, r"min_gap must be at least 0 and finite, got -1\.0; use e\.g\. 2\.0"),
        ({"min_gap": None}, "min_gap must be a number, got None"),
        ({"max_similarity": 2}, r"max_similarity must be from 0 to 1, got 2\.0; use e\.g\. 0\.95"),
        ({"max_similarity": math.nan}, "max_similarity must be a number, got nan"),
        ({"scan": "fine"}, "scan must be one of exhaustive, coarse, got 'fine'"),
        ({"scan_budget": 0}, "scan_budget must be greater than 0 and at most 1, got 0.0; use e.g."),
        ({"scan_budget": 1.1}, "scan_budget must be greater than 0 and at most 1, got 1.1"),
        ({"scan_budget": "all"}, "scan_budget must be a number, got 'all'"),
        ({"scan": "coarse", "selector": "gift"}, 'scan="coarse" needs a selector .* got Gift()'),
        ({"scan": "coarse", "selector": "uniform"}, r'"top" or "bin", or leave scan out'),
        ({"scan": "coarse", "selector": Last()}, r"chooses by scores alone, got Last\(\)"),
        (
            {"scan": "coarse", "max_similarity": 0.9},
            'scan="coarse" does not go with max_similarity',
        ),
        ({"selector": Last(), "diversity": 0.2}, "no effect of diversity=0.2 beside selector"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"rank": -1}, "rank must be at least 0, got -1"),
        ({"video_stream": -1}, r"video_stream must be at least 0, got -1; .* leave it out for FF"),
        ({"video_stream": "0"}, "video_stream must be a whole number, got '0'"),
        ({"t1": None}, "t1 must be a number, got None"),
        ({"dtype": "bfloat16"}, "dtype must be one of float16, float32, got 'bfloat16'"),
        ({"img_type": "jpg"}, r"img_type must be one of \.jpg, \.png, got 'jpg'"),
        ({"video_src_type": "url"}, "video_src_type must be one of video_url, .*, got 'url'"),
        ({"selector": "best"}, "selector must be one of aks, .*, got 'best'"),
        ({"text": None}, r"text must be a string, got None \(NoneType\)"),
        ({"return_keyframes": 1}, r"return_keyframes must be True or False, got 1 \(int\)"),
        ({"clip_model_name": ""}, "clip_model_name must not be empty"),
        ({"limits": 3}, r"limits must be a Limits, such as .*, got 3 \(int\)"),
        ({"access": None}, "access must be an Access, such as .*, got None"),
        (
            {"module": 3},
            "module must be an object of a subclass of KeyframesModule, got 3",
        ),
        ({"module": Brightness}, r"got the class Brightness; use Brightness\(\)"),
        ({"selector": Last}, r"got the class Last; use Last\(\)"),
        ({"callbacks": Refuse()}, r"callbacks must be a list, got Refuse\(word='nothing'\)"),
        ({"callbacks": [print]}, "callbacks must be an object of a subclass of Callback"),
        (
            {"module": Brightness(), "dtype": "float32"},
            "no effect of dtype='float32' beside",
        ),
        ({"module": Brightness(), "model_path": "", "clip_model_name": "a"}, "model_path='', clip"),
        (
            {"selector": Last(), "t1": 0.1, "all_depth": 2},
            "no effect of t1=0.1, all_depth=2",
        ),
        (
            {"module": Brightness(), "selector": Apart()},
            "Apart needs embeddings, and module",
        ),
        ({"rerank": 3}, r"rerank must be a string, got 3 \(int\)"),
        ({"rerank": "b", "rerank_candidates": 31}, "rerank_candidates must be at least 32, got 31"),
        ({"rerank_candidates": 0}, "rerank_candidates must be at least 1, got 0"),
        ({"rerank": "b", "selector": "uniform"}, "rerank='b' has no effect beside selector='uni"),
        ({"rerank": "b", "selector": Summary()}, r"has no effect beside selector=Summary\(\)"),
        ({"rerank": "b", "selector": "summary"}, "rerank='b' has no effect beside selector='sum"),
        (
            {"module": Brightness(), "rerank": "b", "clip_model_name": "a", "model_path": ""},
            "no effect of clip_model_name='a' beside",
        ),
        ({"video_format": "a/b"}, "video_format must be a container's name, got 'a/b'"),
    ],
)
def test_says_what_was_wrong_the_value_and_what_to_do(parameters, message):
    with pytest.raises(ParameterError, match=message):
        VideoAdaptiveKeyframesSampling(**parameters)


def test_rerank_takes_its_folder_and_precision_beside_a_module_of_ones_own():
    sampler = VideoAdaptiveKeyframesSampling(
        module=Brightness(), rerank="blip", model_path="models", dtype="float32"
    )
    assert sampler.make_matcher().params() == {
        "model_path": "models",
        "blip_model_name": "blip",
        "dtype": "float32",
    }


@pytest.mark.parametrize(("given", "expected"), [(None, 16), (9, 9), (np.int64(4), 4)])
def test_rerank_looks_at_four_candidates_for_each_keyframe(given, expected):
    sampler = VideoAdaptiveKeyframesSampling(
        rerank="blip", max_num_frames=4, rerank_candidates=given
    )
    assert sampler.make_choice().second_look == expected
    assert VideoAdaptiveKeyframesSampling(rerank_candidates=given).make_choice().second_look is None


def test_numbers_of_numpy_are_numbers():
    sampler = VideoAdaptiveKeyframesSampling(
        fps=np.float32(2), max_num_frames=np.int64(8), t1=np.float64(0.5), video_format=".mov"
    )
    assert (sampler.fps, sampler.max_num_frames, sampler.t1) == (2.0, 8, 0.5)
    assert (type(sampler.fps), type(sampler.max_num_frames)) == (float, int)
    assert sampler.video_format == "mov"


def test_parameter_errors_are_value_errors():
    with pytest.raises(ValueError, match="fps"):
        VideoAdaptiveKeyframesSampling(fps=0)


def test_positional_and_unknown_parameters_are_refused():
    with pytest.raises(TypeError):
        VideoAdaptiveKeyframesSampling("spoon")
    with pytest.raises(TypeError, match="frames"):
        VideoAdaptiveKeyframesSampling(frames=3)


def test_survives_pickling_and_cannot_be_changed():
    sampler = VideoAdaptiveKeyframesSampling(text="spoon", fps=2)
    assert pickle.loads(pickle.dumps(sampler)) == sampler
    with pytest.raises(AttributeError):
        sampler.fps = 3


def test_it_shows_only_what_differs_from_the_defaults():
    assert repr(VideoAdaptiveKeyframesSampling()) == "VideoAdaptiveKeyframesSampling()"
    sampler = VideoAdaptiveKeyframesSampling(
        text="spoon", fps=2, limits=Limits(max_frames=9), module=Brightness(size=72)
    )
    assert repr(sampler) == (
        "VideoAdaptiveKeyframesSampling(text='spoon', fps=2.0, "
        f"limits={Limits(max_frames=9)!r}, module=Brightness(size=72))"
    )


def test_it_shows_no_secret_of_its_folder():
    folder = "s3://key:secret@bucket/keyframes"
    shown = "VideoAdaptiveKeyframesSampling(fps=2.0, output_tos_dir='s3://bucket/keyframes')"
    assert repr(VideoAdaptiveKeyframesSampling(output_tos_dir=folder, fps=2)) == shown
    spaced = VideoAdaptiveKeyframesSampling(output_tos_dir="s3://key:a secret@bucket/keyframes")
    assert "secret" not in repr(spaced)


def test_it_is_hashable_with_any_objects():
    class Loose(Brightness):
        __hash__ = None

    class Named(Selector):
        def __init__(self):
            self.names = ["a", "list"]

        def __eq__(self, other):
            return isinstance(other, Named)

        __hash__ = None

        def select(self, scores, k):
            return range(k)

    one, other = (
        VideoAdaptiveKeyframesSampling(module=Loose(), selector=Named(), callbacks=[Refuse()])
        for _ in range(2)
    )
    assert one == other
    assert hash(one) == hash(other)
    assert len({one, other, VideoAdaptiveKeyframesSampling()}) == 2


def test_paths_may_be_path_objects():
    sampler = VideoAdaptiveKeyframesSampling(
        model_path=Path("/models"), clip_model_name=Path("a/b"), output_tos_dir=Path("/out/frames")
    )
    given = (sampler.model_path, sampler.clip_model_name, sampler.output_tos_dir)
    assert given == ("/models", "a/b", "/out/frames")
    assert Access(allowed_roots=(Path("/data"),)).allowed_roots == ("/data",)
    with pytest.raises(ParameterError, match="text must be a string"):
        VideoAdaptiveKeyframesSampling(text=Path("spoon"))
