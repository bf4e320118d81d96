"""Imports run one way, few files know Spark, and importing the package is light.

The rooms and their order are in pyproject.toml, where `make lint` reads them too.
"""

import ast
import subprocess
import sys
import tomllib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

REPO = Path(__file__).parent.parent
PACKAGE = REPO / "spark_keyframes"
OUTSIDE = {"jobs", "benchmarks", "tests"}
KNOWS_SPARK = {"jobs", "spark", "ml", "schema"}
TALKS_TO_SPARK = {"spark_keyframes.doctor.session"}
"""Files of other rooms that import pyspark; the contract's other exceptions do for types only."""
CONTRACTS = {
    contract["id"]: contract
    for contract in tomllib.loads((REPO / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
}
ROOMS = {
    room.strip(): level
    for level, row in enumerate(CONTRACTS["rooms"]["layers"])
    for room in row.split("|")
}
"""Each room and its level: a room imports only from rooms of higher levels, or from itself."""


def ignored(contract):
    """The imports that a contract allows by way of exception, as pairs of modules."""
    return {tuple(line.split(" -> ")) for line in CONTRACTS[contract].get("ignore_imports", [])}


class Import(NamedTuple):
    """One import statement's target, with the file's module that has it."""

    importer: str
    imported: str
    for_types: bool


def module_of(path):
    parts = path.relative_to(REPO).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module):
    """The part of the package that a module is in; the package itself is in none."""
    return module.split(".")[1] if "." in module else None


FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = {module_of(path): path for path in FILES}


def imports_of(path):
    tree = ast.parse(path.read_text())
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            below = [f"{node.module}.{alias.name}" for alias in node.names]
            names = {name if name in MODULES else node.module for name in below}
        for name in names:
            yield Import(module_of(path), name, id(node) in for_types)


IMPORTS = {path: list(imports_of(path)) for path in FILES}


def names(paths):
    return {"argvalues": paths, "ids": [str(path.relative_to(PACKAGE)) for path in paths]}


def test_every_room_has_its_place():
    assert {room_of(module) for module in MODULES} == {*ROOMS, None}


@pytest.mark.parametrize("path", **names(FILES))
def test_imports_run_downward(path):
    for found in IMPORTS[path]:
        own, other = room_of(found.importer), room_of(found.imported)
        assert found.imported.split(".")[0] not in OUTSIDE, f"{own} imports {found.imported}"
        if not found.imported.startswith("spark_keyframes") or own in (None, other):
            continue
        if (found.importer, found.imported) not in ignored("rooms"):
            assert other is not None, f"{own} imports the package itself"
            assert ROOMS[other] > ROOMS[own], f"{own} imports {found.imported}"


@pytest.mark.parametrize("package", [module_of(p) for p in FILES if p.name == "__init__.py"])
def test_no_imports_in_circles(package):
    """Among the files and folders of a folder; `__init__.py` is for those outside it."""
    depth = len(package.split("."))
    graph = {}
    for found in [found for imports in IMPORTS.values() for found in imports]:
        if (found.importer, found.imported) in ignored("circles"):
            continue
        ends = found.importer, found.imported
        if found.importer.startswith(f"{package}."):
            assert found.imported != package, f"{found.importer} imports its own {package}"
        if all(end.startswith(f"{package}.") for end in ends):
            importer, imported = (end.split(".")[depth] for end in ends)
            if importer != imported:
                graph.setdefault(importer, set()).add(imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"{package}: " + " is imported by ".join(error.args[1]))


@pytest.mark.parametrize(
    "path", **names([path for path in FILES if room_of(module_of(path)) not in KNOWS_SPARK])
)
def test_only_what_runs_on_spark_knows_spark(path):
    known = [found for found in IMPORTS[path] if found.imported.split(".")[0] == "pyspark"]
    if module_of(path) in TALKS_TO_SPARK:
        return
    if (module_of(path), "pyspark") in ignored("spark"):
        known = [found for found in known if not found.for_types]
    assert not known


def test_one_room_each_knows_daft_and_ray():
    rooms = {name: set() for name in ("daft", "ray")}
    for found in [found for imports in IMPORTS.values() for found in imports]:
        if (package := found.imported.split(".")[0]) in rooms:
            rooms[package].add(room_of(found.importer))
    assert rooms == {"daft": {"daft"}, "ray": {"actors"}}


def test_the_engine_stays_small():
    lines = sum(len(path.read_text().splitlines()) for path in (PACKAGE / "engine").rglob("*.py"))
    assert lines <= 1500


@pytest.mark.parametrize("path", **names(FILES))
def test_no_file_is_long(path):
    assert len(path.read_text().splitlines()) <= 350


def test_importing_the_package_imports_nothing_heavy():
    heavy = ["torch", "transformers", "pyspark", "pandas", "pyarrow", "tos", "PIL", "av", "daft"]
    heavy += ["requests", "spark_keyframes.spark", "spark_keyframes.video.process"]
    code = f"import sys, spark_keyframes; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
