"""Decode videos once, to ask for keyframes and moments later: a job for spark-submit.

    spark-submit jobs/index.py --input videos/ --output out/index --resume
    spark-submit jobs/search.py --input out/index --text "a red car"

`--help-all` explains every option. Exits with 1 when no video succeeded or the job broke, with 2
for wrong options, with 3 when more videos failed than --max-failures allows.
"""

import sys

from spark_keyframes.jobs.index import main

if __name__ == "__main__":
    sys.exit(main())
