"""spark-submit jobs/sweep.py EXPERIMENT --workspace URI: ``sparksweep sweep`` as a Spark application."""

import sys

from sparksweep.cli import main

if __name__ == "__main__":
    sys.exit(main(["sweep", *sys.argv[1:]]))
