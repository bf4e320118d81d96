"""The first commands of docs/tos.md and docs/s3.md, run as printed on servers on loopback."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPO
from tests.storage.s3_server import S3Server
from tests.storage.tos_server import TosServer

BLOCK = re.compile(r"^```(sh)?\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def reader(cooking, tmp_path_factory):
    """A folder as `make sample` leaves it, in which the jobs are where the clone has them."""
    folder = tmp_path_factory.mktemp("reader")
    shutil.copytree(cooking, folder / "out")
    for name in ("jobs", "conf"):
        (folder / name).symlink_to(REPO / name)
    return folder


def run_first_command(page, reader, environment):
    """Run a page's first job; return what it printed, and the blocks that the page shows next."""
    shutil.rmtree(reader / "out" / "spoons", ignore_errors=True)
    blocks = [found.groups() for found in BLOCK.finditer((REPO / "docs" / page).read_text())]
    place = next(i for i, (kind, text) in enumerate(blocks) if kind and "jobs/sample.py" in text)
    command = re.sub(r"^export .*\n", "", blocks[place][1])
    here = Path(sys.executable).parent
    ran = subprocess.run(
        ["bash", "-ec", command],
        cwd=reader,
        env={
            **os.environ,
            **environment,
            "PATH": f"{here}:{os.environ['PATH']}",
            "PYTHONPATH": str(REPO),
            "PYSPARK_PYTHON": sys.executable,
            "SPARK_LOCAL_IP": "127.0.0.1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout, *(text for _, text in blocks[place + 1 : place + 3])


def check_end(printed, shown):
    """The page shows the last lines. Their seconds differ from run to run."""
    steady = [re.sub(r"[\d.]+/s", "N/s", line) for line in shown.splitlines()]
    found = [re.sub(r"[\d.]+/s", "N/s", line) for line in printed.rstrip().splitlines()]
    found = found[-len(steady) :]
    for line, page in zip(found, steady, strict=True):
        if page.startswith("seconds "):
            assert line.startswith("seconds ")
        else:
            assert line == page


@pytest.mark.slow
def test_the_first_run_on_tos(reader):
    with TosServer(buckets=["my-bucket"]) as server:
        video = (reader / "out" / "cooking.mp4").read_bytes()
        server.objects["my-bucket", "videos/cooking.mp4"] = video
        printed, shown, listed = run_first_command("tos.md", reader, server.environment)
        stored = sorted(key for _, key in server.objects if key.startswith("keyframes/"))
    check_end(printed, shown)
    assert stored == listed.split()


@pytest.mark.slow
def test_the_first_run_on_s3(reader):
    pytest.importorskip("moto")
    pytest.importorskip("boto3")
    with S3Server() as server:
        server.client.create_bucket(Bucket="my-bucket")
        video = (reader / "out" / "cooking.mp4").read_bytes()
        server.client.put_object(Bucket="my-bucket", Key="videos/cooking.mp4", Body=video)
        printed, shown, *_ = run_first_command("s3.md", reader, server.environment)
    check_end(printed, shown)
