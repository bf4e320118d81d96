"""One exception per kind of failure; each knows the stage that it belongs to.

A row that fails in Spark becomes a value, `struct<stage, error, message>`: the stage below, the
class name and the message. The names are therefore part of the public surface.
"""

STAGES = ("open", "demux", "decode", "preprocess", "clip", "select", "encode", "upload")
"""What a video passes through, in order."""


class KeyframesError(Exception):
    """Base of all errors of this package.

    `stage` is where it happened: one of STAGES, or "parameters" where no video is to blame.
    """

    stage: str = "unknown"

    def __init__(self, message: str, *, stage: str | None = None) -> None:
        super().__init__(message)
        if stage is not None:
            self.stage = stage


class ParameterError(KeyframesError, ValueError):
    """A parameter has a value that cannot work; raised on the driver, before anything runs."""

    stage = "parameters"


# open: from the value of a row to readable bytes


class SourceNotFoundError(KeyframesError):
    """The file or object does not exist."""

    stage = "open"


class SourceReadError(KeyframesError):
    """The source exists but could not be read: no permission, connection lost, cut short."""

    stage = "open"


class HttpStatusError(KeyframesError):
    """An HTTP server answered with a status other than success."""

    stage = "open"

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class UnsupportedSchemeError(KeyframesError):
    """The URL's scheme is unknown, or the package that serves it is not installed."""

    stage = "open"


class InvalidBase64Error(KeyframesError):
    """The value is not base64."""

    stage = "open"


class SourceTypeError(KeyframesError):
    """The row's value is of another type than `video_src_type` says, or empty."""

    stage = "open"


class CredentialsError(KeyframesError):
    """Credentials for the object storage are missing or were refused."""

    stage = "open"


class AccessError(KeyframesError):
    """The URL leads to where `access` does not allow: scheme, host, address or folder."""

    stage = "open"


class LimitError(KeyframesError):
    """The video exceeds one of `limits`; the message names it."""

    stage = "decode"


# demux and decode: from bytes to frames


class NotAVideoError(KeyframesError):
    """The bytes are in no container format that is allowed here."""

    stage = "demux"


class NoVideoStreamError(KeyframesError):
    """The container holds no video stream, sound only for example."""

    stage = "demux"


class NoFramesError(KeyframesError):
    """The video stream holds no frame that can be shown."""

    stage = "demux"


class DecodeError(KeyframesError):
    """The codec is unknown here, or the video is too large or too broken to decode."""

    stage = "decode"


class DecoderCrashedError(KeyframesError):
    """The process that decoded the video died of it, and so did the next one."""

    stage = "decode"


# clip: model and scores


class ModelNotFoundError(KeyframesError):
    """No CLIP model where `model_path` and `clip_model_name` point."""

    stage = "clip"


class ModelError(KeyframesError):
    """What was found is not a usable CLIP model."""

    stage = "clip"


class AcceleratorError(KeyframesError):
    """The GPU that was asked for is not there."""

    stage = "clip"


class SelectionError(KeyframesError, ValueError):
    """The scores cannot be selected from: there are none, or they hold NaN."""

    stage = "select"


# encode and upload: from selected frames to stored images


class EncodeError(KeyframesError):
    """A frame cannot be made into an image of this format."""

    stage = "encode"


class RowTooLargeError(KeyframesError):
    """The images of one row exceed what Spark can carry in one row."""

    stage = "encode"


class StorageWriteError(KeyframesError):
    """An image could not be stored."""

    stage = "upload"
