"""`spark-keyframes ingest`: keyframes of the videos that are new, each once, on Spark."""

from spark_keyframes.cli.job import job_command

command = job_command("spark_keyframes.jobs.ingest", "ingest")
