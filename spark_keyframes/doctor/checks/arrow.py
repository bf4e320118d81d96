"""Arrow and pandas: the versions that this Spark wants, and whether they work together."""

from collections.abc import Iterator

from spark_keyframes.doctor.finding import Finding, bad, good
from spark_keyframes.doctor.installed import fits, needs_of, pyspark_version, version_of
from spark_keyframes.doctor.options import Options

_NAME = "Arrow/pandas"
_PACKAGES = ("pyarrow", "pandas", "numpy")


def check(_: Options) -> Iterator[Finding]:
    """Compare with the metadata of pyspark, then send a table from one to the other and back."""
    wrong = list(_not_as_spark_wants())
    yield from wrong
    versions = _round_trip()
    if not wrong:
        spark = pyspark_version()
        yield good(_NAME, f"{versions}" + (f", as Spark {spark} wants them" if spark else ""))


def _not_as_spark_wants() -> Iterator[Finding]:
    # Each extra of pyspark repeats them.
    needs = {need.package: need for need in needs_of("pyspark") if need.package in _PACKAGES}
    for need in needs.values():
        version = version_of(need.package)
        if version and not fits(version, need.wanted):
            yield bad(
                need.package,
                f"{version} is installed, Spark {pyspark_version()} wants {need.wanted}",
                need.advice(),
            )


def _round_trip() -> str:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    # Packages built for other versions of NumPy fail here, or crash.
    numbers = np.arange(3, dtype=np.float32)
    frame = pd.DataFrame({"scores": [numbers, numbers + 1], "video": ["a", None]})
    back = pa.Table.from_pandas(frame).to_pandas()
    if not np.array_equal(back["scores"][1], numbers + 1):
        raise RuntimeError("a table came back from Arrow with other numbers")
    return f"pyarrow {pa.__version__}, pandas {pd.__version__}, NumPy {np.__version__}"
