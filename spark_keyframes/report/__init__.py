"""One self-contained HTML page about a run: totals, failures, time, and a gallery of all videos."""

from spark_keyframes.report.options import ReportOptions
from spark_keyframes.report.write import Written, write_report

__all__ = ["ReportOptions", "Written", "write_report"]
