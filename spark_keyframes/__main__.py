"""`python -m spark_keyframes` is the command `spark-keyframes`."""

import sys

from spark_keyframes.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
