#!/usr/bin/env bash
# Cluster-scoped init script of Databricks. Not run on Databricks; see README.md.
#
# It lies in the volume, beside what examples/bundle.sh made: only from there may it read the volume.
set -euo pipefail

bundle=${KEYFRAMES_BUNDLE:-/Volumes/main/keyframes/bundle}
home=${KEYFRAMES_HOME:-/opt/spark_keyframes}

# A copy on the local disk: workers map the model's file, which a volume may not allow.
mkdir -p "$home"
cp -r "$bundle/." "$home"
bash "$home/install.sh" "${KEYFRAMES_PYTHON:-/databricks/python/bin/python}"
