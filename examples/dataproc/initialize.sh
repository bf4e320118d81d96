#!/usr/bin/env bash
# Initialization action of Dataproc. Not run on Dataproc; see README.md.
#
# The cluster's metadata says where the folder of examples/bundle.sh was uploaded:
#   --metadata=keyframes=gs://my-bucket/keyframes
set -euo pipefail

metadata=${KEYFRAMES_METADATA:-/usr/share/google/get_metadata_value}
home=${KEYFRAMES_HOME:-/opt/spark_keyframes}

bundle=$("$metadata" attributes/keyframes) || {
    echo "initialize.sh: give --metadata=keyframes=gs://BUCKET/FOLDER to the cluster" >&2
    exit 1
}
mkdir -p "$home"
gcloud storage rsync --recursive "$bundle" "$home"
# The Python of the image, of Conda.
"${KEYFRAMES_PYTHON:-/opt/conda/default/bin/python}" -m venv "$home/environment"
bash "$home/install.sh" "$home/environment/bin/python"
