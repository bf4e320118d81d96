"""A lock on a folder, so that one job at a time uses it."""

import contextlib
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from spark_keyframes.errors import ParameterError
from spark_keyframes.hooks import text_of
from spark_keyframes.jobs.hadoop_folder import HadoopFolder

logger = logging.getLogger("spark_keyframes")

_RENEW_SECONDS = 20
_EXPIRY_SECONDS = 120
# The most time that another job needs between listing the locks and creating its own.
_START_SECONDS = 1.0
_PROCESSES = Path("/proc")  # not on macOS


@contextlib.contextmanager
def job_lock(folder: HadoopFolder, shown: str) -> Iterator[None]:
    """Hold the lock of a folder.

    A killed job is recognised by its process, on the same machine, or by a lock that was not
    renewed for two minutes. Of jobs that start together, one continues.

    Args:
        folder: for the files of the locks.
        shown: the folder's name in messages.

    Raises:
        ParameterError: another job holds the lock.
    """
    _check_free(_living_locks(folder), shown)
    mine = _Lock.of_this_process()
    folder.create(mine.name)
    try:
        # Any job that did not see this lock has created its own by now.
        time.sleep(_START_SECONDS)
        _check_free((other for other in _living_locks(folder) if other.job < mine.job), shown)
    except BaseException:
        _delete(folder, _locks_of(folder, mine.job))
        raise
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(_RENEW_SECONDS):
            newer = replace(mine, renewed=int(time.time()))
            try:
                folder.create(newer.name)
                older = (lock for lock in _locks_of(folder, mine.job) if lock != newer)
                _delete(folder, older)
            except Exception as error:  # noqa: BLE001 - the next round tries again
                logger.warning("the checkpoint's lock could not be renewed: %s", text_of(error))

    thread = threading.Thread(target=renew, name="job-lock", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        _delete(folder, _locks_of(folder, mine.job))


@dataclass(frozen=True)
class _Lock:
    """The lock of one job: the name of an empty file.

    It needs only that a folder can be listed. Not every file system of Hadoop's can replace a file,
    or create one only where it does not exist.
    """

    job: str
    pid: int
    started: str
    """Start time of the process, since process ids are reused."""
    renewed: int
    """In seconds since 1970."""
    host: str

    @staticmethod
    def of_this_process() -> "_Lock":
        pid = os.getpid()
        now = int(time.time())
        return _Lock(uuid.uuid4().hex, pid, _start_time(pid), now, socket.gethostname())

    @property
    def name(self) -> str:
        return f"lock_{self.job}_{self.pid}_{self.started}_{self.renewed}_{self.host}"

    @staticmethod
    def named(name: str) -> "_Lock | None":
        """Return the lock of a file; None where the file is no lock."""
        kind, *parts = name.split("_", 5)
        if kind != "lock" or len(parts) != 5:
            return None
        job, pid, started, renewed, host = parts
        return _Lock(job, int(pid), started, int(renewed), host)

    @property
    def is_alive(self) -> bool:
        if self.host == socket.gethostname() and _PROCESSES.exists():
            return self.started == _start_time(self.pid)
        return time.time() - self.renewed < _EXPIRY_SECONDS


def _check_free(others: Iterable[_Lock], shown: str) -> None:
    for other in others:
        raise ParameterError(
            f"another job uses the checkpoint {shown}: process {other.pid} on {other.host}; wait "
            f"until it ends. If it was killed there, its lock expires after {_EXPIRY_SECONDS} "
            "seconds"
        )


def _living_locks(folder: HadoopFolder) -> list[_Lock]:
    """Return the locks of living jobs, and delete the others."""
    locks = _locks(folder)
    _delete(folder, (lock for lock in locks if not lock.is_alive))
    return [lock for lock in locks if lock.is_alive]


def _locks(folder: HadoopFolder) -> list[_Lock]:
    """Return all locks; a lock that is being renewed is there twice."""
    return [lock for name in folder.names() if (lock := _Lock.named(name))]


def _locks_of(folder: HadoopFolder, job: str) -> list[_Lock]:
    return [lock for lock in _locks(folder) if lock.job == job]


def _delete(folder: HadoopFolder, locks: Iterable[_Lock]) -> None:
    for lock in locks:
        folder.delete(lock.name)


def _start_time(pid: int) -> str:
    """Return when a process started, in ticks since boot; "never": there is no such process."""
    try:
        # The fields follow the program's name in brackets, which may hold anything.
        return (_PROCESSES / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()[19]
    except OSError:
        return "never"
