"""Lists the objects of a TOS bucket."""

import time
from collections.abc import Callable
from typing import Any

from spark_keyframes.errors import SourceReadError
from spark_keyframes.limits import Limits
from spark_keyframes.redaction import redact_url
from spark_keyframes.storage.download import interrupt
from spark_keyframes.storage.download.meter import Meter
from spark_keyframes.storage.download.remote import retry_download
from spark_keyframes.storage.tos.address import bucket_and_prefix
from spark_keyframes.storage.tos.client import call, client_for

PAGE = 1000  # objects of one answer; TOS gives no more


def list_url(url: str, *, recursive: bool, limits: Limits) -> dict[str, int | None]:
    """List a folder page by page, or find a single object."""
    bucket, key = bucket_and_prefix(url, SourceReadError)
    page = _pages_of(url, bucket, limits)
    if key and not key.endswith("/"):
        # Keys come in order, so the object itself is the first that begins with its key.
        for found in page(prefix=key, max_keys=1).contents:
            if found.key == key:
                return {url: found.size}
        key += "/"
    files: dict[str, int | None] = {}
    delimiter, token = None if recursive else "/", None
    while True:
        part = page(prefix=key, delimiter=delimiter, max_keys=PAGE, continuation_token=token)
        files |= {f"tos://{bucket}/{folder.prefix}": None for folder in part.common_prefixes}
        for found in part.contents:
            is_hidden = recursive and "/." in f"/{found.key[len(key) :]}"
            # A key with "/" at its end is no file, but marks an empty folder.
            if not found.key.endswith("/") and not is_hidden:
                files[f"tos://{bucket}/{found.key}"] = found.size
        if not part.is_truncated:
            return files
        if part.next_continuation_token in (None, "", token):
            raise SourceReadError(
                f"could not list {redact_url(url)}: TOS announces more objects, and does not say "
                "where they continue; try again"
            )
        token = part.next_continuation_token


def _pages_of(url: str, bucket: str, limits: Limits) -> Callable[..., Any]:
    """Return a function that requests one page, in several attempts within the time for all."""
    client, settings = client_for("open")
    meter = Meter(url, limits)

    def page(**wanted: Any) -> Any:
        def request() -> Any:
            # Once: otherwise the SDK requests all pages, without a deadline.
            return client.list_objects_type2(bucket, list_only_once=True, **wanted)

        def attempt() -> Any:
            try:
                with meter.requesting():
                    return call(request, url, settings, stage="open")
            finally:
                interrupt.unregister()

        return retry_download(attempt, time.sleep, meter)

    return page
