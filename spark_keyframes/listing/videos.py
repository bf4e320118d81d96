"""Finds the videos at a location without Spark: one video, a folder, a glob, a URL, or a list."""

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from spark_keyframes.errors import ParameterError, SourceNotFoundError
from spark_keyframes.limits import Limits
from spark_keyframes.listing.globs import is_glob
from spark_keyframes.listing.local_files import NO_VIDEO, local_files, warn_of
from spark_keyframes.listing.remote_files import Files, remote_files
from spark_keyframes.listing.suffixes import VIDEO_SUFFIXES, is_video
from spark_keyframes.redaction import redact_url
from spark_keyframes.storage import Access, open_url
from spark_keyframes.urls import advice_on_url, is_local, scheme_of

_SINGLE_OBJECTS = ("http", "https", "data")


def find_videos(location: str, *, access: Access = Access(), limits: Limits = Limits()) -> Files:
    """Return the videos at a location, and their sizes in bytes where they are known.

    Args:
        location: a video, a folder of videos (with its subfolders), a glob, a URL, or a .txt file
            with one of the paths and URLs of videos per line. Local, or where `list_url` lists.
        access: the places that may be listed. Each video is checked again when it is opened.
        limits: `max_download_seconds` is the time for a listing.

    Raises:
        SourceNotFoundError: there is nothing at `location`.
        ParameterError: there is something, but no video.
        KeyframesError: it could not be listed; see `list_url`.
    """
    local = path_of_local(location) if is_local(location) else None
    if is_single_object(location):
        return {location: None}
    if is_list(location) and not (location.endswith("/") or (local and Path(local).is_dir())):
        # Without the rules of `access`, which are for the videos in it.
        with open_url(location, limits=limits) as file:
            lines = file.read().decode("utf-8-sig", errors="replace").splitlines()
        found = {video: _size_of(video) for video in map(_absolute, videos_of(lines))}
        if not found:
            raise no_videos_in(location)
        return found
    files: Files
    if local is not None:
        # First, so that errors do not show what is in other folders.
        access.check_url(location)
        exists = os.path.lexists(local)
        files, pattern = {**local_files(local)}, is_glob(local) and not exists
        alone = Path(local).is_file()
    else:
        files, pattern = remote_files(location, access, limits)
        exists, alone = bool(files), location in files
    if not files and not exists:
        raise nothing_at(location)
    if not (pattern or alone):
        warn_of([each for each in files if not is_video(each)], NO_VIDEO)
        files = {each: size for each, size in files.items() if is_video(each)}
    if not files:
        raise no_videos_in(location)
    return files


def path_of_local(location: str) -> str:
    """Return the absolute plain path of a plain path or a file:// URL."""
    if not scheme_of(location):
        return os.path.normpath(Path(location).absolute())
    path = "/" + location.partition(":")[2].removeprefix("//localhost").lstrip("/")
    return os.path.normpath(path if os.path.lexists(path) else unquote(path))


def is_list(location: str) -> bool:
    """Return whether a location names a list of videos, unless it is a folder."""
    name = location.partition("?")[0] if scheme_of(location) else location
    return PurePosixPath(name).suffix.lower() == ".txt"


def is_single_object(location: str) -> bool:
    """Return whether nothing lists the scheme: such a URL is one video.

    Raises:
        ParameterError: it is the URL of a list.
    """
    if scheme_of(location) not in _SINGLE_OBJECTS:
        return False
    if is_list(location):
        raise ParameterError(
            "a list of videos must be in a file system or an object storage, got "
            f"{redact_url(location)!r}; copy it to a local file first"
        )
    return True


def videos_of(lines: Iterable[str]) -> list[str]:
    """Return the videos of a list, without blank lines and those that begin with #."""
    stripped = (line.strip() for line in lines)
    return [line for line in stripped if line and not line.startswith("#")]


def no_videos_in(location: str) -> ParameterError:
    """Return the error for a place without videos."""
    why = (
        ": every line is empty or a comment"
        if is_list(location)
        else f"; looked for {', '.join(sorted(VIDEO_SUFFIXES))}"
    )
    return ParameterError(f"no videos in {redact_url(location)!r}{why}")


def nothing_at(location: str, *, table: bool = False) -> SourceNotFoundError:
    """Return the error for a place that does not exist, of videos or of a table."""
    what = (
        "the place of a table"
        if table
        else "a video, a folder, a glob in quotes, a URL, or a .txt file with one of them per line"
    )
    advice = advice_on_url(location) or f"give {what}"
    return SourceNotFoundError(f"nothing found at {redact_url(location)!r}; {advice}")


def _absolute(video: str) -> str:
    """Return a video of a list as it is read; a wrong one as it stands, for the reader's advice."""
    return path_of_local(video) if is_local(video) and not advice_on_url(video) else video


def _size_of(video: str) -> int | None:
    try:
        return Path(path_of_local(video)).stat().st_size if is_local(video) else None
    except (OSError, ValueError):
        return None  # the reader says what is wrong with it
