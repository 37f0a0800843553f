"""The arguments of ``fit``: which go to the estimator, which to the splitter, which to the scorers."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sklearn import get_config
from sklearn.utils.metadata_routing import process_routing

from sparksweep.search.scoring import Scoring, accepts_sample_weight

__all__ = ["Routed", "route"]


@dataclass(frozen=True)
class Routed:
    """Keyword arguments of the estimator's ``fit``, of the splitter's ``split`` and of the scorers."""

    fit: Mapping[str, Any]
    split: Mapping[str, Any]
    score: Mapping[str, Any]


def route(search: Any, scoring: Scoring, params: Mapping[str, Any]) -> Routed:
    """Return where each argument of ``search.fit`` goes.

    With scikit-learn's metadata routing enabled it goes to who asked for it. Without it, ``groups`` go to the splitter
    and all else to the estimator, and ``sample_weight`` also to the scorers that take it.
    """
    if get_config()["enable_metadata_routing"]:
        routed = process_routing(search, "fit", **params)
        return Routed(routed["estimator"]["fit"], routed["splitter"]["split"], routed["scorer"]["score"])
    fit_params = dict(params)
    groups = fit_params.pop("groups", None)
    score_params = {}
    if params.get("sample_weight") is not None and _scored_with_weights(search, scoring):
        score_params["sample_weight"] = params["sample_weight"]
    return Routed(fit_params, {"groups": groups}, score_params)


def _scored_with_weights(search: Any, scoring: Scoring) -> bool:
    """Tell whether any scorer takes weights; warn of each that does not."""
    scorers = {"": scoring.scorer} if scoring.each is None else scoring.each
    accepting = {name: accepts_sample_weight(scorer, search.estimator) for name, scorer in scorers.items()}
    for name, accepts in accepting.items():
        if not accepts:
            what = f"{name}={scorers[name]}" if name else f"{scorers[name]}"
            warnings.warn(
                f"The scoring {what} does not support sample_weight, which may lead to statistically incorrect "
                f"results when fitting {search} with sample_weight. ",
                UserWarning,
                stacklevel=2,
            )
    return any(accepting.values())
