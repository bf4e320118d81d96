#!/usr/bin/env bash
# Creates a cluster of Dataproc. Not run on Dataproc; see README.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# The settings of conf/spark-defaults.conf, as spark:NAME=VALUE. "^#^" makes "#" separate them.
properties=$(sed -nE 's/^(spark\.[^ ]+) +(.*)$/spark:\1=\2/p' ../../conf/spark-defaults.conf | paste -sd'#')
properties+="#spark:spark.pyspark.python=/opt/spark_keyframes/environment/bin/python"
properties+="#spark:spark.executor.cores=4#spark:spark.executor.memory=4g"
properties+="#spark:spark.executor.memoryOverhead=8g"

gcloud dataproc clusters create keyframes \
    --region=us-central1 \
    --image-version=2.3-debian12 \
    --num-workers=4 \
    --master-machine-type=n2-standard-8 \
    --worker-machine-type=n2-standard-8 \
    --master-boot-disk-size=200GB \
    --worker-boot-disk-size=200GB \
    --metadata=keyframes=gs://my-bucket/keyframes \
    --initialization-actions=gs://my-bucket/keyframes/initialize.sh \
    --initialization-action-timeout=30m \
    --properties="^#^$properties" \
    --max-idle=30m
