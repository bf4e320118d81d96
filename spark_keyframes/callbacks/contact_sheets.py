"""A callback that saves a contact sheet of each video."""

import hashlib
import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spark_keyframes.callback import Callback
from spark_keyframes.errors import ParameterError
from spark_keyframes.images.keys import safe_stem
from spark_keyframes.result import Keyframes
from spark_keyframes.storage import check_accepted, check_writable, write_url
from spark_keyframes.urls import scheme_of


@dataclass(frozen=True)
class ContactSheets(Callback):
    """Saves `<folder>/<video's name>-<hash>.jpg`: the keyframes over the score curve.

    The hash is of the video and the text, so that another run writes the same file. A video without
    keyframes has no sheet.

    Args:
        folder: a local folder, `tos://bucket/prefix`, or any URL that `output_tos_dir` may be. A
            relative folder is one of the driver's.
        explain: draw under the curve how the selector divided the video; see `Keyframes.explain`.

    Raises:
        UnsupportedSchemeError, ParameterError, CredentialsError, StorageWriteError: nothing can be
            written there; raised in `setup`.
    """

    folder: str
    explain: bool = False
    needs_images = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", os.fspath(self.folder))
        if not self.folder:
            raise ParameterError("folder must not be empty; use e.g. out/sheets")
        if not scheme_of(self.folder):
            object.__setattr__(self, "folder", str(Path(self.folder).absolute()))

    def setup(self, module: object, device: object) -> None:
        """Check that sheets can be written."""
        check_writable(self.folder)
        check_accepted(self.folder)

    def on_keyframes(self, keyframes: Keyframes) -> None:
        """Save the sheet."""
        if not keyframes.images:
            return
        stem = safe_stem(Path(keyframes.source.rsplit("/", 1)[-1]).stem)
        digest = hashlib.sha256(f"{keyframes.identity} {keyframes.text}".encode()).hexdigest()
        buffer = io.BytesIO()
        keyframes.contact_sheet(explain=self.explain).save(buffer, format="JPEG", quality=90)
        url = f"{self.folder.rstrip('/')}/{stem}-{digest[:16]}.jpg"
        write_url(url, buffer.getvalue(), content_type="image/jpeg")

    def params(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {"folder": self.folder, "explain": self.explain}
