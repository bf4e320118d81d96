"""Every public name has its place in the reference, and every page in the order of pages."""

import re

import pytest

import spark_keyframes
from spark_keyframes import report
from tests.conftest import REPO

REFERENCE = REPO / "docs" / "reference"


def names_of(pages):
    found = [re.findall(r"^::: (\S+)$", page.read_text(), flags=re.MULTILINE) for page in pages]
    return [name for names in found for name in names]


def test_every_public_name_has_one_place():
    shown = names_of(REFERENCE.glob("*.md"))
    assert sorted(shown) == sorted(set(shown))
    package = {f"spark_keyframes.{name}" for name in spark_keyframes.__all__}
    assert package - set(shown) == set()
    assert set(shown) - package == {
        "spark_keyframes.daft.las_udf",
        "spark_keyframes.errors",
        "spark_keyframes.ml.KeyframeSampler",
        *(f"spark_keyframes.report.{name}" for name in report.__all__),
    }


@pytest.mark.slow
def test_every_public_method_of_the_sampler_is_shown(site):
    page = (site / "reference" / "sampling.html").read_text()
    shown = set(re.findall(r'id="spark_keyframes\.VideoAdaptiveKeyframesSampling\.(\w+)"', page))
    assert shown >= {
        *("transform", "sample", "udf", "map_in_pandas", "result_schema"),
        *("index", "transform_index", "search"),
    }
    assert "documented(" not in page


@pytest.mark.slow
def test_types_are_links(site):
    page = (site / "reference" / "sampling.html").read_text()
    assert re.search(r'href="own\.html#spark_keyframes\.Selector"', page)
