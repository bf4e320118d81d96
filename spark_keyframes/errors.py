"""One exception class per kind of failure, each with the stage that it belongs to.

In Spark the error of a row is a value, `struct<stage, error, message>`, where `error` is the name
of the class. So these names and stages are part of the public interface.
"""

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
    remedy: str = ""
    """What to do, in general; the message says more."""

    def __init__(self, message: str, *, stage: str | None = None) -> None:
        super().__init__(redact_text(str(message)))
        if stage is not None:
            self.stage = redact_text(stage)


class ParameterError(KeyframesError, ValueError):
    """A parameter has an invalid value. Raised on the driver, before any task runs."""

    stage = "parameters"
    remedy = "Change the parameter as the message says."


class MissingPackageError(KeyframesError, ImportError):
    """What was asked for needs a package that is not installed."""

    stage = "parameters"
    remedy = "Install the package with the command in the message."


# open: read the bytes of a video


class SourceNotFoundError(KeyframesError):
    """The file or object does not exist."""

    stage = "open"
    remedy = (
        "Check the path or the URL. On a cluster, workers must reach it too: a local "
        "path must be shared."
    )


class SourceReadError(KeyframesError):
    """The source could not be read: no permission, a lost connection, or too few bytes."""

    stage = "open"
    remedy = (
        "Check permissions, quota and network. A connection that was lost was tried again already."
    )


class HttpStatusError(KeyframesError):
    """An HTTP server answered with a status that is not success."""

    stage = "open"
    remedy = (
        "401, 403: give a URL with access. 404, 410: correct it. 429, 5xx: run these "
        "rows again later."
    )

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class UnsupportedSchemeError(KeyframesError):
    """The URL's scheme is unknown, or the package for it is not installed."""

    stage = "open"
    remedy = "Install the extra that the message names, or use a scheme of docs/storage.md."


class InvalidBase64Error(KeyframesError):
    """The value is not valid base64."""

    stage = "open"
    remedy = "Give the whole text of base64. For paths and URLs, set `video_src_type` to video_url."


class SourceTypeError(KeyframesError):
    """The row's value is empty, or not of the type that `video_src_type` says."""

    stage = "open"
    remedy = "Leave out empty rows, or set `video_src_type` to what the column holds."


class CredentialsError(KeyframesError):
    """Credentials for the object storage are missing or were refused."""

    stage = "open"
    remedy = "Set the variables that the message names, on the driver and on the executors."


class AccessError(KeyframesError):
    """The URL has a scheme, host, address or folder that `access` does not allow."""

    stage = "open"
    remedy = "Widen `access` if the URL is one that may be read; otherwise leave the row as it is."


class LimitError(KeyframesError):
    """The video exceeds one of `limits`. The message names the limit."""

    stage = "decode"
    remedy = "Raise the limit that the message names, if the video is not an attack."


# demux and decode: read the container and decode the frames


class NotAVideoError(KeyframesError):
    """The bytes are not in an allowed container format."""

    stage = "demux"
    remedy = (
        "Play the file: it is often an error page, a playlist or a part of a download. "
        "Else convert it."
    )


class NoVideoStreamError(KeyframesError):
    """The container holds no video stream, for example only sound."""

    stage = "demux"
    remedy = "Leave the row out. If `video_stream` is set, choose a number that the message lists."


class NoFramesError(KeyframesError):
    """The video stream holds no frame that can be presented."""

    stage = "demux"
    remedy = "Record or export the video again: its stream is empty."


class WindowError(KeyframesError, ValueError):
    """There is no part of the video between `start` and `end`.

    One of them is negative or NaN, `end` is not after `start`, or the video ends before `start`.
    """

    stage = "demux"
    remedy = "Give a `start` within the video, and an `end` behind it, in seconds."


class DecodeError(KeyframesError):
    """The codec is not supported, or the video is too large or too damaged to decode."""

    stage = "decode"
    remedy = (
        "Play the file. If a player cannot, get it again; else convert it to H.264, or "
        "raise `limits`."
    )


class EncryptedVideoError(DecodeError):
    """The video is encrypted (DRM): without its key, no frame can be decoded."""

    stage = "demux"
    remedy = (
        "Use a copy without DRM. A decrypted MP4 that kept its boxes must be remuxed: "
        "docs/decoding.md."
    )


class VideoChangedError(DecodeError):
    """The video is no longer the one that was indexed: its frames have other times."""

    stage = "decode"
    remedy = "Index the video again."


class DecoderCrashedError(KeyframesError):
    """The video's decoder process crashed or sent an invalid answer, and so did a second one.

    A process that SIGKILL or SIGTERM ended does not count as one of the two, but after three in all
    the video fails too.
    """

    stage = "decode"
    remedy = (
        "Convert the video. If several fail, give the executor more memory: it may have "
        "been killed."
    )


# clip and select: score the frames and select keyframes


class IndexMismatchError(KeyframesError):
    """The index was made by another model, or with other settings. It ends the job."""

    stage = "clip"
    remedy = "Ask with the model and the settings of the message, or index the videos again."


class ModelNotFoundError(KeyframesError):
    """There is no model at `model_path` and `clip_model_name`."""

    stage = "clip"
    remedy = (
        "Put the model into that folder on all machines, or set `model_path` to '' for the Hub."
    )


class ModelError(KeyframesError):
    """The model that was found is of no supported family, or its files cannot be used."""

    stage = "clip"
    remedy = (
        "Use a model of docs/models.md, with all of its files. The message names what is wrong."
    )


class InvalidTextError(KeyframesError):
    """The text that frames are compared with is not valid Unicode."""

    stage = "clip"
    remedy = "Decode the text as UTF-8 before it comes here."


class AcceleratorError(KeyframesError):
    """The requested GPU does not exist, cannot do what is asked, or has failed."""

    stage = "clip"
    remedy = (
        "Lower `rank`, or give the task a GPU: docs/gpu-cluster.md. Without a GPU, leave "
        "`rank` at 0. Where it has failed, run the task again: docs/gpu.md."
    )


class ForkError(KeyframesError):
    """This process was forked from one that had sampled, and could not compute."""

    stage = "clip"
    remedy = (
        "Start the process by spawn instead of fork, or fork before the first video is sampled."
    )


class SelectionError(KeyframesError, ValueError):
    """No keyframes can be selected: there are no scores, or some are NaN."""

    stage = "select"
    remedy = (
        "If a module of yours scores the frames, let it return finite numbers. Else report a bug."
    )


class HookError(KeyframesError):
    """Code of the user's failed: a module, a selector or a callback.

    The message names the hook and the class; `__cause__` is what was raised.
    """

    remedy = "Mend the code that the message names; the worker's log has its traceback."


class ModuleError(HookError):
    """A hook of the module failed, or returned something else than it must."""

    stage = "clip"
    remedy = "Mend the hook that the message names. docs/extending.md says what each must return."


class SelectorError(HookError, ValueError):
    """The selector failed, or returned indices that cannot be."""

    stage = "select"
    remedy = "Return distinct indices of candidates, at most `max_num_frames`: docs/extending.md."


class CallbackError(HookError):
    """A hook of a callback failed."""

    stage = "open"
    remedy = "Mend the callback's hook that the message names."


# encode and upload: make the images and store them


class EncodeError(KeyframesError):
    """A frame could not be encoded in the image format."""

    stage = "encode"
    remedy = "Use another `img_type`. A JPEG has at most 65,535 pixels a side."


class RowTooLargeError(KeyframesError):
    """Images, embeddings or score curves exceed the size that a row may have in Spark."""

    stage = "encode"
    remedy = (
        "Use fewer keyframes or `images` encoded; of indexes and curves, a lower `fps` "
        "or parts of videos."
    )


class StorageWriteError(KeyframesError):
    """An image could not be stored."""

    stage = "upload"
    remedy = "Check rights, quota and network of `output_tos_dir`. Then run these rows again."


class BucketNotFoundError(StorageWriteError):
    """The bucket or container that images go to does not exist. None is ever created."""

    remedy = "Correct the bucket's name or region, or create it."
