"""One exception class per kind of failure, each with the stage that it belongs to.

In Spark the error of a row is a value, `struct<stage, error, message>`, where `error` is the name
of the class. So these names and stages are part of the public interface.
"""

import traceback
from collections.abc import Iterator

from spark_keyframes.redaction import redact_text

STAGES = ("open", "demux", "decode", "preprocess", "clip", "select", "encode", "upload")
"""The stages of a video, in order."""


class KeyframesError(Exception):
    """Base class of all errors of this package.

    Messages are redacted here, once more, because a server, a decoder process or a user's code may
    have written part of them. Each is one line.
    """

    stage: str = "unknown"
    """One of STAGES, or "parameters" for an error that belongs to no video."""

    def __init__(self, message: str, *, stage: str | None = None) -> None:
        super().__init__(redact_text(str(message)))
        if stage is not None:
            self.stage = redact_text(stage)


class ParameterError(KeyframesError, ValueError):
    """A parameter has an invalid value. Raised on the driver, before any task runs."""

    stage = "parameters"


class MissingPackageError(KeyframesError, ImportError):
    """What was asked for needs a package that is not installed."""

    stage = "parameters"


# open: read the bytes of a video


class SourceNotFoundError(KeyframesError):
    """The file or object does not exist."""

    stage = "open"


class SourceReadError(KeyframesError):
    """The source could not be read: no permission, a lost connection, or too few bytes."""

    stage = "open"


class HttpStatusError(KeyframesError):
    """An HTTP server answered with a status that is not success."""

    stage = "open"

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class UnsupportedSchemeError(KeyframesError):
    """The URL's scheme is unknown, or the package for it is not installed."""

    stage = "open"


class InvalidBase64Error(KeyframesError):
    """The value is not valid base64."""

    stage = "open"


class SourceTypeError(KeyframesError):
    """The row's value is empty, or not of the type that `video_src_type` says."""

    stage = "open"


class CredentialsError(KeyframesError):
    """Credentials for the object storage are missing or were refused."""

    stage = "open"


class AccessError(KeyframesError):
    """The URL has a scheme, host, address or folder that `access` does not allow."""

    stage = "open"


class LimitError(KeyframesError):
    """The video exceeds one of `limits`. The message names the limit."""

    stage = "decode"


# demux and decode: read the container and decode the frames


class NotAVideoError(KeyframesError):
    """The bytes are not in an allowed container format."""

    stage = "demux"


class NoVideoStreamError(KeyframesError):
    """The container holds no video stream, for example only sound."""

    stage = "demux"


class NoFramesError(KeyframesError):
    """The video stream holds no frame that can be presented."""

    stage = "demux"


class WindowError(KeyframesError, ValueError):
    """There is no part of the video between `start` and `end`.

    One of them is negative or NaN, `end` is not after `start`, or the video ends before `start`.
    """

    stage = "demux"


class DecodeError(KeyframesError):
    """The codec is not supported, or the video is too large or too damaged to decode."""

    stage = "decode"


class EncryptedVideoError(DecodeError):
    """The video is encrypted (DRM): without its key, no frame can be decoded."""

    stage = "demux"


class VideoChangedError(DecodeError):
    """The video is no longer the one that was indexed: its frames have other times."""

    stage = "decode"


class DecoderCrashedError(KeyframesError):
    """The video's decoder process crashed or sent an invalid answer, and so did a second one.

    A process that SIGKILL or SIGTERM ended does not count as one of the two, but after three in all
    the video fails too.
    """

    stage = "decode"


# clip and select: score the frames and select keyframes


class IndexMismatchError(KeyframesError):
    """The index was made by another model, or with other settings. It ends the job."""

    stage = "clip"


class ModelNotFoundError(KeyframesError):
    """There is no model at `model_path` and `clip_model_name`."""

    stage = "clip"


class ModelError(KeyframesError):
    """The model that was found is of no supported family, or its files cannot be used."""

    stage = "clip"


class InvalidTextError(KeyframesError):
    """The text that frames are compared with is not valid Unicode."""

    stage = "clip"


class AcceleratorError(KeyframesError):
    """The requested GPU does not exist."""

    stage = "clip"


class ForkError(KeyframesError):
    """This process was forked from one that had sampled, and could not compute."""

    stage = "clip"


class SelectionError(KeyframesError, ValueError):
    """No keyframes can be selected: there are no scores, or some are NaN."""

    stage = "select"


class HookError(KeyframesError):
    """Code of the user's failed: a module, a selector or a callback.

    The message names the hook and the class; `__cause__` is what was raised.
    """


class ModuleError(HookError):
    """A hook of the module failed, or returned something else than it must."""

    stage = "clip"


class SelectorError(HookError, ValueError):
    """The selector failed, or returned indices that cannot be."""

    stage = "select"


class CallbackError(HookError):
    """A hook of a callback failed."""

    stage = "open"


# encode and upload: make the images and store them


class EncodeError(KeyframesError):
    """A frame could not be encoded in the image format."""

    stage = "encode"


class RowTooLargeError(KeyframesError):
    """Images, embeddings or score curves exceed the size that a row may have in Spark."""

    stage = "encode"


class StorageWriteError(KeyframesError):
    """An image could not be stored."""

    stage = "upload"


class BucketNotFoundError(StorageWriteError):
    """The bucket or container that images go to does not exist. None is ever created."""


# Errors of other packages


def error_chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and all errors that led to it, nearest first, each once.

    Packages record the cause as `__cause__` or `__context__`, as an attribute (urllib3 as `reason`,
    TOS as `cause`), or as an argument of the error (requests).
    """
    found = [error]
    for current in found:  # the list grows during the loop
        yield current
        # vars(), not getattr(): a property of an unknown class could raise.
        behind = [vars(current).get("reason"), vars(current).get("cause")]
        behind += [current.__cause__, current.__context__, *current.args]
        for each in behind:
            if isinstance(each, BaseException) and not any(each is known for known in found):
                found.append(each)


def free_stack_frames(error: BaseException) -> None:
    """Free what the stack frames of a kept error refer to, such as a video in memory."""
    for current in error_chain(error):
        traceback.clear_frames(current.__traceback__)


def root_cause(error: BaseException) -> str:
    """Return a short reason for an error of requests or of the TOS SDK.

    The text of such an error holds the URL with its query, so it is never returned. The operating
    system's message, such as "Connection refused", is safe. Without one, the reason is the name of
    the last class in the chain.
    """
    name = ""
    for current in error_chain(error):
        if isinstance(current, OSError) and current.strerror:
            return current.strerror
        name = type(current).__name__
    return name
