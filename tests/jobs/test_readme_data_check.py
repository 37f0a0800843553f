"""The data check that README shows is the demo's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.jobs.shown import assert_shown

pytestmark = [pytest.mark.spark, pytest.mark.slow]

ROOT = Path(__file__).parents[2]


def test_the_data_check_is_the_demos(command, tmp_path):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (generate,) = re.findall(r"^\.venv/bin/sparksweep (generate --out demo/raw [^#\n]*)", readme, re.MULTILINE)
    command(*generate.replace("demo/raw", str(tmp_path / "raw")).split()).done()
    ingest = ("ingest", "demo", "--workspace", tmp_path / "workspace", "--set", f"data.source={tmp_path}/raw")
    (shown,) = re.findall(r"^```\n(table .*?)^```$", readme, re.MULTILINE | re.DOTALL)
    assert_shown("...\n" + shown, command(*ingest).done())
