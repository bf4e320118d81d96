"""Packages: whether all that this one needs are installed, in the versions that it asks for."""

from collections.abc import Iterator
from importlib.util import find_spec

from spark_keyframes.doctor.finding import Finding, bad, good, note
from spark_keyframes.doctor.installed import PACKAGE, Need, fits, needs_of, version_of
from spark_keyframes.doctor.options import Options

# What does not work without them; all else works.
_SPARED = {
    "pyspark": "",  # the check of Spark says it
    "tos": "tos:// cannot be read or written",
}
# Other checks show their versions.
_ELSEWHERE = ("pyspark", "pyarrow", "pandas", "numpy", "av")
_EXTRAS = ("s3", "fsspec", "connect", "daft", "sentencepiece")


def check(_: Options) -> Iterator[Finding]:
    """Compare what is installed with the package's own metadata."""
    if find_spec("packaging") is None:
        yield bad("packages", "packaging is missing, which transformers needs too",
                  "run pip install packaging, then this again")  # fmt: skip
        return
    needs = needs_of(PACKAGE)
    if not needs:
        yield note(
            "packages",
            f"{PACKAGE} has no metadata here, as in an archive of --py-files, so the versions "
            "that it needs are not known",
            "compare them with the driver's, or install the wheel here",
        )
        return
    always = [need for need in needs if not need.extra]
    wrong = [need for need in always if not _is_there(need)]
    for need in wrong:
        yield from _complaint(need)
    optional = [need for need in needs if need.extra in _EXTRAS]
    there = sorted({need.package for need in optional if version_of(need.package)})
    old = [need for need in optional if version_of(need.package) and not _is_there(need)]
    for need in old:
        yield bad(
            need.package,
            f"{version_of(need.package)} is installed, the extra {need.extra} needs {need.wanted}",
            need.advice(),
        )
    if not wrong and not old:
        own = [_named(need.package) for need in always if need.package not in _ELSEWHERE]
        also = [_named(name) for name in there if name != "pyspark"]
        yield good(
            "packages",
            f"as {PACKAGE} needs them: {', '.join(own)}"
            + (f"; optional ones: {', '.join(also)}" if also else ""),
        )


def _named(package: str) -> str:
    return f"{package} {version_of(package)}"


def _is_there(need: Need) -> bool:
    version = version_of(need.package)
    if need.package == "pyspark":
        return not version or fits(version, need.wanted)
    return bool(version) and fits(version, need.wanted)


def _complaint(need: Need) -> Iterator[Finding]:
    version = version_of(need.package)
    without = _SPARED.get(need.package, "")
    if version:
        yield bad(need.package, f"{version} is installed, {need.wanted} is needed", need.advice())
    elif without:
        yield note(need.package, f"is not installed: {without}", need.advice())
    else:
        yield bad(need.package, f"is not installed, {need.wanted or 'it'} is needed", need.advice())
