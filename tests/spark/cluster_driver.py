"""The program of a Driver: it runs the commands on its stdin, each one a line of JSON.

    {"command": "sample", "parameters": {…}, "videos": ["…"], "tasks": 20, "table": "…"}
        Write the keyframes of videos as a table. The answer is {"done": 200}, counted by an
        observation, or {"failed": "…"}. "cpus" and "gpus" are those of `transform`. With "folder"
        instead of "videos" and "tasks", read_videos reads the folder.
    {"command": "inspect", "tasks": 8, "cpus": 2, "gpus": 1}
        Report the resources of each task. The answer is
        {"tasks": [{"executor": 7, "cpus": 2, "threads": 2, "gpus": ["0"]}, …]} or {"failed": "…"}.
    {"command": "kill_tasks"}
        Kill all running task attempts, as in Spark's UI. The answer is {"killed": 2}.
    {"command": "cancel"}
        Cancel all jobs.

It ends when its stdin is closed.
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
from spark_keyframes.spark.resources import task_resources
from spark_keyframes.spark.spark_task import assigned_gpus


def answer(**values):
    print("ANSWER", json.dumps(values), flush=True)


def sample(spark, parameters, table, videos=None, tasks=None, folder=None, cpus=None, gpus=None):
    try:
        if folder:
            frame = read_videos(spark, folder, cpus=cpus)
        else:
            # From a Python list, Spark would make the rows in workers of a second daemon.
            frame = spark.createDataFrame(pa.table({"video": videos})).repartition(tasks, "video")
        sampler = VideoAdaptiveKeyframesSampling(**parameters)
        result = sampler.transform(frame, error_col="error", cpus=cpus, gpus=gpus)
        seen = Observation()
        result = result.observe(seen, sf.count("keyframes").alias("done"))
        result.write.parquet(table)
        answer(**seen.get)
    except Exception as error:  # noqa: BLE001 - the test checks the answer
        answer(failed=f"{type(error).__name__}: {error}")


def inspect(spark, tasks, cpus=None, gpus=None):
    try:
        # Two profiles in one stage, as with two calls of transform.
        first, profile = (task_resources(spark, cpus=cpus, gpus=gpus).profile for _ in range(2))
        schema = "executor long, cpus long, threads long, gpus array<string>"
        frame = spark.range(tasks, numPartitions=tasks)
        frame = frame.mapInArrow(pass_on, "id long", profile=first)
        rows = frame.mapInArrow(resources_of_this_task, schema, profile=profile).collect()
        answer(tasks=[row.asDict() for row in rows])
    except Exception as error:  # noqa: BLE001 - the test checks the answer
        answer(failed=f"{type(error).__name__}: {error}")


def pass_on(batches):
    yield from batches


def resources_of_this_task(batches):
    import torch

    for _ in batches:
        pass
    gpus = assigned_gpus()
    resolve_device(rank=0, assigned=gpus)
    # The parent is the Python daemon; an executor has one.
    found = {"executor": os.getppid(), "cpus": task_cpus(), "threads": torch.get_num_threads()}
    yield pa.RecordBatch.from_pylist([{**found, "gpus": gpus}])


def kill_tasks(spark):
    context = spark.sparkContext._jsc.sc()
    # Attempts are numbered from 0. killTaskAttempt is false for one that does not run.
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
        elif command == "inspect":
            inspect(spark, **arguments)
        elif command == "kill_tasks":
            kill_tasks(spark)
        elif command == "cancel":
            spark.sparkContext.cancelAllJobs()
    spark.stop()


if __name__ == "__main__":
    main()
