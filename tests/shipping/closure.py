"""An environment with the packages that a wheel asks for, and no others."""

import re
import sysconfig
import venv
from importlib import metadata
from pathlib import Path
from zipfile import ZipFile

from packaging.requirements import Requirement


def environment_for(wheel, folder):
    """Make a virtual environment of links to what the wheel requires, from this one's packages.

    The wheel itself is not in it. It takes no second and no room.
    """
    venv.create(folder, symlinks=True, with_pip=False)
    site_packages = next(Path(folder).glob("lib/python*/site-packages"))
    here = Path(sysconfig.get_path("purelib"))
    for name in closure(requirements_of(wheel)):
        for part in {Path(file).parts[0] for file in metadata.files(name) or ()}:
            link = site_packages / part
            if part not in ("..", "__pycache__") and (here / part).exists() and not link.exists():
                link.symlink_to(here / part)
    return folder


def requirements_of(wheel):
    (about,) = [name for name in ZipFile(wheel).namelist() if name.endswith("/METADATA")]
    text = ZipFile(wheel).read(about).decode()
    return re.findall(r"^Requires-Dist: (.*)$", text, flags=re.MULTILINE)


def closure(requirements):
    """The names of all packages that requirements ask for, without extras."""
    found, waiting = set(), list(requirements)
    while waiting:
        requirement = Requirement(waiting.pop())
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        extras = ["", *requirement.extras]
        wanted = requirement.marker is None or any(
            requirement.marker.evaluate({"extra": extra}) for extra in extras
        )
        if not wanted or name in found:
            continue
        try:
            waiting += metadata.requires(name) or []
        except metadata.PackageNotFoundError:  # for another system, or another version of Python
            continue
        found.add(name)
    return found
