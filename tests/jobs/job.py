"""The jobs' modules, for what needs no spark-submit."""

import importlib.util

from tests.conftest import REPO


def load_job(name):
    """jobs/<name>.py as a module."""
    spec = importlib.util.spec_from_file_location(f"{name}_job", REPO / "jobs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
