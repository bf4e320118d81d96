"""Reads and checks the files of an open project."""

import tomllib

import check_jsonschema
import yaml
from click.testing import CliRunner

from tests.conftest import REPO

GITHUB = REPO / ".github"
PROJECT = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]


def read_yaml(path):
    """A file of YAML. Its version 1.1 reads the key `on` as true."""
    found = yaml.safe_load(path.read_text())
    return {"on" if key is True else key: value for key, value in found.items()}


def check_schema(schema, *paths):
    """What check-jsonschema says of files, by a schema that it brings."""
    assert paths
    arguments = ["--no-cache", "--builtin-schema", schema, *map(str, paths)]
    return CliRunner().invoke(check_jsonschema.main, arguments)
