"""Texts of parameters, results and accounts are the same wherever they are shown."""

import re
import subprocess
import sys
from dataclasses import fields

import pytest

from docs.texts import error_classes, meaning_of
from spark_keyframes import Access, Account, Limits, VideoAdaptiveKeyframesSampling
from spark_keyframes.fields import camel_case, doc_of, spelled
from spark_keyframes.report import ReportOptions
from tests.conftest import REPO


def test_docstrings_and_pages_have_the_texts_of_the_fields():
    command = [sys.executable, "docs/texts.py", "--check"]
    result = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{result.stdout}{result.stderr}: run make texts"


@pytest.mark.parametrize(
    "kind", [VideoAdaptiveKeyframesSampling, Limits, Access, Account, ReportOptions]
)
def test_every_field_has_a_text_of_whole_sentences(kind):
    for field in fields(kind):
        text = doc_of(field)
        assert text[:1].isupper() or text.startswith(f"{field.name}:"), field.name
        assert text.endswith("."), field.name


def test_a_text_names_parameters_in_the_reader_s_spelling():
    text = "Below `model_path`, e.g. `fps`."
    assert spelled(text, camel_case) == "Below modelPath, e.g. fps."
    assert (
        spelled(text, lambda name: f"--{name.replace('_', '-')}")
        == "Below --model-path, e.g. --fps."
    )


@pytest.mark.parametrize("kind", error_classes(), ids=lambda kind: kind.__name__)
def test_every_error_says_what_it_means_and_what_to_do(kind):
    assert meaning_of(kind).endswith(".")
    assert "remedy" in vars(kind)
    assert kind.remedy.endswith(".")
    assert all((REPO / page).is_file() for page in re.findall(r"docs/\w[\w-]*\.md", kind.remedy))
