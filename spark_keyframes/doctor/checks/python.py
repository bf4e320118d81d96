"""Python: its version, and which one it is."""

import platform
import sys
from collections.abc import Iterator

from spark_keyframes.doctor.finding import Finding, bad, good
from spark_keyframes.doctor.installed import PACKAGE, requires_python
from spark_keyframes.doctor.options import Options
from spark_keyframes.made_by import __version__


def check(_: Options) -> Iterator[Finding]:
    """Compare Python with what the package asks for."""
    version = platform.python_version()
    found = (
        f"{version} in {sys.prefix}, {platform.system()} {platform.machine()}; "
        f"{PACKAGE} {__version__}"
    )
    if sys.maxsize < 2**32:
        yield bad("Python", f"{found}, 32 bits", "install a Python of 64 bits: torch needs it")
        return
    wanted = requires_python(PACKAGE)
    if wanted and not _fits(version, wanted):
        yield bad(
            "Python",
            f"{found}, which asks for Python {wanted}",
            f"make an environment with Python {wanted}, and install {PACKAGE} into it",
        )
        return
    yield good("Python", found)


def _fits(version: str, wanted: str) -> bool:
    from spark_keyframes.doctor.installed import fits

    try:
        return fits(version, wanted)
    except ImportError:  # of packaging, which the next check names
        return True
