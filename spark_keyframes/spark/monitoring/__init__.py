"""What Spark reports about a run: metrics, accounts and progress."""
