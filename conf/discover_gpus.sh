#!/usr/bin/env bash
# Tells Spark which GPUs this machine has, as JSON: {"name": "gpu", "addresses": ["0", "1"]}.
# See spark.executor.resource.gpu.discoveryScript in spark-defaults.conf.
set -euo pipefail

if ! indices=$(nvidia-smi --query-gpu=index --format=csv,noheader); then
    echo "discover_gpus.sh: nvidia-smi found no GPU: is the driver installed?" >&2
    exit 1
fi
addresses=$(sed 's/.*/"&"/' <<< "$indices" | paste -sd, -)
echo "{\"name\": \"gpu\", \"addresses\": [$addresses]}"
