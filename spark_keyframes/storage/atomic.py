"""Files that are there whole or not at all, and leave nothing else behind."""

import errno
import os
import secrets
from pathlib import Path
from typing import BinaryIO


def write_whole(path: Path, data: bytes) -> None:
    """Put `data` where `path` says; what was there before is replaced. Raises OSError.

    On Linux the file has no name until all is written, so that a process that is killed leaves
    nothing. It has a temporary name, `.….tmp`, which a killed process leaves behind: for an instant
    where another file is replaced, and until all is written on file systems that have no such files
    (NFS, for one) and on other systems.

    Nothing is forced to the disk: that costs more than making the image did, and is of use only
    where the machine itself stops. What is lost then is made anew by another run of the job, which
    compares what it finds.
    """
    if _holds(path, data):
        return
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with _new_file(temporary) as file:
            file.write(data)
            file.flush()
            if os.fstat(file.fileno()).st_nlink == 0:
                try:
                    _name(file, path)
                    return
                except FileExistsError:
                    _name(file, temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _holds(path: Path, data: bytes) -> bool:
    try:
        # is_file: opening a pipe would wait for ever.
        return path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False


def _new_file(temporary: Path) -> BinaryIO:
    """A file without a name, or else of that name; others may do with it what umask allows."""
    if hasattr(os, "O_TMPFILE"):
        try:
            return os.fdopen(os.open(temporary.parent, os.O_TMPFILE | os.O_WRONLY, 0o666), "wb")
        except OSError:
            pass  # no such thing on this file system; or what is wrong is so with a name too
    return os.fdopen(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666), "wb")


def _name(file: BinaryIO, path: Path) -> None:
    # With a src_dir_fd, which an absolute path does not need, Python calls linkat(), and only that
    # follows the link in /proc.
    descriptor = file.fileno()
    os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=descriptor, follow_symlinks=True)


def advice_on(error: OSError) -> str:
    """Say what to do about an error of `write_whole`; empty where there is nothing to say."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "; free space there, or set output_tos_dir to another place"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "; the user that runs the tasks must be able to write there, on every machine"
    return ""
