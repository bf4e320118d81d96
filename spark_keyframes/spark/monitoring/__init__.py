"""Reports metrics and progress of a run on Spark."""
