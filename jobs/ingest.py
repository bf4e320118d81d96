"""Sample the videos that are new since the last run, each of them once: a job for spark-submit.

    spark-submit jobs/ingest.py --input landing/ --checkpoint out/checkpoint --output out/table \\
        --text "a red car"

Run it as often as you like. It samples the videos that are new, and ends. After a kill, the next
run continues. `--help-all` explains every option. Exits with 1 when no video succeeded or the job
broke, with 2 for wrong options, with 3 when more videos failed than --max-failures allows.
"""

import sys

from spark_keyframes.jobs.ingest import main

if __name__ == "__main__":
    sys.exit(main())
