"""`spark-keyframes transform`: keyframes of many videos, as a table, on Spark."""

from spark_keyframes.cli.job import job_command

command = job_command("spark_keyframes.jobs.sample", "transform")
