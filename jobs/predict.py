"""spark-submit jobs/predict.py EXPERIMENT --workspace URI: ``sparksweep predict`` as a Spark application."""

import sys

from sparksweep.cli import main

if __name__ == "__main__":
    sys.exit(main(["predict", *sys.argv[1:]]))
