"""The driver's program of a Cluster: it takes commands from stdin, a line of JSON each.

    {"command": "sample", "parameters": {…}, "videos": ["…"], "tasks": 20, "table": "…"}
        Write the keyframes of videos as a table. Answers {"done": 200}, as an
        observation counts them, or {"failed": "…"}.
    {"command": "kill_tasks"}
        Kill every attempt that runs now, as Spark's UI does. Answers {"killed": 2}.
    {"command": "cancel"}
        Cancel all jobs.

It ends with its stdin.
"""

import json
import sys
import threading

import pyarrow as pa
from pyspark.sql import Observation, SparkSession
from pyspark.sql import functions as sf

from spark_keyframes import VideoAdaptiveKeyframesSampling


def answer(**values):
    print("ANSWER", json.dumps(values), flush=True)


def sample(spark, parameters, videos, tasks, table):
    try:
        # Of a list of Python's, Spark would make rows in Python workers of a second daemon.
        frame = spark.createDataFrame(pa.table({"video": videos})).repartition(tasks, "video")
        result = VideoAdaptiveKeyframesSampling(**parameters).transform(frame, error_col="error")
        seen = Observation()
        result = result.observe(seen, sf.count("keyframes").alias("done"))
        result.write.parquet(table)
        answer(**seen.get)
    except Exception as error:  # noqa: BLE001 - whatever it is, the test wants to know
        answer(failed=f"{type(error).__name__}: {error}")


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
        elif command == "kill_tasks":
            kill_tasks(spark)
        elif command == "cancel":
            spark.sparkContext.cancelAllJobs()
    spark.stop()


if __name__ == "__main__":
    main()
