#!/usr/bin/env bash
# Bootstrap action of Amazon EMR. Not run on EMR; see README.md.
#
#   bootstrap.sh s3://my-bucket/keyframes     where the folder of examples/bundle.sh was uploaded
set -euo pipefail

bundle=${1:?usage: bootstrap.sh s3://BUCKET/FOLDER}
home=${KEYFRAMES_HOME:-/opt/spark_keyframes}

sudo mkdir -p "$home"
sudo chown "$(id -u)" "$home"
aws s3 sync --only-show-errors "$bundle" "$home"
command -v python3.11 > /dev/null || sudo dnf install --assumeyes python3.11
python3.11 -m venv "$home/environment"
bash "$home/install.sh" "$home/environment/bin/python"
