"""What the README shows is so: its experiment is the shipped one, its commands parse."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXPERIMENTS = re.findall(r"^```yaml\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
COMMANDS = [shlex.split(text, comments=True) for text in re.findall(r"\.venv/bin/sparksweep ([^`\n]+)", README)]


def test_the_experiment_is_the_one_that_scripts_run_uses():
    shown = [yaml.safe_load(text) for text in EXPERIMENTS if "demo/raw" in text]
    assert shown == [yaml.safe_load((ROOT / "conf" / "experiments" / "demo.yaml").read_text(encoding="utf-8"))]


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_each_command_has_the_options_shown(command):
    from typer.main import get_command

    from sparksweep.cli.main import app

    name, *arguments = command
    group = get_command(app)
    context = group.make_context("sparksweep", [name, *arguments])
    _, subcommand, rest = group.resolve_command(context, [name, *arguments])
    if hasattr(subcommand, "commands"):
        _, subcommand, rest = subcommand.resolve_command(subcommand.make_context(name, rest), rest)
    assert subcommand.make_context(name, rest).params


def test_the_schema_of_event_logs_is_one():
    from sparksweep.eventlogs import parse_log_schema

    (shown,) = (text for text in EXPERIMENTS if "feature_sets:" in text)
    assert set(parse_log_schema(shown, "README.md").feature_sets) == {"hour", "product", "aisle", "word", "segment"}


def test_there_are_commands_to_look_at():
    assert {command[0] for command in COMMANDS} >= {"generate", "sweep", "predict", "runs"}
