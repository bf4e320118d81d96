"""Reads and writes S3 and storages that speak its API, through botocore, the SDK of AWS."""
