"""``sweeping_results.txt``, in the form the scenario's own scripts print scikit-learn's old ``grid_scores_``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sparksweep.runs.values import python_value

__all__ = ["sweeping_results"]


def sweeping_results(cv_results: Mapping[str, Any], metric: str | Sequence[str]) -> str:
    """Return the text of ``sweeping_results.txt``.

    The first line is ``metric =  NAME`` (two blanks), then there is a line a candidate in candidate order. With several
    metrics there is such a block for each, an empty line between them.

    Parameters
    ----------
    cv_results : mapping of str to array
        As scikit-learn's searches give it.
    metric : str or sequence of str
        The scorer's name; of a search with several scorers, their names as in ``mean_test_<name>``.
    """
    if isinstance(metric, str):
        return _block(cv_results, metric, "score")
    return "\n".join(_block(cv_results, name, name) for name in metric)


def _block(cv_results: Mapping[str, Any], metric: str, suffix: str) -> str:
    rows = zip(cv_results[f"mean_test_{suffix}"], cv_results[f"std_test_{suffix}"], cv_results["params"], strict=True)
    lines = [f"mean: {mean:.5f}, std: {std:.5f}, params: {_params_text(params)}" for mean, std, params in rows]
    return "\n".join([f"metric =  {metric}", *lines]) + "\n"


def _params_text(params: Mapping[str, Any]) -> str:
    """Return params as Python prints a dict, keys sorted; an object's repr that has several lines becomes one."""
    plain = python_value(params)
    return " ".join(repr({name: plain[name] for name in sorted(plain)}).split("\n"))
