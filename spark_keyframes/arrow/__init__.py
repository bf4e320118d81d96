"""Rows as Arrow record batches, for Spark, pandas and every other engine that has Arrow."""
