"""Measures which frames each selector chooses, in drawn videos whose events are known."""

import os

# Before numpy is imported. Threads of small products wait for each other, on a busy machine long.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
