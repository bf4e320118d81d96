"""Runs one of the jobs as a Python task of Databricks: `run_job.py sample --input …`.

A task of Databricks must not leave by sys.exit, which counts as a failure even with 0.
"""

import importlib
import sys


def main(name: str, *arguments: str) -> None:
    """Run `spark_keyframes.jobs.NAME`, and raise an exception where it fails."""
    status = importlib.import_module(f"spark_keyframes.jobs.{name}").main(arguments)
    if status:
        raise RuntimeError(f"the job {name} failed with exit code {status}; its output says why")


if __name__ == "__main__":
    main(*sys.argv[1:])
