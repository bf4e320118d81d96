"""Landing folder → keyframes: a streaming table with a row for each video."""

from pyspark import pipelines as dp
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sf

from spark_keyframes import VideoAdaptiveKeyframesSampling

spark = SparkSession.active()

sampler = VideoAdaptiveKeyframesSampling(
    text=spark.conf.get("spark.keyframes.text"),
    model_path=spark.conf.get("spark.keyframes.model_path"),
    clip_model_name=spark.conf.get("spark.keyframes.model"),
    max_num_frames=4,
    output_tos_dir=spark.conf.get("spark.keyframes.images"),
    return_keyframes=False,
)
files = (
    spark.readStream.format("binaryFile")
    .schema("path string, modificationTime timestamp, length bigint, content binary")
    .option("recursiveFileLookup", True)
    .option("maxFileAge", "36500d")  # else a file a week older than the newest is left out
    .load(spark.conf.get("spark.keyframes.landing"))
)
# Spark lists local files as URLs, and reads no column that is not selected.
videos = files.where(sf.col("path").rlike(r"(?i)\.(mp4|mov|mkv|webm)$")).select(
    sf.regexp_replace("path", "^file:/+", "/").alias("video")
)

# Not in the function below: transform() asks Spark for the schema, which is refused there.
sampled = sampler.transform(
    videos, output_col="result", timestamps_col="timestamps", error_col="error"
)


@dp.table
def keyframes() -> DataFrame:
    """Return the path of each landed video, and its keyframes or the error."""
    return sampled
