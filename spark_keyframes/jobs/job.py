"""A job: its options, its run, and its command line."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from spark_keyframes.command import exit_code
from spark_keyframes.jobs.command_line import parse
from spark_keyframes.jobs.options import JobOptions
from spark_keyframes.jobs.session import run_job

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_Options = TypeVar("_Options", bound=JobOptions)


@dataclass(frozen=True, kw_only=True)
class Job(Generic[_Options]):
    """A job that runs by a script under spark-submit, or by a subcommand of `spark-keyframes`."""

    name: str
    """of the subcommand"""
    script: str
    """in jobs/"""
    options: type[_Options]
    run: "Callable[[SparkSession, _Options], int]"
    """returns the exit code"""
    description: str
    examples: tuple[str, ...]
    """without the program's name"""
    common: tuple[str, ...]
    """fields whose options are in the short help"""

    def main(self, arguments: Sequence[str] | None = None) -> int:
        """Run the job with the options of the command line, and return its exit code."""
        options = self.parse_options(arguments)
        return exit_code(lambda: self.run_as(self.script, options), lambda: self.script)

    def run_as(self, program: str, options: _Options) -> int:
        """Run the job, and return its exit code; messages begin with the program's name."""
        root = logging.getLogger()
        root.addFilter(_is_not_of_py4j)
        try:
            return run_job(program, self.run, options)
        finally:
            root.removeFilter(_is_not_of_py4j)

    def parse_options(self, arguments: Sequence[str] | None = None) -> _Options:
        """Return the options given on the command line; exit with 2 where they are wrong."""
        return parse(
            self.options,
            arguments,
            program=self.script,
            description=self.description,
            examples=self.examples,
            called_as=f"spark-submit jobs/{self.script}",
            common=self.common,
        )


def _is_not_of_py4j(record: logging.LogRecord) -> bool:
    """Return False for the pages that py4j logs where Ctrl-C interrupts it; it raises them too."""
    return "py4j" not in record.pathname
