"""Find the moments of many videos that match a text: a job for spark-submit.

    spark-submit jobs/search.py --input out/index --text "a red car" --open-frames out/frames

It asks an index that jobs/index.py made, and decodes no video; --open-frames decodes the frames
that it found. `--help-all` explains every option. Exits with 1 when the job broke or no frame could
be opened, and with 2 for wrong options, such as another model than that of the index.
"""

import sys

from spark_keyframes.jobs.search import main

if __name__ == "__main__":
    sys.exit(main())
