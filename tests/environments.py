"""Environments of Python that lack some of the packages of this one."""

import shutil
import sysconfig
import venv
from pathlib import Path

from tests.conftest import REPO


def environment_without(folder, *packages):
    """Make a virtual environment of links to all installed packages but these; return its Python.

    The package of this repository is in it. It takes no second and no room.
    """
    venv.create(folder, symlinks=True)
    site_packages = next(Path(folder).glob("lib/python*/site-packages"))
    left_out = (*packages, "spark_keyframes", "__editable__", "distutils-precedence", "_virtualenv")
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.lower().startswith(left_out):
            (site_packages / path.name).symlink_to(path)
    (site_packages / "spark_keyframes").symlink_to(REPO / "spark_keyframes")
    return shutil.which("python", path=Path(folder) / "bin")
