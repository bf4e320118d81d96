"""Lists the videos of a folder, a glob or a list, without Spark."""
