"""A program that samples videos in several ways; test_same_results.py compares the tables.

    python sampling_program.py '{"master": "local[2]", "ways": ["transform"], "conf": {}, …}'

Each way writes the table `<folder>/<way>` with id, video and keyframes. `transform` and the streams
add error, account and curve.
"""

import json
import sys
from dataclasses import replace

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as sf

from spark_keyframes import KeyframesError, VideoAdaptiveKeyframesSampling, metrics
from spark_keyframes.arrow.result_rows import keyframes_cell
from spark_keyframes.schema import KEYFRAMES_DDL
from spark_keyframes.spark.versions import streamed_metrics

SCHEMA = f"id int, video string, keyframes struct<{KEYFRAMES_DDL}>"
COUNTED = {"error_col": "error", "account_col": "account"}
COLUMNS = {**COUNTED, "curve_col": "curve"}


def transform(spark, sampler, videos, folder):
    """With a column whose name Spark would parse."""
    videos = videos.withColumn("video.`id", sf.col("id"))
    return sampler.transform(videos, **COLUMNS)


def udf(spark, sampler, videos, folder):
    return videos.withColumn("keyframes", sampler.udf()("video"))


def sql(spark, sampler, videos, folder):
    spark.udf.register("keyframes", sampler.udf())
    videos.createOrReplaceTempView("videos")
    return spark.sql("SELECT *, keyframes(video) AS keyframes FROM videos")


def map_in_pandas(spark, sampler, videos, folder):
    options = {"schema": videos.schema, **COLUMNS}
    return videos.mapInPandas(
        sampler.map_in_pandas(**options), sampler.result_schema(videos.schema, **COLUMNS)
    )


def pandas(spark, sampler, videos, folder):
    """The rows in pandas, sampled in this process."""
    result = sampler.transform(videos.toPandas().convert_dtypes(), **COLUMNS)
    schema = sampler.result_schema(videos.schema, **COLUMNS)
    return spark.createDataFrame(result.astype(object).where(result.notna(), None), schema)


def own_function(spark, sampler, videos, folder):
    """A function of the user that calls `sample` for each row."""

    def keyframes_of(frames):
        for frame in frames:
            frame["keyframes"] = [keyframes_or_none(sampler, video) for video in frame["video"]]
            yield frame

    return videos.mapInPandas(keyframes_of, SCHEMA)


def keyframes_or_none(sampler, video):
    if video is None:
        return None
    try:
        return keyframes_cell(sampler.sample(video))
    except KeyframesError:
        return None


def stream(spark, sampler, videos, folder):
    """A stream of a folder of tables of URLs."""
    videos.repartition(2).write.parquet(f"{folder}/urls")
    rows = spark.readStream.schema(videos.schema).parquet(f"{folder}/urls")
    return sampler.transform(rows, **COLUMNS)


def stream_files(spark, sampler, videos, folder):
    """A stream of a folder of videos. It has no missing video, and its rows have no ids."""
    (first,) = videos.where("id = 0").collect()
    schema = "path string, modificationTime timestamp, length long, content binary"
    rows = spark.readStream.format("binaryFile").schema(schema)
    rows = rows.load(first["video"].rpartition("/")[0]).select("path", "content")
    binary = replace(sampler, video_src_type="video_binary")
    result = binary.transform(rows, input_col="content", **COLUMNS)
    video = sf.regexp_replace("path", "^file:(//)?", "").alias("video")
    return result.select(
        sf.lit(None).cast("int").alias("id"), video, *("keyframes", *COLUMNS.values())
    )


WAYS = [transform, udf, sql, map_in_pandas, pandas, own_function, stream, stream_files]


def write(result, path):
    """Write a table. For a stream, return the counts that it observed."""
    if not result.isStreaming:
        result.write.parquet(path)
        return None
    query = (
        result.observe("seen", *metrics(**COUNTED))
        .writeStream.format("parquet")
        .option("checkpointLocation", f"{path}-checkpoint")
        .trigger(availableNow=True)
        .start(path)
    )
    query.awaitTermination()
    seen = [progress["observedMetrics"].get("seen") for progress in query.recentProgress]
    counts = [streamed_metrics(row) for row in seen if row is not None]
    names = ("videos", "done", "failed", "frames_scored")
    return {name: sum(row[name] or 0 for row in counts) for name in names}


def main():
    options = json.loads(sys.argv[1])
    master, folder = options["master"], options["folder"]
    builder = SparkSession.builder
    builder = builder.remote(master) if master.startswith("sc:") else builder.master(master)
    for name, value in options["conf"].items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    sampler = VideoAdaptiveKeyframesSampling(**options["parameters"])
    rows = pa.table(options["videos"])
    ways = {way.__name__: way for way in WAYS}
    for name in options["ways"]:
        videos = spark.createDataFrame(rows).select(sf.col("id").cast("int"), "video")
        path = f"{folder}/{name}"
        seen = write(ways[name](spark, sampler, videos, path), path)
        print("WROTE", json.dumps({"way": name, "seen": seen}), flush=True)
    spark.stop()


if __name__ == "__main__":
    main()
