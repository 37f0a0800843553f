"""spark-submit jobs/ingest.py EXPERIMENT --workspace URI: ``sparksweep ingest`` as a Spark application."""

import sys

from sparksweep.cli import main

if __name__ == "__main__":
    sys.exit(main(["ingest", *sys.argv[1:]]))
