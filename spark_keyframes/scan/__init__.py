"""Which candidates of a video to look at with `scan="coarse"`, where not all of them are.

`CoarseScan` is what the engine uses: it says which frames to score next, and is told their scores.
"""

from spark_keyframes.scan.check import ScanName, check_looks_at_all, check_scan
from spark_keyframes.scan.coarse import CoarseScan

__all__ = ["CoarseScan", "ScanName", "check_looks_at_all", "check_scan"]
