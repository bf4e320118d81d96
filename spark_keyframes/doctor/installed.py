"""Which packages are installed, and which versions this package and Spark ask for."""

import re
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

PACKAGE = "spark_keyframes"


class Need(NamedTuple):
    """A requirement of a package."""

    package: str
    wanted: str
    """Versions, such as ">=2.13"; "" for any."""
    extra: str
    """The extra that asks for it, or ""."""

    def advice(self, reason: str = "") -> str:
        """Return the command that brings it."""
        return f"run pip install '{self.package}{self.wanted}'{reason}"


def needs_of(package: str) -> list[Need]:
    """Return the requirements of a package that apply here; [] where it has no metadata."""
    from packaging.requirements import Requirement

    found = []
    for text in requires(package):
        need = Requirement(text)
        extra = re.search(r"extra == ['\"]([^'\"]+)['\"]", text)
        name = extra[1] if extra else ""
        if need.marker is None or need.marker.evaluate({"extra": name}):
            found.append(Need(need.name, str(need.specifier), name))
    return found


def requires(package: str) -> list[str]:
    """Return the requirements of a package as they are written; [] where it has no metadata."""
    try:
        return metadata.requires(package) or []
    except metadata.PackageNotFoundError:
        return []


def requires_python(package: str) -> str:
    """Return the versions of Python that a package asks for, such as ">=3.11"; "" if unknown."""
    try:
        return str(metadata.metadata(package)["Requires-Python"] or "")
    except metadata.PackageNotFoundError:
        return ""


def version_of(package: str) -> str:
    """Return the version of an installed package, by the name that pip has for it; "" for none."""
    try:
        return metadata.version(package) or ""
    except metadata.PackageNotFoundError:
        return ""


def fits(version: str, wanted: str) -> bool:
    """Return whether a version is one of those; one that is no number fits."""
    from packaging.specifiers import SpecifierSet
    from packaging.version import InvalidVersion

    try:
        return SpecifierSet(wanted).contains(version, prereleases=True)
    except InvalidVersion:
        return True


def pyspark_folder() -> Path | None:
    """Return the folder of the pyspark that `import` finds; None where there is none."""
    spec = find_spec("pyspark")
    return Path(spec.origin).parent if spec and spec.origin else None


def pyspark_version() -> str:
    """Return the version of that pyspark, which may come without metadata; "" for none."""
    folder = pyspark_folder()
    if folder is None:
        return ""
    try:
        text = (folder / "version.py").read_text()
    except OSError:
        text = ""
    found = re.search(r"__version__[^=]*=\s*['\"]([^'\"]+)", text)
    return found[1] if found else version_of("pyspark")


def major_minor(version: str) -> tuple[int, int]:
    """Return the first two numbers of a version; (0, 0) where there are none."""
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)
