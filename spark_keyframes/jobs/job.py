"""A job: its options, its run, and its command line."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

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
        return self.run_as(self.script, self.parse_options(arguments))

    def run_as(self, program: str, options: _Options) -> int:
        """Run the job, and return its exit code; messages begin with the program's name."""
        return run_job(program, self.run, options)

    def parse_options(self, arguments: Sequence[str] | None = None) -> _Options:
        """Return the options given on the command line; exit with 2 where they are wrong."""
        return parse(
            self.options,
            arguments,
            program=self.script,
            description=self.description,
            examples=self.examples,
            common=self.common,
        )
