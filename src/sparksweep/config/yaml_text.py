"""YAML as people write it: ``1e-3`` is a number, and a key given twice is an error instead of a silent choice.

PyYAML follows YAML 1.1, where a float needs a dot; the pattern below is YAML 1.2's (core schema, section 10.3.2).
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

import yaml

from sparksweep.errors import ConfigError
from sparksweep.redaction import SECRET_NAME, redact_text

__all__ = ["parse_value", "parse_yaml"]


class _StrictLoader(yaml.SafeLoader):
    """PyYAML's safe loader with YAML 1.2 floats that refuses doubled keys."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Build a value; an impossible one (the date 2016-13-45, an anchor within itself) is an error with its line."""
        try:
            return super().construct_object(node, deep=True)
        except ValueError as error:
            raise yaml.constructor.ConstructorError(None, None, f"{node.value}: {error}", node.start_mark) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Build a mapping; raise where a key comes twice."""
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                continue  # which PyYAML itself refuses
            key = key_node.value
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is given twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


_StrictLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:float"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    list("-+0123456789."),
)


def parse_yaml(text: str, origin: str) -> Any:
    """Return what a YAML document says.

    Parameters
    ----------
    text : str
        The document.
    origin : str
        Where it comes from, for messages.

    Raises
    ------
    ConfigError
        The text is no YAML, or gives a key twice; names the line.
    """
    try:
        return _load(text)
    except yaml.YAMLError as error:
        raise ConfigError([f"{origin}: {_one_line(error, _lines_of(error, text))}"]) from None


def parse_value(text: str, option: str) -> Any:
    """Return the value of one ``--set KEY=VALUE``, read as YAML; `option` is what messages show of it."""
    try:
        return _load(text)
    except yaml.YAMLError as error:
        raise ConfigError([f"--set {option}: the value is not YAML: {_one_line(error, option)}"]) from None


def _load(text: str) -> Any:
    try:
        return yaml.load(text, _StrictLoader)
    except RecursionError as error:
        raise yaml.YAMLError("nested too deeply") from error


def _lines_of(error: yaml.YAMLError, text: str) -> str:
    """Return the line of a text that an error is about and the one before, whose key it may belong to."""
    mark = getattr(error, "problem_mark", None)
    return "" if mark is None else "\n".join(text.splitlines()[max(0, mark.line - 1) : mark.line + 1])


def _one_line(error: yaml.YAMLError, near: str) -> str:
    """Word an error; YAML's own words quote what they stumble over, which `near` may call a secret.

    The cause of what is raised with it is left out: its text holds the lines around.
    """
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    if SECRET_NAME.search(near):
        problem = "cannot be read; put the value into quotes"
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
    return where + redact_text(" ".join(str(problem).split()))
