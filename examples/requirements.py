"""Writes requirements.txt and constraints.txt for a version of Spark; bundle.sh calls it.

Usage: requirements.py SPARK FOLDER [EXTRA …]

They leave out pyspark: the cluster has its own, and a second one may hide it.
"""

import sys
import tomllib
from pathlib import Path

REPO = Path(__file__).parent.parent


def requirements(extras: list[str]) -> list[str]:
    """Return what the package needs, with these extras of it, and other packages (x==1.0)."""
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    known = project["optional-dependencies"]
    needed = [*project["dependencies"]]
    for extra in extras:
        if extra not in known and "==" not in extra:
            sys.exit(f"no extra {extra!r} in pyproject.toml; a package needs its version, x==1.0")
        needed += known.get(extra, [extra])
    return sorted(line for line in needed if not line.startswith("pyspark"))


def constraints(spark: str) -> list[str]:
    """Return the pins of constraints.txt, with those that this version of Spark has of its own."""
    pins = _pins(REPO / "constraints.txt")
    tested: dict[str, dict[str, str]] = {pins["pyspark"].rpartition(".")[0]: {}}
    for path in (REPO / "tests" / "matrix").glob("spark-*.txt"):
        tested[path.stem.removeprefix("spark-")] = _pins(path)
    if spark not in tested:
        sys.exit(f"no pins for Spark {spark!r}; tested are {', '.join(sorted(tested))}")
    merged = pins | tested[spark]
    return [f"{name}=={version}" for name, version in merged.items() if name != "pyspark"]


def _pins(path: Path) -> dict[str, str]:
    return dict(line.split("==") for line in path.read_text().splitlines() if "==" in line)


def main(spark: str, folder: str, *extras: str) -> None:
    """Write both files into the folder."""
    files = {"requirements.txt": requirements([*extras]), "constraints.txt": constraints(spark)}
    for name, lines in files.items():
        Path(folder, name).write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
