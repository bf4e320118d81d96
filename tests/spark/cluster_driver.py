"""The driver's program of a Cluster: it takes commands from stdin, a line of JSON each.

    {"command": "sample", "parameters": {…}, "videos": ["…"], "tasks": 20, "table": "…"}
        Write the keyframes of videos as a table. Answers {"done": 200}, as an
        observation counts them, or {"failed": "…"}.
        "cpus" and "gpus" are of each task, see transform. With "folder" instead of "videos" and
        "tasks": as read_videos spreads it.
    {"command": "look", "tasks": 8, "cpus": 2, "gpus": 1}
        Answers {"tasks": [{"executor": 7, "cpus": 2, "threads": 2, "gpus": ["0"]}, …]}, what each
        of so many tasks has, or {"failed": "…"}.
    {"command": "kill_tasks"}
        Kill every attempt that runs now, as Spark's UI does. Answers {"killed": 2}.
    {"command": "cancel"}
        Cancel all jobs.

It ends with its stdin.
"""

import json
import os
import sys
import threading

import pyarrow as pa
from pyspark.sql import Observation, SparkSession
from pyspark.sql import functions as sf

from spark_keyframes import VideoAdaptiveKeyframesSampling
from spark_keyframes.engine import resolve_device, task_cpus
from spark_keyframes.jobs.inputs import read_videos
from spark_keyframes.spark.arrow_stage import assigned_gpus
from spark_keyframes.spark.resources import task_resources


def answer(**values):
    print("ANSWER", json.dumps(values), flush=True)


def sample(spark, parameters, table, videos=None, tasks=None, folder=None, cpus=None, gpus=None):
    try:
        if folder:
            frame = read_videos(spark, folder, cpus=cpus)
        else:
            # Of a list of Python's, Spark would make rows in Python workers of a second daemon.
            frame = spark.createDataFrame(pa.table({"video": videos})).repartition(tasks, "video")
        sampler = VideoAdaptiveKeyframesSampling(**parameters)
        result = sampler.transform(frame, error_col="error", cpus=cpus, gpus=gpus)
        seen = Observation()
        result = result.observe(seen, sf.count("keyframes").alias("done"))
        result.write.parquet(table)
        answer(**seen.get)
    except Exception as error:  # noqa: BLE001 - whatever it is, the test wants to know
        answer(failed=f"{type(error).__name__}: {error}")


def look(spark, tasks, cpus=None, gpus=None):
    try:
        # Twice in one stage, as two transforms in a row ask.
        first, profile = (task_resources(spark, cpus=cpus, gpus=gpus).profile for _ in range(2))
        schema = "executor long, cpus long, threads long, gpus array<string>"
        frame = spark.range(tasks, numPartitions=tasks)
        frame = frame.mapInArrow(pass_on, "id long", profile=first)
        rows = frame.mapInArrow(what_a_task_has, schema, profile=profile).collect()
        answer(tasks=[row.asDict() for row in rows])
    except Exception as error:  # noqa: BLE001 - whatever it is, the test wants to know
        answer(failed=f"{type(error).__name__}: {error}")


def pass_on(batches):
    yield from batches


def what_a_task_has(batches):
    import torch

    for _ in batches:
        pass
    gpus = assigned_gpus()
    resolve_device(rank=0, assigned=gpus)
    # Its parent is the Python daemon, of which an executor has one.
    found = {"executor": os.getppid(), "cpus": task_cpus(), "threads": torch.get_num_threads()}
    yield pa.RecordBatch.from_pylist([{**found, "gpus": gpus}])


def kill_tasks(spark):
    context = spark.sparkContext._jsc.sc()
    # Attempts are numbered from 0; of one that does not run, Spark says that it killed none.
    killed = [number for number in range(5000) if context.killTaskAttempt(number, True, "test")]
    answer(killed=len(killed))


def main():
    master, conf = sys.argv[1:]
    builder = SparkSession.builder.master(master).appName("cluster_driver")
    for name, value in json.loads(conf).items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    for line in sys.stdin:
        arguments = json.loads(line)
        command = arguments.pop("command")
        if command == "sample":
            threading.Thread(target=sample, args=(spark,), kwargs=arguments, daemon=True).start()
        elif command == "look":
            look(spark, **arguments)
        elif command == "kill_tasks":
            kill_tasks(spark)
        elif command == "cancel":
            spark.sparkContext.cancelAllJobs()
    spark.stop()


if __name__ == "__main__":
    main()
