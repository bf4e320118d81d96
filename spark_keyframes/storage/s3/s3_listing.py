"""Lists the objects of a bucket."""

import time
from collections.abc import Callable
from typing import Any

from spark_keyframes.errors import SourceReadError
from spark_keyframes.limits import Limits
from spark_keyframes.redaction import redact_url
from spark_keyframes.storage.download import interrupt
from spark_keyframes.storage.download.meter import Meter
from spark_keyframes.storage.download.remote import retry_download
from spark_keyframes.storage.s3.address import bucket_and_prefix
from spark_keyframes.storage.s3.calls import call
from spark_keyframes.storage.s3.client import client_for, request_payer

PAGE = 1000  # objects of one answer; S3 gives no more


def list_url(url: str, *, recursive: bool, limits: Limits) -> dict[str, int | None]:
    """List a folder page by page, or find a single object. The URLs have the scheme of `url`."""
    bucket, key = bucket_and_prefix(url, SourceReadError)
    root = f"{url.partition('://')[0]}://{bucket}"
    page = _pages_of(url, bucket, limits)
    if key and not key.endswith("/"):
        # Keys come in order, so the object itself is the first that begins with its key.
        for found in page(Prefix=key, MaxKeys=1).get("Contents", []):
            if found["Key"] == key:
                return {url: found["Size"]}
        key += "/"
    files: dict[str, int | None] = {}
    wanted: dict[str, Any] = {"Prefix": key, "MaxKeys": PAGE}
    if not recursive:
        wanted["Delimiter"] = "/"
    while True:
        part = page(**wanted)
        files |= {f"{root}/{each['Prefix']}": None for each in part.get("CommonPrefixes", [])}
        for found in part.get("Contents", []):
            name = found["Key"]
            is_hidden = recursive and "/." in f"/{name[len(key) :]}"
            # A key with "/" at its end is no file, but marks an empty folder.
            if not name.endswith("/") and not is_hidden:
                files[f"{root}/{name}"] = found["Size"]
        if not part.get("IsTruncated"):
            return files
        token = part.get("NextContinuationToken")
        if token in (None, "", wanted.get("ContinuationToken")):
            raise SourceReadError(
                f"could not list {redact_url(url)}: S3 announces more objects, and does not say "
                "where they continue; try again"
            )
        wanted["ContinuationToken"] = token


def _pages_of(url: str, bucket: str, limits: Limits) -> Callable[..., Any]:
    """Return a function that requests one page, in several attempts within the time for all."""
    client = client_for(url, stage="open")
    meter = Meter(url, limits)

    def page(**wanted: Any) -> Any:
        def attempt() -> Any:
            try:
                with meter.requesting():
                    return call(
                        lambda: client.list_objects_v2(Bucket=bucket, **wanted, **request_payer()),
                        url,
                        client,
                        stage="open",
                    )
            finally:
                interrupt.unregister()

        return retry_download(attempt, time.sleep, meter)

    return page
