#!/usr/bin/env bash
# Samples videos on Dataproc Serverless, in the image of Dockerfile. Not run there; see README.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# The settings of conf/spark-defaults.conf, as NAME=VALUE. "^#^" makes "#" separate them.
properties=$(sed -nE 's/^(spark\.[^ ]+) +(.*)$/\1=\2/p' ../../conf/spark-defaults.conf | paste -sd'#')
properties+="#spark.executor.cores=4#spark.executor.memory=4g#spark.executor.memoryOverhead=8g"

gcloud dataproc batches submit pyspark gs://my-bucket/keyframes/jobs/sample.py \
    --region=us-central1 \
    --version=2.3 \
    --container-image=us-central1-docker.pkg.dev/my-project/my-repository/spark_keyframes:0.1.0 \
    --deps-bucket=gs://my-bucket \
    --properties="^#^$properties" \
    -- \
    --input gs://my-bucket/videos/ --text "a red car seen from above" --max-num-frames 8 \
    --model-path /opt/spark_keyframes/models \
    --output-tos-dir gs://my-bucket/images --output gs://my-bucket/tables/cars \
    --max-failures 5%
