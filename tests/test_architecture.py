"""Imports run one way, and importing the package is light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "spark_keyframes"

# From the top down: a part may import what stands below it, and its own folder.
LAYERS = [
    ["ml"],
    ["jobs"],
    ["sampler"],
    ["spark"],
    ["engine"],
    ["module", "result"],
    ["account"],
    ["parameters"],
    ["video", "clip", "selection", "images"],
    ["storage"],
    ["limits", "urls"],
    ["schema", "checks"],
    ["errors"],
]
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}
MODULES = [
    path
    for path in PACKAGE.rglob("*.py")
    if path not in (PACKAGE / "__init__.py", PACKAGE / "engine" / "daemon.py")
]


def part_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_downward(path):
    own = part_of(path)
    for name in imports(path):
        if name.startswith("spark_keyframes."):
            other = name.split(".")[1]
            assert other == own or LEVEL[other] > LEVEL[own], f"{own} imports {other}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_engine_the_faces_and_the_schema_know_spark(path):
    if part_of(path) not in ("engine", "sampler", "ml", "schema"):
        assert not [name for name in imports(path) if name.split(".")[0] == "pyspark"]


def test_importing_the_package_imports_nothing_heavy():
    heavy = "torch", "transformers", "pyspark", "pandas", "pyarrow", "tos", "PIL"
    code = f"import sys, spark_keyframes; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
