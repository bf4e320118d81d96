"""`spark-keyframes search`: the best moments of an index, on Spark."""

from spark_keyframes.cli.job import job_command

command = job_command("spark_keyframes.jobs.search", "search")
