"""Find the keyframes that match a text, in many videos: the job for spark-submit.

    spark-submit jobs/sample.py --input videos/ --text "a red car" --output-tos-dir out/keyframes

`--help-all` explains every option. Exits with 1 when no video succeeded or the job broke, with 2
for wrong options, with 3 when more videos failed than --max-failures allows.
"""

import sys

from spark_keyframes.jobs.sample import main

if __name__ == "__main__":
    sys.exit(main())
