"""The folder of temporary files: whether it can be written, and how much is free."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from spark_keyframes.doctor.finding import Finding, bad, good, note
from spark_keyframes.doctor.options import Options
from spark_keyframes.doctor.system import gigabytes
from spark_keyframes.redaction import redact_url

_NAME = "temporary files"
_WRITTEN = 4 << 20  # bytes
_LITTLE = 10e9  # bytes: less than a few long videos
_MOVE = "free space there, or set TMPDIR to a folder on a larger disk"


def check(options: Options) -> Iterator[Finding]:
    """Write 4 MB, and look at the free space.

    Videos over HTTP, TOS and S3 are saved there while they are read, each of those at work.
    """
    where = "the executors' " if options.in_task else ""
    try:
        folder = tempfile.gettempdir()
    except FileNotFoundError:
        yield bad(_NAME, "none of the usual folders can be written", f"set {where}TMPDIR to one")
        return
    given = os.environ.get("TMPDIR", "")
    if given and os.path.realpath(given) != os.path.realpath(folder):
        yield note(
            _NAME,
            f"TMPDIR is {redact_url(given)}, which cannot be used; {folder} is",
            "create it, or give the right to write there",
        )
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_WRITTEN))
            file.flush()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        yield bad(_NAME, f"{folder} does not take 4 MB: {error.strerror}", _MOVE)
        return
    text = f"{folder} has {gigabytes(free)} free"
    if _is_memory(folder):
        text += ", in memory (tmpfs)"
    if free < _LITTLE:
        yield note(
            _NAME,
            f"{text}; each video at work over http(s), TOS or S3 is kept there",
            _MOVE,
        )
    else:
        yield good(_NAME, f"{text}; videos over http(s), TOS and S3 are kept there while read")


def _is_memory(folder: str) -> bool:
    """Return whether the folder is in a file system of memory, by Linux's list of mounts."""
    kinds = {}
    try:
        lines = Path("/proc/mounts").read_text().splitlines()
    except OSError:
        return False
    for line in lines:
        _, place, kind, *_ = line.split(" ")
        kinds[place] = kind
    path = Path(os.path.realpath(folder))
    mounts = [str(each) for each in (path, *path.parents) if str(each) in kinds]
    return bool(mounts) and kinds[mounts[0]] == "tmpfs"
