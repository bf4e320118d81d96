"""The job accepts the options in the commands of the pages about clusters and storages."""

import re
import shlex

import pytest

from spark_keyframes.jobs.sample import parse_options
from tests.conftest import REPO

JOB = "jobs/sample.py"
PAGES = ("shipping", "gpu-cluster", "kubernetes", "tos", "s3")
TEXT = "".join((REPO / "docs" / f"{page}.md").read_text() for page in PAGES)


def commands():
    for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if JOB in line:
                yield shlex.split(line)


@pytest.mark.parametrize("words", list(commands()))
def test_the_job_takes_the_options(words):
    (place,) = [number for number, word in enumerate(words) if word.endswith(JOB)]
    options = parse_options(words[place + 1 :])
    assert options.input
    assert options.sampler.model_path


def test_there_is_one_for_each_kind_of_cluster():
    masters = {
        words[words.index("--master") + 1].partition(":")[0]
        for words in commands()
        if "--master" in words
    }
    assert masters == {"spark", "yarn", "k8s"}
