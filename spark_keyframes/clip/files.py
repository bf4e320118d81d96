"""Finds the files of a model, in its folder or in the cache of the Hugging Face Hub."""

from pathlib import Path


def model_file(source: str, name: str, *, local: bool) -> Path | None:
    """Return the path of a model's file, or None if the model has none of this name.

    Args:
        source: the model's folder, or its name on the Hub.
        name: the file's name.
        local: whether `source` is a folder. From the Hub, a file that the cache lacks is
            downloaded.

    Raises:
        OSError: the Hub does not answer, or has no such model.
    """
    if local:
        path = Path(source, name)
        return path if path.is_file() else None
    from transformers.utils import cached_file

    cached = cached_file(source, name, _raise_exceptions_for_missing_entries=False)
    return Path(cached) if cached else None
