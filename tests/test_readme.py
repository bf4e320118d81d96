"""The README's Python runs as it stands."""

import re

import pytest

from demo.cooking import cooking_scenes
from demo.video import draw_video
from tests.conftest import REPO

README = (REPO / "README.md").read_text()


@pytest.mark.slow
def test_the_examples_run(spark, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").symlink_to(REPO / "demo")
    (tmp_path / "out").mkdir()
    draw_video(tmp_path / "out" / "cooking.mp4", cooking_scenes(5), size=(640, 360), fps=25, seed=5)
    # The workers resolve relative paths where they were started, not where this test is.
    blocks = [
        block.replace('"out/', f'"{tmp_path}/out/').replace('"demo"', f'"{REPO}/demo"')
        for block in re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    ]
    assert len(blocks) >= 4
    names = {}
    for block in blocks:
        exec(block, names)
    printed = capsys.readouterr().out
    assert "|NULL |" in printed, "no error"
    assert "120 candidates" in printed
    assert "120 scored (" in printed
    assert "0 0.0 (360, 640, 3)" in printed
    assert len(list((tmp_path / "out" / "keyframes").rglob("*.jpg"))) == 4


def test_every_link_leads_somewhere():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (REPO / target).exists(), target


def test_the_parameter_table_is_the_signature():
    import inspect

    from spark_keyframes import Access, Limits, VideoAdaptiveKeyframesSampling

    names = {"Access": Access, "Limits": Limits}
    rows = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", README, flags=re.MULTILINE))
    signature = inspect.signature(VideoAdaptiveKeyframesSampling).parameters
    assert {name: eval(default, names) for name, default in rows.items()} == {
        name: parameter.default for name, parameter in signature.items()
    }
