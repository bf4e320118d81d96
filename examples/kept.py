"""Prints the pins for this machine: those of constraints.txt, but for what it already has.

Usage: kept.py FOLDER, run by install.sh with the cluster's Python. A package that the runtime
brings stays in its version, if that fulfils requirements.txt: replacing it could break the
runtime's own libraries, and torch alone takes gigabytes.
"""

import sys
from importlib import metadata
from pathlib import Path

from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import canonicalize_name


def pins(folder: Path) -> list[str]:
    """Return the pins of packages that are missing here, or too old."""
    lines = (folder / "requirements.txt").read_text().splitlines()
    needed = {
        canonicalize_name(need.name): need.specifier
        for need in map(Requirement, filter(None, lines))
    }
    return [
        pin
        for pin in (folder / "constraints.txt").read_text().splitlines()
        if not _stays(pin.partition("==")[0], needed)
    ]


def _stays(name: str, needed: dict[str, object]) -> bool:
    try:
        installed = metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    asked = needed.get(canonicalize_name(name))
    return asked is None or asked.contains(installed, prereleases=True)


if __name__ == "__main__":
    print("\n".join(pins(Path(sys.argv[1]))))
