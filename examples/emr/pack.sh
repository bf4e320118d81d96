#!/usr/bin/env bash
# Packs the environment and the models for EMR Serverless, from the folder of examples/bundle.sh:
#
#   examples/emr/pack.sh build/keyframes
#
# Run it on Amazon Linux 2023 with python3.11: the archive holds links to that Python, not the Python.
set -euo pipefail

bundle=${1:?usage: pack.sh FOLDER}
python=${PYTHON:-python3.11}
environment=$(mktemp -d)/environment
trap 'rm -rf "$(dirname "$environment")"' EXIT

"$python" -m venv "$environment"
bash "$bundle/install.sh" "$environment/bin/python"
"$environment/bin/python" -m pip install --quiet venv-pack
"$environment/bin/venv-pack" --force --prefix "$environment" --output "$bundle/environment.tar.gz"
tar -czf "$bundle/models.tar.gz" -C "$bundle/models" .
