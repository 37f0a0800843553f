"""The example of docs/own-event-logs.md, run as it is written, ends as it is shown."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.jobs.shown import assert_shown

pytestmark = [pytest.mark.spark, pytest.mark.slow]

DOC = (Path(__file__).parents[2] / "docs" / "own-event-logs.md").read_text(encoding="utf-8")
FILES = re.findall(
    r"^`([\w.]+)` [^`]*(?:`[^`]+`[^`]*)*:\n\n```(?:python|yaml)\n(.*?)^```$", DOC, re.MULTILINE | re.DOTALL
)
SHOWN = re.findall(r"^```console\n\$ ([^\n]*)\n(.*?)^```$", DOC, re.MULTILINE | re.DOTALL)
HOME = "/home/you"  # where the folder is, in what is shown


@pytest.fixture(scope="module")
def said(command, tmp_path_factory):
    """Return what each command says, all of them run one after the other in a folder of their own."""
    folder = tmp_path_factory.mktemp("own")
    for name, text in FILES:
        (folder / name).write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return {line: _run(line, command).replace(str(folder), HOME) for line, _ in SHOWN}


def _run(line, command):
    program, _, arguments = line.partition(" ")
    if program == ".venv/bin/sparksweep":
        return command(*arguments.split()).done()
    shell = ["bash", "-c", line.replace(".venv/bin/python", sys.executable)]
    return subprocess.run(shell, check=True, capture_output=True, text=True).stdout


def test_the_files_are_there():
    assert [name for name, _ in FILES] == ["make_shop.py", "shop.yaml", "churn.yaml"]
    assert len(SHOWN) == 5


@pytest.mark.parametrize(("line", "shown"), SHOWN, ids=[line for line, _ in SHOWN])
def test_a_command_says_what_is_shown(said, line, shown):
    assert_shown(shown, said[line])
