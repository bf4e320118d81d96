"""The script that a subcommand gives to spark-submit; its first argument is the subcommand.

It is alone in its folder, because Python finds the modules beside a script first.
"""

import sys

from spark_keyframes.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
