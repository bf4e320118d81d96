"""Fixtures of several folders: a Spark session, a CLIP with random weights, short clips."""

import os
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import hypothesis
import pytest

from spark_keyframes import VideoAdaptiveKeyframesSampling
from spark_keyframes.threads import wait_passively
from tests.browser import browser, open_page  # noqa: F401 - fixtures
from tests.spark.cluster import QUICK_JVM
from tests.storage.s3_server import S3Server
from tests.video.clips import clip

REPO = Path(__file__).parent.parent
SHARED_VIDEOS = REPO.parent / "shared" / "videos"

# Set before any JVM starts, because its Python workers inherit this environment.
os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
# On a busy machine a JVM can be silent for two minutes: Spark would drop the only executor.
os.environ["SPARK_SUBMIT_OPTS"] = f"{QUICK_JVM} -Dspark.network.timeout=600s"

# As the engine does, but before a test module imports torch: later it has no effect.
wait_passively()

# The first call of a test may import torch, and other work may share the machine.
hypothesis.settings.register_profile("tests", deadline=None)
# A mutation needs any failing example, not the smallest one.
hypothesis.settings.register_profile(
    "mutation", deadline=None, phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate]
)
hypothesis.settings.load_profile("tests")


def pytest_collection_modifyitems(items):
    for item in items:
        beside = item.path.parent.name in ("clip", "images", "selection")
        if "spark" in item.fixturenames or beside:
            item.add_marker("spark")  # `make test` runs these beside the others, in equal parts
        if item.get_closest_marker("shared") and not SHARED_VIDEOS.is_dir():
            item.add_marker(pytest.mark.skip(reason="needs the real clips in ../shared/videos"))
        if item.get_closest_marker("gpu") and not has_gpu():
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


def has_gpu():
    """Whether torch, which many tests do without, is installed and finds a GPU."""
    if find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available()


@pytest.fixture(scope="session")
def cooking(tmp_path_factory):
    """The folder out/ of a reader after `make sample`: a video and a model. Copy it, to write."""
    from spark_keyframes.demo import copy_model
    from spark_keyframes.demo.cooking import draw_cooking_video

    folder = tmp_path_factory.mktemp("cooking") / "out"
    copy_model(folder)
    draw_cooking_video(folder)
    return folder


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A folder with a small CLIP, called "small"."""
    from tests.clip.random_clip import save_random_clip

    folder = tmp_path_factory.mktemp("models")
    save_random_clip(folder / "small")
    return folder


@pytest.fixture(scope="session")
def sampler(models):
    """Four keyframes of the candidates at 5 fps, with the small CLIP; with images."""
    return VideoAdaptiveKeyframesSampling(
        text="spoon",
        model_path=str(models),
        clip_model_name="small",
        fps=5,
        max_num_frames=4,
        dtype="float32",
    )


@pytest.fixture(scope="session")
def plain(sampler):
    """The same without images."""
    return replace(sampler, return_keyframes=False)


@pytest.fixture(scope="session")
def reranking(plain, tmp_path_factory):
    """The same with a second look of 8 candidates, by a small BLIP."""
    from tests.clip.random_clip import save_random_clip
    from tests.matcher.random_blip import save_random_blip

    folder = tmp_path_factory.mktemp("both")
    save_random_clip(folder / "small")
    save_random_blip(folder / "blip")
    return replace(plain, model_path=str(folder), rerank="blip", rerank_candidates=8)


@pytest.fixture(scope="session")
def clips(tmp_path_factory):
    """Three short H.264 clips whose frames show their numbers: 3.6, 2 and 1.2 s at 25 fps."""
    folder = tmp_path_factory.mktemp("clips")
    paths = []
    for name, frames in (("a", 90), ("b", 50), ("c", 30)):
        path = folder / f"{name}.mp4"
        path.write_bytes(clip("libx264", "mp4", frames=frames, size=(160, 96)))
        paths.append(path)
    return paths


@pytest.fixture(scope="session")
def spark():
    from pyspark.sql import SparkSession

    session = (
        SparkSession.builder.master("local[2]")
        .appName("tests")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.memory", "1g")
        # A worker whose task fails or stops early is replaced: by one with the imports done.
        .config("spark.python.daemon.module", "spark_keyframes.spark.daemon")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.log.level", "ERROR")
        .getOrCreate()
    )
    yield session
    session.stop()


@pytest.fixture(scope="session")
def s3_server():
    """Moto's S3; skips where it is missing."""
    pytest.importorskip("moto.server", reason="needs moto: a real S3 over HTTP")
    with S3Server() as server:
        yield server


@pytest.fixture
def s3(s3_server, monkeypatch):
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server
