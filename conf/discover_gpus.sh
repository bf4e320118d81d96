#!/usr/bin/env bash
# Prints the GPUs of this machine for Spark, as JSON: {"name": "gpu", "addresses": ["0", "1"]}.
# spark.executor.resource.gpu.discoveryScript in spark-defaults.conf names this script.
set -euo pipefail

if ! indices=$(nvidia-smi --query-gpu=index --format=csv,noheader); then
    echo "discover_gpus.sh: nvidia-smi found no GPU: is the driver installed?" >&2
    exit 1
fi
addresses=$(sed 's/.*/"&"/' <<< "$indices" | paste -sd, -)
echo "{\"name\": \"gpu\", \"addresses\": [$addresses]}"
