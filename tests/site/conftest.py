"""The site of `make docs`, built once."""

import os
import subprocess
import sys

import pytest

from tests.conftest import REPO


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of the site. Any warning of mkdocs fails it, as in `make docs`."""
    folder = tmp_path_factory.mktemp("site").resolve()
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(folder)],
        cwd=REPO,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr + done.stdout == ""
    return folder
