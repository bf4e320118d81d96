"""The documented example on Daft's native and Ray runner, as docs/daft.md has it."""

import json
import os
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from spark_keyframes import VideoAdaptiveKeyframesSampling
from spark_keyframes.demo import MODELS, copy_model
from spark_keyframes.demo.cooking import draw_cooking_video
from spark_keyframes.device import task_cpus
from tests.conftest import REPO
from tests.own import Brightness
from tests.storage.tos_server import TosServer
from tests.storage.web_server import WebServer, answer

PAGE = (REPO / "docs" / "daft.md").read_text()
EXAMPLE = re.search(r"^```python\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)[1]
DOCUMENTED = REPO.parent / "shared" / "documented_operator.txt"
TYPE = "Struct[tos_paths: List[String], frame_ids: List[Int64], scores: List[Float32]]"
PROGRAM = REPO / "tests" / "daft_program.py"


def code(text):
    """The lines of code, without comments and blank lines."""
    lines = [line.replace("\xa0", " ").rstrip() for line in text.splitlines()]
    return [line for line in lines if line and not line.lstrip().startswith("#")]


@pytest.mark.skipif(not DOCUMENTED.is_file(), reason="needs ../shared/documented_operator.txt")
def test_the_example_differs_from_the_documented_one_where_it_must():
    text = DOCUMENTED.read_text()
    begin = text.index("from __future__ import annotations")
    documented = code(text[begin : text.index("最近更新时间", begin)])
    ours = code(EXAMPLE)
    changed = [line.strip() for line in documented if line not in ours]
    assert changed == [
        "from daft.las.functions.udf import las_udf",
        "from daft.las.functions.video.video_adaptive_keyframes_sampling import "
        "VideoAdaptiveKeyframesSampling",
        'tos_dir_url = os.getenv("TOS_DIR_URL", '
        '"las-cn-beijing-public-online.tos-cn-beijing.volces.com")',
        'f"https://{tos_dir_url}/public/shared_video_dataset/cooking.mp4"',
        "num_gpus=1,",
    ]
    assert [line.strip() for line in ours if line not in documented] == [
        "from spark_keyframes.daft import VideoAdaptiveKeyframesSampling, las_udf",
        'tos_dir_url = os.getenv("TOS_DIR_URL", "127.0.0.1:8000")',
        'f"http://{tos_dir_url}/cooking.mp4"',
        '"model_path": "out/models",',
        '"clip_model_name": "tiny_clip",',
        "num_gpus=0,",
    ]


@pytest.fixture(scope="module")
def cooking(tmp_path_factory):
    return draw_cooking_video(tmp_path_factory.mktemp("cooking"))[0]


@pytest.fixture(scope="module")
def web(cooking):
    with WebServer() as server:
        server.paths["/cooking.mp4"] = [answer(body=cooking.read_bytes())]
        server.paths["/gone.mp4"] = [answer(404)]
        yield server


@pytest.fixture(scope="module")
def videos(web, clips):
    return [f"{web.url}/cooking.mp4", f"{web.url}/gone.mp4?token=hidden", None, *map(str, clips)]


@pytest.fixture(scope="module")
def tos():
    with TosServer(buckets=["your-bucket"]) as server:
        yield server


@pytest.fixture(scope="module", params=["native", "ray"])
def ran(request, tmp_path_factory, web, tos, videos, plain):
    folder = tmp_path_factory.mktemp(request.param)
    copy_model(folder / "out")
    (folder / "example.py").write_text(EXAMPLE)
    names = ("text", "model_path", "clip_model_name")
    options = {"videos": videos, "construct_args": {n: getattr(plain, n) for n in names}}
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "example.py", json.dumps(options), "result.json"],
        cwd=folder,
        env={
            **os.environ,
            **tos.environment,
            "PYTHONPATH": str(REPO),
            "DAFT_RUNNER": request.param,
            "TOS_DIR_URL": web.url.removeprefix("http://"),
            "RAY_USAGE_STATS_ENABLED": "0",
            "DO_NOT_TRACK": "1",
            "COLUMNS": "120",
        },
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-8000:]
    found = json.loads((folder / "result.json").read_text())
    assert found["runner"] == request.param
    return found | {"said": said, "shown": done.stdout, "folder": folder}


def same(row, keyframes):
    assert row["frame_ids"] == keyframes.frame_ids
    # Of float32; a score depends on its batch in the last bits.
    assert row["scores"] == pytest.approx(keyframes.scores, rel=1e-6, abs=1e-6)
    return True


@pytest.mark.slow
def test_the_example_gives_what_sample_gives(ran, videos, tos):
    sampler = VideoAdaptiveKeyframesSampling(
        text="spoon",
        model_path=str(MODELS),
        clip_model_name="tiny_clip",
        max_num_frames=4,
        fps=2.0,
        return_keyframes=False,
    )
    assert f"keyframes   ┆ {TYPE} │" in ran["schema"]
    assert len(ran["example"]) == len(videos)
    for video, row in zip(videos, ran["example"], strict=True):
        if video is None or "gone" in video:
            assert row is None
            continue
        assert same(row, sampler.sample(video))
        assert len(row["tos_paths"]) == len(row["frame_ids"])
        assert all(
            ("your-bucket", path.split("/", 3)[3]) in tos.objects for path in row["tos_paths"]
        )


@pytest.mark.slow
def test_the_page_shows_what_the_example_prints(ran):
    assert table(PAGE)
    assert table(ran["shown"]) == table(PAGE)


def table(text):
    """The words of the first table, but for the URL, whose port differs."""
    lines = [line for line in text.splitlines() if line.startswith(("│", "(Showing"))]
    return [re.sub(r"http://127\S+", "URL", line).split() for line in lines][:5]


@pytest.mark.slow
def test_the_log_says_why_and_no_secret(ran):
    lines = [
        line for line in ran["said"].splitlines() if "no keyframes (open, HttpStatusError)" in line
    ]
    assert lines
    assert "404" in lines[0]
    assert "hidden" not in ran["said"]
    assert ran["said"].count("the documented struct has no images") == 1


@pytest.mark.slow
def test_each_actor_sets_its_module_up_once_and_has_its_share_of_the_cpus(ran):
    setups = [setup.split() for setup in ran["setups"]]
    assert len({process for process, _, _ in setups}) == len(setups) <= 2
    share = max(1, task_cpus() // 2)
    assert [(device, threads) for _, device, threads in setups] == [("cpu", str(share))] * len(
        setups
    )


@pytest.mark.slow
def test_options_add_images_and_errors(ran, videos):
    sampler = VideoAdaptiveKeyframesSampling(
        text="spoon", fps=5, max_num_frames=2, module=Brightness()
    )
    for video, row in zip(videos, ran["brightness"], strict=True):
        if video is None:
            assert row is None
        elif "gone" in video:
            assert row["error"]["error"] == "HttpStatusError"
            assert row["images"] is row["frame_ids"] is None
        else:
            keyframes = sampler.sample(video)
            assert same(row, keyframes)
            assert row["error"] is None
            for image, wanted in zip(row["images"], keyframes.images, strict=True):
                assert image == sha256(wanted.tobytes()).hexdigest()
            # A relative folder is the driver's.
            assert all(
                Path(path).is_relative_to(ran["folder"] / "images") for path in row["tos_paths"]
            )
            assert all(Path(path).is_file() for path in row["tos_paths"])


@pytest.mark.slow
def test_errors_of_the_job_say_what_to_do(ran):
    assert re.search(r"ParameterError: num_gpus=1 .* has.* 0; use num_gpus=0", ran["gpu"])
    assert ran["gpu_seconds"] < 30
    assert re.search(r"HttpStatusError: row \d+ of a batch", ran["raised"])
    assert "404" in ran["raised"]
    assert "videos are of type Int64, but video_url needs String; cast them" in ran["column"]
