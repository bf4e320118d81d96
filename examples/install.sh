#!/usr/bin/env bash
# Installs spark_keyframes and what it needs into a Python environment, from the folder that
# bundle.sh made and in which this script lies. The set-up scripts of all three clouds call it.
#
#   bash install.sh PYTHON
#
# Doing it again does no harm. Where the folder has a subfolder wheels, no network is needed.
set -euo pipefail

python=${1:?usage: install.sh PYTHON}
folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "install.sh: needs Python 3.11 or newer, $python is not" >&2
    exit 1
}
offline=()
if [[ -d $folder/wheels ]]; then
    offline=(--no-index --find-links "$folder/wheels")
fi
pip=("$python" -m pip install --disable-pip-version-check --no-cache-dir "${offline[@]}")
# What the runtime brings stays, if it is new enough.
pins=$(mktemp)
trap 'rm -f "$pins"' EXIT
"$python" "$folder/kept.py" "$folder" > "$pins"
"${pip[@]}" --requirement "$folder/requirements.txt" --constraint "$pins"
# --no-deps: otherwise pip would bring a second pyspark. --force-reinstall: a new build of the
# package may have the same version.
"${pip[@]}" --no-deps --force-reinstall "$folder"/spark_keyframes-*.whl

# Storage keeps no file modes, and Spark runs this one.
chmod 755 "$folder/conf/discover_gpus.sh"
"$python" -c 'import av, torch, transformers, spark_keyframes
print("spark_keyframes", spark_keyframes.__version__, "with torch", torch.__version__)'
