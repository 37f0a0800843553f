"""spark-submit jobs/features.py EXPERIMENT --workspace URI: ``sparksweep features`` as a Spark application."""

import sys

from sparksweep.cli import main

if __name__ == "__main__":
    sys.exit(main(["features", *sys.argv[1:]]))
