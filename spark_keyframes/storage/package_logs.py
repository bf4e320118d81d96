"""Keeps secrets out of what other packages log: they log URLs and headers as they are."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from spark_keyframes.redaction import redact_text

# fsspec, the packages of its schemes, and their clients. All that they log is redacted: most send
# their requests from threads of their own.
_STORAGES = {
    "adlfs", "aiobotocore", "aiohttp", "azure", "botocore", "fsspec", "gcsfs", "google",
    "huggingface_hub", "ossfs", "paramiko", "s3fs", "smbprotocol", "tosfs", "webdav4", "webhdfs",
}  # fmt: skip

# As debug information these log a URL in parts, in which a password cannot be recognised.
_LOG_PARTS = {"aiobotocore", "botocore", "s3fs"}

_thread = threading.local()
_format_traceback = logging.Formatter().formatException


@contextmanager
def of_this_package() -> Iterator[None]:
    """Mark the requests of the calling thread: what urllib3 logs of them is redacted."""
    before, _thread.is_ours = _is_ours(), True
    try:
        yield
    finally:
        _thread.is_ours = before


def redact_logs() -> None:
    """Redact what the modules log that are imported by now.

    urllib3 logs every path as debug information, and URLs as warnings if a server's headers are
    malformed.
    """
    # A filter of a logger does not apply to its children.
    for name, logger in list(logging.root.manager.loggerDict.items()):
        package = name.partition(".")[0]
        if isinstance(logger, logging.Logger) and package in _STORAGES:
            logger.addFilter(_redact_above_debug if package in _LOG_PARTS else _redact)
        elif isinstance(logger, logging.Logger) and package == "urllib3":
            logger.addFilter(_redact_ours)


def _is_ours() -> bool:
    return getattr(_thread, "is_ours", False)


def _redact(record: logging.LogRecord) -> bool:
    record.msg, record.args = redact_text(record.getMessage()), ()
    if record.exc_info:
        text = record.exc_text or _format_traceback(record.exc_info)
        record.exc_text, record.exc_info = redact_text(text, lines=True), None
    return True


def _redact_above_debug(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG and _redact(record)


def _redact_ours(record: logging.LogRecord) -> bool:
    return not _is_ours() or _redact(record)
