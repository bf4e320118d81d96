#!/usr/bin/env bash
# Makes the folder that the machines of a cluster are set up from. Run it on your own machine, then
# upload the folder to the cloud's storage:
#
#   examples/bundle.sh 3.5 build/keyframes s3
#
# SPARK     the cluster's version of Spark: 3.5, 4.0 or 4.3, each with the pins that it is tested with
# FOLDER    where; its subfolders models and wheels stay as they are
# EXTRA …   extras of this package, or other packages with their versions
set -euo pipefail

usage="usage: bundle.sh SPARK FOLDER [EXTRA …]"
spark=${1:?$usage}
folder=${2:?$usage}
shift 2
python=${PYTHON:-python3.11}
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
examples=$repository/examples

mkdir -p "$folder"
# First, because it refuses what it does not know.
"$python" "$examples/requirements.py" "$spark" "$folder" "$@"
rm -rf "${folder:?}"/{conf,jobs} "$folder"/*.whl
"$python" -m pip wheel --quiet --no-deps --wheel-dir "$folder" "$repository"
cp -r "$repository/jobs" "$repository/conf" "$folder"
cp "$examples"/{install.sh,kept.py,databricks/init.sh,emr/bootstrap.sh,dataproc/initialize.sh} "$folder"
echo "$folder is ready for Spark $spark: put the model into $folder/models, and upload it"
