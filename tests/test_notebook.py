"""The notebook runs as it stands, and its outputs are those that it has in the repository."""

import re
import time

import pytest

from spark_keyframes import VideoAdaptiveKeyframesSampling
from spark_keyframes.demo import MODEL
from tests.conftest import REPO
from tests.html.reading import Page
from tests.test_readme import words_of

nbformat = pytest.importorskip("nbformat", reason="needs nbclient: pip install '.[dev]'")

NOTEBOOK = REPO / "notebooks" / "quickstart.ipynb"


@pytest.fixture(scope="module")
def committed():
    return nbformat.read(NOTEBOOK, as_version=4)


def words_of_html(html):
    return Page(re.sub(r"<style.*?</style>", "", html, flags=re.DOTALL)).text


def shown(cell):
    """The outputs of a cell as texts: what it printed, its result, and the words of its HTML."""
    texts = {}
    for output in cell.get("outputs", ()):
        if output.output_type == "stream":
            texts[output.name] = texts.get(output.name, "") + output.text
            continue
        for kind, data in output.data.items():
            texts[kind] = words_of_html(data) if kind == "text/html" else data
    return texts


@pytest.mark.slow
def test_it_runs_and_prints_what_it_shows(committed, tmp_path, monkeypatch):
    pytest.importorskip("ipykernel", reason="needs ipykernel: pip install '.[dev]'")
    from notebooks.execute import executed

    monkeypatch.setenv("PYTHONPATH", str(REPO))
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", "--driver-memory 1g pyspark-shell")
    began = time.monotonic()
    found = executed(NOTEBOOK, tmp_path)
    assert time.monotonic() - began < 600  # about a minute on a machine that does nothing else
    assert [cell.source for cell in found.cells] == [cell.source for cell in committed.cells]
    for cell, before in zip(found.cells, committed.cells, strict=True):
        new, old = shown(cell), shown(before)
        assert new.keys() == old.keys(), cell.source
        for kind, text in new.items():
            assert words_of(text) == words_of(old[kind]), f"{cell.source}\n{kind}:\n{text}"


def test_its_sheet_of_parameters_is_of_today(committed):
    """Without a run: a text of a parameter that changed is named by the quick tests already."""
    sampler = VideoAdaptiveKeyframesSampling(
        text="spoon", max_num_frames=4, fps=2.0, model_path="out/models", clip_model_name=MODEL
    )
    sheet = next(cell for cell in committed.cells if cell.source == "sampler")
    assert shown(sheet)["text/html"] == words_of_html(sampler._repr_html_()), "run: make notebook"


def test_it_is_committed_with_its_output(committed):
    assert NOTEBOOK.stat().st_size < 400_000
    code = [cell for cell in committed.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert sum("text/html" in shown(cell) for cell in code) >= 6
    assert "stderr" not in {kind for cell in code for kind in shown(cell)}


def test_it_has_nothing_of_the_machine_that_ran_it(committed):
    assert set(committed.metadata) == {"kernelspec", "language_info"}
    assert all(not cell.metadata for cell in committed.cells)
    texts = "\n".join(text for cell in committed.cells for text in shown(cell).values())
    assert not re.search(
        r"/(?:root|home|tmp|work|usr|opt/(?!las))\b|site-packages|0x[0-9a-f]{6}", texts
    )


def test_a_sentence_comes_before_each_cell(committed):
    kinds = [cell.cell_type for cell in committed.cells]
    for index, kind in enumerate(kinds):
        assert kind == "markdown" or kinds[index - 1] == "markdown"


def test_its_links_lead_somewhere(committed):
    words = "\n".join(cell.source for cell in committed.cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\(([^)#]+)", words)
    assert links
    for link in links:
        assert (NOTEBOOK.parent / link).exists(), link
