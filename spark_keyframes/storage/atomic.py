"""Atomic writes of local files."""

import errno
import os
import secrets
from pathlib import Path
from typing import BinaryIO


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file completely or not at all, and replace an existing one.

    On Linux the file has no name until it is complete, so a killed process leaves nothing behind.
    It needs a temporary name, `.….tmp`, in two cases, and a killed process can leave this file:

    - An existing file is replaced. The temporary name exists for an instant.
    - The file system (for example NFS) or the operating system has no unnamed files.

    There is no fsync: it takes longer than to make the image, and helps only if the machine fails.
    Then the next run of the job compares the content and writes the image again.

    Raises:
        OSError: the file could not be written.
    """
    if _has_content(path, data):
        return
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with _new_file(temporary) as file:
            file.write(data)
            file.flush()
            if os.fstat(file.fileno()).st_nlink == 0:
                try:
                    _link(file, path)
                    return
                except FileExistsError:
                    _link(file, temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _has_content(path: Path, data: bytes) -> bool:
    try:
        # is_file() first: opening a named pipe would block.
        return path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False


def _new_file(temporary: Path) -> BinaryIO:
    """Open a file without a name, or else with that name; its permissions follow the umask."""
    if hasattr(os, "O_TMPFILE"):
        try:
            return os.fdopen(os.open(temporary.parent, os.O_TMPFILE | os.O_WRONLY, 0o666), "wb")
        except OSError:
            pass  # unsupported by this file system, or an error that the next line raises too
    return os.fdopen(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666), "wb")


def _link(file: BinaryIO, path: Path) -> None:
    # An absolute path needs no src_dir_fd. But only with one does Python call linkat(), which can
    # follow the link in /proc.
    descriptor = file.fileno()
    os.link(f"/proc/self/fd/{descriptor}", path, src_dir_fd=descriptor, follow_symlinks=True)


def advice_on(error: OSError) -> str:
    """Return what to do about an error of `write_atomically`, or "" if unknown."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "; free space there, or set output_tos_dir to another place"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "; the user that runs the tasks must be able to write there, on every machine"
    return ""
