"""What README and docs/ show is so: the experiment is the shipped one, commands parse, each key of a schema is told."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EVENT_LOGS = (ROOT / "docs" / "own-event-logs.md").read_text(encoding="utf-8")
EXPERIMENTS = re.findall(r"^```yaml\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
COMMANDS = [
    shlex.split(text, comments=True) for text in re.findall(r"\.venv/bin/sparksweep ([^`\n]+)", README + EVENT_LOGS)
]


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


def test_the_schema_shown_is_part_of_the_whole_one():
    (shown,) = (yaml.safe_load(text) for text in EXPERIMENTS if "feature_sets:" in text)
    (whole,) = (yaml.safe_load(text) for text in re.findall(r"^```yaml\n(tables:.*?)^```$", EVENT_LOGS, re.M | re.S))
    assert shown["rows"] == whole["rows"]
    assert shown["feature_sets"].items() <= whole["feature_sets"].items()


def test_each_key_of_a_schema_is_told():
    from sparksweep.eventlogs import schema

    keys = re.split(r"^A column is|^`(?:tables|rows|feature_sets)`|^A `lookup`", EVENT_LOGS, flags=re.MULTILINE)[1:]
    models = (schema.LogTable, schema.LogColumn, schema.Rows, schema.SetSettings, schema.Lookup)
    told = [set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) for text in keys]
    assert told == [set(model.model_fields) - {"type"} for model in models]


def test_each_function_of_an_expression_is_told():
    from sparksweep.eventlogs.expressions import FUNCTIONS

    (listed,) = re.findall(r"of these functions:\n\n`([^`]*)`", EVENT_LOGS)
    assert listed.split() == sorted(FUNCTIONS)


def test_links_lead_to_files():
    for text, folder in ((README, ROOT), (EVENT_LOGS, ROOT / "docs")):
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            assert (folder / link).exists(), link


def test_there_are_commands_to_look_at():
    assert {command[0] for command in COMMANDS} >= {"generate", "sweep", "predict", "runs"}
