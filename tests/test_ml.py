"""The operator as a stage of an ML Pipeline: its Params, what is saved, and the same keyframes."""

import inspect
import math
import pickle
from dataclasses import fields, is_dataclass

import pytest
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.feature import SQLTransformer
from pyspark.ml.tuning import ParamGridBuilder

from spark_keyframes import Access, Limits, ParameterError, VideoAdaptiveKeyframesSampling
from spark_keyframes.ml import KeyframeSampler
from spark_keyframes.selection import AKS, LogDet, Top
from tests.own import Brightness, Last, Refuse

# A value for each Param that is not its default.
CHANGED = {
    "text": "a “spoon”\nin a cup",
    "modelPath": "",
    "clipModelName": "small",
    "dtype": "float32",
    "videoSrcType": "video_binary",
    "fps": 2.5,
    "maxNumFrames": 4,
    "minScore": 0.1,
    "minGap": 2.5,
    "maxSimilarity": 0.9,
    "t1": 0.2,
    "t2": -1.5,
    "allDepth": 3,
    "diversity": 0.3,
    "rerank": "blip",
    "rerankCandidates": 64,
    "imgType": ".png",
    "outputTosDir": "tos://bucket/keyframes",
    "returnKeyframes": False,
    "batchSize": 64,
    "rank": 1,
    "videoFormat": "webm",
    "videoStream": 1,
    "selector": Last(),
    "scan": "exhaustive",  # coarse goes with few selectors, and not with maxSimilarity
    "scanBudget": 0.5,
    "decoder": "thread",
    "maxDownloadBytes": 2**40,
    "maxDownloadSeconds": math.inf,
    "minDownloadRate": 0.0,
    "maxPixels": 1920 * 1080,
    "maxFrames": 1000,
    "maxVideoSeconds": 60.0,
    "maxDecodeSeconds": 10.0,
    "maxDecodeBytes": 2**30,
    "slowSeconds": 5.0,
    "allowedSchemes": ["https", "tos"],
    "allowedHosts": ["*.example.com"],
    "allowedRoots": ["/data/videos"],
    "privateAddresses": False,
    "module": Brightness(size=72),
    "callbacks": [Refuse("secret")],
    "inputCol": "film",
    "outputCol": "found",
    "textCol": "prompt",
    "startCol": "from",
    "endCol": "to",
    "errorCol": "why",
    "accountCol": "took",
    "timestampsCol": "times",
    "curveCol": "curve",
    "madeByCol": "how",
    "candidatesCol": "frames",
    "infoCol": "made",
    "images": "encoded",
    "onError": "raise",
    "keepVideo": True,
    "cpus": 8,
    "gpus": 1,
}


def camel_case(name):
    words = name.split("_")
    return words[0] + "".join(word.capitalize() for word in words[1:])


def values_of(stage):
    return {param.name: stage.getOrDefault(param) for param in stage.params}


@pytest.fixture
def stage(models):
    """What the fixture `plain` is, as a stage."""
    return KeyframeSampler(
        text="spoon",
        modelPath=str(models),
        clipModelName="small",
        fps=5,
        maxNumFrames=4,
        dtype="float32",
        returnKeyframes=False,
    )


@pytest.fixture(scope="module")
def videos(spark, clips):
    rows = [(1, str(clips[2]), "spoon"), (2, "/none.mp4", "spoon"), (3, str(clips[1]), None)]
    return spark.createDataFrame(rows, "id int, video string, prompt string")


def test_every_parameter_is_a_param_with_its_default():
    parameters = [
        field
        for part in (VideoAdaptiveKeyframesSampling, Limits, Access)
        for field in fields(part)
        if not is_dataclass(field.default)
    ]
    options = inspect.signature(VideoAdaptiveKeyframesSampling.transform).parameters.values()
    parameters += [option for option in options if option.kind is option.KEYWORD_ONLY]
    defaults = {camel_case(parameter.name): parameter.default for parameter in parameters}
    assert len(defaults) == len(parameters), "two Params of one name"
    lists = {name: list(v) if isinstance(v, tuple) else v for name, v in defaults.items()}
    assert values_of(KeyframeSampler()) == lists


def test_every_param_is_explained():
    stage = KeyframeSampler(fps=2)
    assert all(param.doc for param in stage.params)
    lines = stage.explainParams().splitlines()
    assert len(lines) == len(stage.params)
    assert (
        "fps: Candidate frames per second of video, above 0; 0.5 is one every two seconds. "
        "Higher: a finer choice, and more work. Above the video's own rate: every frame. "
        "(default: 1.0, current: 2.0)"
    ) in lines


def test_every_param_can_be_set_in_each_way():
    assert set(CHANGED) == set(values_of(KeyframeSampler()))
    assert values_of(KeyframeSampler(**CHANGED)) == CHANGED
    assert values_of(KeyframeSampler().setParams(**CHANGED)) == CHANGED
    stage = KeyframeSampler()
    for name, value in CHANGED.items():
        capital = name[0].upper() + name[1:]
        assert getattr(stage, f"set{capital}")(value) is stage
        assert getattr(stage, f"get{capital}")() == value
    assert values_of(stage) == CHANGED
    copied = KeyframeSampler().copy({stage.getParam(name): v for name, v in CHANGED.items()})
    assert values_of(copied) != CHANGED, "the Params of one stage are not those of another"
    assert values_of(stage.copy({stage.fps: 3})) == CHANGED | {"fps": 3.0}
    assert stage.getFps() == 2.5
    assert values_of(pickle.loads(pickle.dumps(stage))) == CHANGED


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"fps": 0}, r"fps must be greater than 0 and finite, got 0\.0; use e\.g\. 0\.5"),
        ({"maxNumFrames": 0}, "maxNumFrames must be at least 1, got 0"),
        ({"imgType": "jpg"}, r"imgType must be one of \.jpg, \.png, got 'jpg'"),
        ({"allDepth": None}, "allDepth must be a whole number, got None"),
        ({"maxDecodeSeconds": -1}, "maxDecodeSeconds must be greater than 0, got -1"),
        ({"allowedHosts": "a.com"}, "allowedHosts must be a tuple, got the single 'a.com'"),
        ({"inputCol": None}, r"inputCol must be a column's name, got None"),
        ({"textCol": 5}, r"textCol must be a column's name, got 5 \(int\)"),
        ({"onError": "skip"}, "onError must be one of null, raise, got 'skip'"),
        ({"keepVideo": "no"}, r"keepVideo must be True or False, got 'no' \(str\)"),
        ({"cpus": 0}, "cpus must be at least 1, got 0"),
        ({"gpus": "one"}, "gpus must be a whole number, got 'one'"),
        ({"max_num_frames": 4}, "'max_num_frames' is no Param .*; it has .*maxNumFrames"),
    ],
)
def test_a_wrong_value_is_an_error_when_it_is_set(params, message):
    with pytest.raises(ParameterError, match=message):
        KeyframeSampler(**params)


def test_a_wrong_value_for_one_call_is_an_error_on_the_driver(stage, videos):
    with pytest.raises(ParameterError, match="fps must be greater than 0"):
        stage.transform(videos, {stage.fps: -1})
    with pytest.raises(ParameterError, match="max_num_frames must be a whole number, got None"):
        stage.transform(videos, {stage.maxNumFrames: None})


def test_a_missing_column_is_an_error_before_anything_runs(stage, videos):
    with pytest.raises(ParameterError, match="'film' is not a column .* it has id, video, prompt"):
        Pipeline(stages=[stage.setInputCol("film")]).fit(videos).transform(videos)
    with pytest.raises(ParameterError, match="two columns called 'prompt'"):
        stage.setInputCol("video").setOutputCol("prompt").transform(videos)


def test_it_gives_what_the_sampler_gives(stage, plain, videos):
    expected = plain.transform(videos)
    assert stage.transform(videos).schema == expected.schema
    assert stage.transform(videos).collect() == expected.collect()


def test_the_options_are_those_of_transform(stage, sampler, videos):
    stage.setParams(outputCol="k", textCol="prompt", errorCol="why", returnKeyframes=True)
    expected = sampler.transform(videos, output_col="k", text_col="prompt", error_col="why")
    assert stage.transform(videos).collect() == expected.collect()
    (took,) = (
        stage.transform(videos.limit(1), {stage.accountCol: "took"}).select("took.*").collect()
    )
    assert took["frames_decoded"] > 0


def test_limits_and_access_reach_the_rows(stage, videos):
    stage.setErrorCol("why")
    for params, error in (
        ({stage.maxFrames: 10}, "LimitError"),
        ({stage.allowedSchemes: ["https"]}, "AccessError"),
    ):
        first = stage.transform(videos, params).first()
        assert first["why"]["error"] == error


def test_on_error_raise_fails_the_job(stage, videos):
    from pyspark.errors import PythonException

    with pytest.raises(PythonException, match="SourceNotFoundError"):
        stage.setOnError("raise").transform(videos).collect()


def test_every_param_is_saved_and_loaded(spark, tmp_path):
    stage = KeyframeSampler(**CHANGED)
    stage.save(str(tmp_path / "stage"))
    loaded = KeyframeSampler.load(str(tmp_path / "stage"))
    assert values_of(loaded) == CHANGED
    assert loaded.uid == stage.uid
    KeyframeSampler(fps=3).write().overwrite().save(str(tmp_path / "stage"))
    loaded = KeyframeSampler.load(str(tmp_path / "stage"))
    assert values_of(loaded) == values_of(KeyframeSampler(fps=3))
    assert [param.name for param in loaded.params if loaded.isSet(param)] == ["fps"]


def test_a_pipeline_is_saved_and_loaded(spark, stage, videos, tmp_path):
    statement = "SELECT id, size(keyframes.frame_ids) AS found FROM __THIS__"
    count = SQLTransformer(statement=statement)
    pipeline = Pipeline(stages=[stage.setAllowedSchemes(["file"]), count])
    pipeline.save(str(tmp_path / "pipeline"))
    model = Pipeline.load(str(tmp_path / "pipeline")).fit(videos)
    model.save(str(tmp_path / "model"))
    loaded = PipelineModel.load(str(tmp_path / "model"))
    assert values_of(loaded.stages[0]) == values_of(stage)
    rows = loaded.transform(videos).collect()
    assert [tuple(row) for row in rows] == [(1, 4), (2, None), (3, 4)]


def test_params_can_be_given_as_a_grid(stage, videos):
    grid = ParamGridBuilder().addGrid(stage.maxNumFrames, [1, 2]).build()
    found = [stage.transform(videos.limit(1), params).first()["keyframes"] for params in grid]
    assert [len(keyframes["frame_ids"]) for keyframes in found] == [1, 2]
    assert stage.getMaxNumFrames() == 4


def test_objects_of_one_s_own_may_be_import_paths():
    stage = KeyframeSampler(
        module={"class": "tests.own:Brightness", "args": {"size": 72}},
        selector="tests.own:Last",
        callbacks=["tests.own:Refuse", {"class": "tests.own:Refuse", "args": {"word": "x"}}],
    )
    assert stage.getModule() == Brightness(size=72)
    assert stage.getSelector() == Last()
    assert stage.getCallbacks() == [Refuse(), Refuse("x")]


def test_objects_of_one_s_own_choose_the_frames(spark, videos, tmp_path):
    stage = KeyframeSampler(
        module=Brightness(),
        selector=Last(),
        callbacks=[Refuse("none")],
        fps=5,
        maxNumFrames=2,
        returnKeyframes=False,
        errorCol="why",
    )
    stage.save(str(tmp_path / "stage"))
    for each in (stage, KeyframeSampler.load(str(tmp_path / "stage"))):
        first, refused, last = each.transform(videos).orderBy("id").collect()
        assert first["keyframes"]["frame_ids"] == [20, 25]
        assert refused["why"]["error"] == "CallbackError"
        assert last["keyframes"]["frame_ids"] == [40, 45]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"module": "tests.own"}, "module must be"),
        ({"module": "tests.own:Missing"}, "module 'tests.own:Missing': tests.own has no Missing"),
        ({"module": "nowhere:Missing"}, "'nowhere:Missing' cannot be imported: No module named"),
        ({"module": "tests.own:Last"}, "must be a subclass of KeyframesModule"),
        (
            {"module": {"class": "tests.own:Brightness", "args": {"height": 1}}},
            "unexpected keyword",
        ),
        ({"module": {"class": "tests.own:Brightness", "size": 1}}, "must be .*args"),
        (
            {"module": Brightness},
            r"got the class Brightness; use Brightness\(\)",
        ),
        ({"selector": "tests.own:Brightness"}, "must be a subclass of Selector"),
        ({"callbacks": "tests.own:Refuse"}, "callbacks"),
        ({"callbacks": [3]}, "must be an object of a subclass of Callback"),
    ],
)
def test_a_wrong_object_or_path_is_an_error_when_it_is_set(params, message):
    with pytest.raises(ParameterError, match=message):
        KeyframeSampler(**params)


def test_a_selector_of_the_package_is_saved_with_its_fields(spark, tmp_path):
    for selector in (LogDet(0.2), AKS(t1=0.3), Top()):
        KeyframeSampler(selector=selector).write().overwrite().save(str(tmp_path / "stage"))
        assert KeyframeSampler.load(str(tmp_path / "stage")).getSelector() == selector


def test_an_object_that_cannot_be_saved_says_why_and_deletes_nothing(spark, tmp_path):
    class Local(Brightness):
        pass

    class NoJson(Brightness):
        pass

    NoJson.__module__, NoJson.__qualname__ = Brightness.__module__, "NoJson"
    path = str(tmp_path / "stage")
    KeyframeSampler(module=Brightness(size=7)).save(path)
    for module, message in (
        (Local(), "module cannot be saved: its class .*Local cannot be imported by name"),
        (NoJson(), "module cannot be saved: its class NoJson cannot be imported"),
        (Brightness(size={1, 2}), r"module cannot be saved: params\(\) of Brightness is no JSON"),
    ):
        with pytest.raises(ParameterError, match=message):
            KeyframeSampler(module=module).write().overwrite().save(path)
    assert KeyframeSampler.load(path).getModule() == Brightness(size=7)
