"""Fixtures shared by all tests: one Spark session, sized for two cores, and CI's rule on skips."""

from __future__ import annotations

import os
import signal
import sys

import pytest
from hypothesis import settings

from sparksweep.session import archive_options

# What runs for a minute does not earn back what the second compiler and a parallel collector cost two cores.
QUICK_JAVA = " ".join(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", *archive_options()])


# How long an input may take says nothing on a machine that others use too.
settings.register_profile("sparksweep", deadline=None)
settings.load_profile("sparksweep")


def pytest_configure(config):
    """Let Ctrl-C reach what the tests start: what a shell runs in the background is born deaf to it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """Call property tests slow: they try their property on a hundred inputs."""
    for item in items:
        if "hypothesis" in item.keywords:
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """In CI a test that was skipped has failed: a missing tool must not look like a green run."""
    report = yield
    if os.environ.get("CI") == "true" and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome, report.longrepr = "failed", f"skipped, which CI=true does not allow: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """The same for a whole file."""
    report = yield
    if os.environ.get("CI") == "true" and report.skipped:
        report.outcome, report.longrepr = "failed", f"skipped, which CI=true does not allow: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def spark(tmp_path_factory):
    """One local session for the whole test process: two slots, no pages, no retries that would hide a failure."""
    from sparksweep.session import open_session

    os.environ["PYSPARK_PYTHON"] = sys.executable
    scratch = tmp_path_factory.mktemp("spark")
    session = open_session(
        "sparksweep-tests",
        master="local[2]",
        conf={
            "spark.driver.extraJavaOptions": QUICK_JAVA,
            "spark.sql.shuffle.partitions": "2",
            "spark.default.parallelism": "2",
            "spark.local.dir": str(scratch),
            "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        },
    )
    yield session
    session.stop()
