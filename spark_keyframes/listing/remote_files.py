"""Lists folders and globs of the storages that Spark's Hadoop does not read, such as tos://."""

import logging
from collections.abc import Callable

from spark_keyframes.errors import CredentialsError
from spark_keyframes.limits import Limits
from spark_keyframes.listing.globs import alternatives, is_glob, matches, unescaped
from spark_keyframes.listing.suffixes import is_video
from spark_keyframes.storage import Access, list_url

logger = logging.getLogger("spark_keyframes")

Files = dict[str, int | None]
"""URLs of files, and their sizes in bytes where they are known."""


def remote_files(location: str, access: Access, limits: Limits) -> tuple[Files, bool]:
    """Return the files below a URL or glob, and whether it is a glob.

    It is none where there is something of this very name. Hidden files and folders, whose names
    begin with ".", are left out. A URL that is clearly one video is not looked for: only the
    workers may have credentials.

    Raises:
        KeyframesError: see `list_url`.
    """

    def listed(url: str, recursive: bool) -> Files:
        return list_url(url, recursive=recursive, access=access, limits=limits)

    if is_video(location) and not is_glob(location) and not location.endswith("/"):
        return {location: None}, False
    try:
        pattern = is_glob(location) and not listed(location, False)
        found = {} if pattern else listed(location, True)
    except CredentialsError as error:
        if is_glob(location) or location.endswith("/"):
            raise
        logger.warning("%s; without them, the driver takes this for the URL of one video", error)
        return {location: None}, False
    if pattern or not (found or is_glob(location)):  # or for escaped characters
        scheme, _, path = location.rstrip("/").partition("://")
        for each in alternatives(path):
            bucket, _, below = each.partition("/")
            found |= _matching(f"{scheme}://{bucket}/", below.split("/"), listed)
    return dict(sorted(found.items())), pattern


def _matching(folder: str, parts: list[str], listed: Callable[[str, bool], Files]) -> Files:
    """Return the files in a folder that match a glob, and all below the folders that do.

    Args:
        folder: its URL, with "/" at the end.
        parts: of the glob, one for each level.
        listed: lists a URL; with True, all below it.
    """
    part, *rest = parts
    if not is_glob(part):
        url = folder + unescaped(part)
        return _matching(f"{url}/", rest, listed) if rest else listed(url, True)
    found: Files = {}
    for url, size in listed(folder, False).items():
        if not matches(url.removesuffix("/").rpartition("/")[2], part):
            continue
        if url.endswith("/"):
            found |= _matching(url, rest, listed) if rest else listed(url, True)
        elif not rest:
            found[url] = size
    return found
