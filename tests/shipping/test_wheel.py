"""The wheel holds the package and nothing else, and works when installed."""

import subprocess
import tomllib
from zipfile import ZipFile

import pytest

from tests.conftest import REPO


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    source = REPO / "spark_keyframes"
    modules = {str(path.relative_to(REPO)) for path in source.rglob("*.py")}
    project = tomllib.loads((REPO / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["spark_keyframes"]
    data = {str(path.relative_to(REPO)) for each in patterns for path in source.glob(each)}
    names = set(ZipFile(wheel).namelist())
    assert {name for name in names if ".dist-info/" not in name} == modules | data
    assert {name.rpartition("/")[2] for name in data} >= {
        *("py.typed", "model.safetensors", "log4j2.properties"),
        *(path.name for path in (source / "images" / "fonts").iterdir()),
    }
    about = {name.split(".dist-info/")[1] for name in names if ".dist-info/" in name}
    assert {"METADATA", "WHEEL", "RECORD", "licenses/LICENSE", "entry_points.txt"} <= about


@pytest.mark.slow
def test_it_installs_and_finds_keyframes(installed, models, clips, plain, tmp_path):
    program = """
import sys
import spark_keyframes

sampler = spark_keyframes.VideoAdaptiveKeyframesSampling(text="spoon", model_path=sys.argv[1],
    clip_model_name="small", fps=5, max_num_frames=4, dtype="float32", return_keyframes=False)
print(*sampler.sample(sys.argv[2]).frame_ids)
print(spark_keyframes.__file__)
"""
    done = subprocess.run(
        [installed / "bin" / "python", "-c", program, models, clips[0]],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    frame_ids, place = done.stdout.splitlines()
    assert frame_ids.split() == [str(number) for number in plain.sample(clips[0]).frame_ids]
    assert place.startswith(str(installed)), "and not from the repository"
