"""Parameters as plain values: what JSON can hold, or what Python prints without numpy's words."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["is_json", "json_text", "json_value", "python_value"]

ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def python_value(value: Any) -> Any:
    """Return a value whose numpy scalars and arrays, nested ones too, are Python's own."""
    if isinstance(value, np.ndarray):
        return [python_value(each) for each in value.tolist()]
    if isinstance(value, np.generic):
        return value.item()
    if type(value) in (list, tuple, set):
        return type(value)(python_value(each) for each in value)
    if isinstance(value, Mapping):
        return {python_value(key): python_value(each) for key, each in value.items()}
    return value


def json_value(value: Any) -> Any:
    """Return what strict JSON can hold of a value: itself if it can, its repr if not (NaN and infinities too).

    An address in a repr is left out, so that it is the same in every process.
    """
    plain = python_value(value)
    if plain is None or isinstance(plain, (bool, int, str)):
        return plain
    if isinstance(plain, float):
        return plain if math.isfinite(plain) else repr(plain)
    if isinstance(plain, (list, tuple)):
        return [json_value(each) for each in plain]
    if isinstance(plain, Mapping):
        return {str(key): json_value(each) for key, each in plain.items()}
    return ADDRESS.sub("", repr(plain))


def json_text(value: Any) -> str:
    """Return a value as JSON text, keys sorted."""
    return json.dumps(json_value(value), sort_keys=True, ensure_ascii=False)


def is_json(value: Any) -> bool:
    """Tell whether JSON holds a value so that the very same comes back (a tuple would come back as a list)."""
    if value is None or type(value) in (bool, int, str):
        return True
    if type(value) is float:
        return math.isfinite(value)
    if type(value) is list:
        return all(is_json(each) for each in value)
    return type(value) is dict and all(type(key) is str and is_json(each) for key, each in value.items())
