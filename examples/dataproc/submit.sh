#!/usr/bin/env bash
# Samples videos on the cluster of create_cluster.sh. Not run on Dataproc; see README.md.
set -euo pipefail

gcloud dataproc jobs submit pyspark gs://my-bucket/keyframes/jobs/sample.py \
    --cluster=keyframes \
    --region=us-central1 \
    -- \
    --input gs://my-bucket/videos/ --text "a red car seen from above" --max-num-frames 8 \
    --model-path /opt/spark_keyframes/models \
    --output-tos-dir gs://my-bucket/images --output gs://my-bucket/tables/cars \
    --max-failures 5%
