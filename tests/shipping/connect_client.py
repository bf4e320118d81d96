"""A Spark Connect client as a user writes it: adds artifacts, samples, and prints JSON.

connect_client.py '{"remote": "sc://…", "zip": "….zip", "archives": ["….tar.gz#name"],
    "python": "name/bin/python", "parameters": {…}, "videos": ["…"]}'
"""

import json
import sys

from pyspark.sql import SparkSession

from spark_keyframes import VideoAdaptiveKeyframesSampling


def main():
    given = json.loads(sys.argv[1])
    spark = SparkSession.builder.remote(given["remote"]).getOrCreate()
    if "zip" in given:
        spark.addArtifacts(given["zip"], pyfile=True)
    if "archives" in given:
        spark.addArtifacts(*given["archives"], archive=True)
    if "python" in given:
        spark.conf.set("spark.sql.execution.pyspark.python", given["python"])
    videos = spark.createDataFrame([(video,) for video in given["videos"]], "video string")
    sampler = VideoAdaptiveKeyframesSampling(**given["parameters"])
    rows = sampler.transform(videos, on_error="raise").collect()
    print("ROWS", json.dumps([row.asDict(recursive=True) for row in rows]))
    spark.stop()


if __name__ == "__main__":
    main()
