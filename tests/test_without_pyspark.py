"""The package in an environment that has no pyspark."""

import json
import subprocess
import textwrap
from dataclasses import asdict

import pytest

from tests.environments import environment_without


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("environment")
    python = environment_without(folder, "pyspark", "py4j")

    def run(program, *arguments):
        done = subprocess.run(
            [python, "-c", textwrap.dedent(program), *arguments],
            cwd=folder,
            env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


def test_what_needs_pyspark_says_what_to_install(run):
    found = run(
        """
        import importlib.util, inspect, json, pydoc
        import spark_keyframes
        from spark_keyframes import KeyframesError, VideoAdaptiveKeyframesSampling

        def error_of(function):
            try:
                function()
            except ImportError as error:
                assert isinstance(error, KeyframesError)
                return str(error)

        def star():
            exec("from spark_keyframes import metrics")

        every = {}
        exec("from spark_keyframes import *", every)
        assert "VideoAdaptiveKeyframesSampling" in pydoc.render_doc(spark_keyframes)
        members = {name for name, _ in inspect.getmembers(spark_keyframes)}
        assert every.keys() - {"__builtins__"} == set(spark_keyframes.__all__) <= members

        errors = {name: error_of(lambda: getattr(spark_keyframes, name))
                  for name in spark_keyframes._OF_SPARK}
        errors["import"] = error_of(star)
        sampler = VideoAdaptiveKeyframesSampling(return_keyframes=False)
        errors["udf"] = error_of(sampler.udf)
        errors["map_in_pandas"] = error_of(sampler.map_in_pandas)
        errors["result_schema"] = error_of(lambda: sampler.result_schema(None))
        print(json.dumps({
            "spec": importlib.util.find_spec("pyspark"),
            "errors": errors,
        }))
        """
    )
    needs = "needs pyspark, which is not installed; pip install pyspark"
    names = ("KeyframeCandidates", "explode_keyframes", "metrics", "progress", "report_lines")
    assert found == {
        "spec": None,
        "errors": {
            **{name: f"spark_keyframes.{name} {needs}" for name in names},
            "import": f"spark_keyframes.metrics {needs}",
            "udf": f"udf() {needs}",
            "map_in_pandas": f"map_in_pandas() {needs}",
            "result_schema": f"result_schema() {needs}",
        },
    }


SAMPLING = """
    import importlib.util, json, sys
    from spark_keyframes import VideoAdaptiveKeyframesSampling, show_keyframes

    parameters, video = json.loads(sys.argv[1]), sys.argv[2]
    sampler = VideoAdaptiveKeyframesSampling(**parameters)
    found = {"sample": sampler.sample(video).frame_ids}

    import pandas

    frame = sampler.transform(pandas.DataFrame({"video": [video, None]}), error_col="error")
    found["shown"] = [len(card.pictures) for card in show_keyframes(frame).cards]
    found["pandas"] = frame.iloc[:, 1:].values.tolist()

    import daft
    from spark_keyframes.daft import las_udf

    keyframes = las_udf(VideoAdaptiveKeyframesSampling, construct_args=parameters)
    rows = daft.from_pydict({"video": [video]}).select(keyframes(daft.col("video")))
    found["daft"] = rows.to_pydict()["video"][0]["frame_ids"]
    found["spec"] = importlib.util.find_spec("pyspark")
    print(json.dumps(found))
"""


@pytest.mark.slow
def test_sample_pandas_and_daft_work_without_pyspark(run, plain, clips):
    parameters = {k: v for k, v in asdict(plain).items() if k not in ("limits", "access")}
    found = run(SAMPLING, json.dumps(parameters), str(clips[0]))
    assert found["spec"] is None
    alone = plain.sample(clips[0])
    assert found["sample"] == found["daft"] == alone.frame_ids
    assert found["shown"] == [len(alone.frame_ids), 0]
    (keyframes, error), null = found["pandas"]
    assert keyframes["frame_ids"] == alone.frame_ids
    assert error is None
    assert null == [None, None]
