"""`spark-keyframes index`: an index of many videos, on Spark."""

from spark_keyframes.cli.job import job_command

command = job_command("spark_keyframes.jobs.index", "index")
