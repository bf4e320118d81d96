"""Lists what the packages of fsspec list."""

import time
from collections.abc import Iterable
from functools import partial
from typing import Any

from spark_keyframes.errors import CredentialsError, KeyframesError, SourceReadError
from spark_keyframes.limits import Limits
from spark_keyframes.storage.download.meter import Meter
from spark_keyframes.storage.download.remote import retry_download
from spark_keyframes.storage.fsspec.calls import check_installed, file_system, message, within
from spark_keyframes.storage.retry import TransientError


def list_url(url: str, *, recursive: bool, limits: Limits) -> dict[str, int | None]:
    """List a folder, or find a single file, with the sizes that the package of the scheme gives."""
    check_installed(url, stage="open")
    meter = Meter(url, limits)
    return retry_download(lambda: _listed(url, recursive, meter), time.sleep, meter)


def _listed(url: str, recursive: bool, meter: Meter) -> dict[str, int | None]:
    try:
        filesystem, root = file_system(url)
        filesystem.invalidate_cache()  # of what it listed before
        found = _entries(filesystem, root, recursive, meter)
        filesystem.invalidate_cache()  # a later read must not take these sizes
    except FileNotFoundError:
        return {}
    except KeyframesError:
        raise
    except Exception as error:  # noqa: BLE001 - each file system has its own exceptions
        denied = isinstance(error, PermissionError)
        failed = (CredentialsError if denied else SourceReadError)(message(error, url, "list"))
        if isinstance(error, ConnectionError | TimeoutError):
            raise TransientError(lambda attempts: failed) from None
        raise failed from None
    files: dict[str, int | None] = {}
    for each in found:
        name, is_folder = each["name"], each["type"] == "directory"
        below = name.removeprefix(root).strip("/")
        child = f"{url.rstrip('/')}/{below}" if below else url
        if is_folder and below:
            files[f"{child}/"] = None
        # S3 marks an empty folder by a file with "/" at the end of its name.
        elif is_folder or name.endswith("/") or child.endswith("/"):
            continue
        elif not (recursive and "/." in f"/{below}"):
            files[child] = each.get("size")
    return files


def _entries(filesystem: Any, root: str, recursive: bool, meter: Meter) -> Iterable[dict[str, Any]]:
    """Return fsspec's details of what is in a folder; of its subfolders, unless `recursive`."""

    def listed(folder: str) -> list[dict[str, Any]]:
        return within(meter, partial(filesystem.ls, folder, detail=True))

    if not recursive:
        return listed(root)
    if _finds_all_at_once(filesystem):
        found: dict[str, Any] = within(meter, partial(filesystem.find, root, detail=True))
        return found.values()
    files, folders = [], [root]
    for folder in folders:  # the list grows during the loop
        for each in listed(folder):
            name = each["name"].rstrip("/")
            if each["type"] != "directory":
                files.append(each)
            elif name != folder and not name.rpartition("/")[2].startswith("."):
                folders.append(name)
    return files


def _finds_all_at_once(filesystem: Any) -> bool:
    """Return whether its package lists all objects below a prefix, as those of S3 and Google do.

    The `find` of fsspec itself walks the folders, and leaves out those that it cannot list.
    """
    from fsspec import AbstractFileSystem
    from fsspec.asyn import AsyncFileSystem

    kind = type(filesystem)
    inherited = AsyncFileSystem._find if issubclass(kind, AsyncFileSystem) else None
    return getattr(kind, "_find", None) is not inherited or kind.find is not AbstractFileSystem.find
