"""Which candidates of a video to look at with `scan="coarse"`, where not all of them are.

`CoarseScan` is what the engine uses: it says which frames to score next, and is told their scores.
"""

import logging

from spark_keyframes.scan.check import ScanName, check_looks_at_all, check_scan
from spark_keyframes.scan.coarse import CoarseScan

__all__ = ["CoarseScan", "ScanName", "check_looks_at_all", "check_scan", "log_why_not", "logger"]

logger = logging.getLogger("spark_keyframes.scan")
"""Says at level INFO which videos are looked at wholly, and why."""


def log_why_not(name: str, why_not: str) -> None:
    """Log why all candidates of a video are looked at."""
    logger.info("%s: all candidates are looked at: %s", name, why_not)
