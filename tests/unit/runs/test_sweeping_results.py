"""``sweeping_results.txt``, byte for byte."""

from __future__ import annotations

import numpy as np

from sparksweep.runs import sweeping_results

RESULTS = {
    "params": [
        {"subsample": np.float64(0.5), "colsample_bylevel": 0.1, "n_estimators": np.int64(300)},
        {"objective": "multi:softprob", "max_depth": None, "layers": (np.int64(1), 2)},
    ],
    "mean_test_score": np.array([-2.290958, np.nan]),
    "std_test_score": np.array([0.0374849, np.nan]),
    "mean_test_auc": np.array([0.5, 0.75]),
    "std_test_auc": np.array([0.0, 0.125]),
    "mean_test_loss": np.array([-1.0, -2.0]),
    "std_test_loss": np.array([0.1, 0.2]),
}
PARAMS = (
    "{'colsample_bylevel': 0.1, 'n_estimators': 300, 'subsample': 0.5}",
    "{'layers': (1, 2), 'max_depth': None, 'objective': 'multi:softprob'}",
)


def test_one_metric():
    assert sweeping_results(RESULTS, "neg_log_loss") == (
        "metric =  neg_log_loss\n"
        f"mean: -2.29096, std: 0.03748, params: {PARAMS[0]}\n"
        f"mean: nan, std: nan, params: {PARAMS[1]}\n"
    )


def test_several_metrics_make_a_block_each():
    assert sweeping_results(RESULTS, ["auc", "loss"]) == (
        "metric =  auc\n"
        f"mean: 0.50000, std: 0.00000, params: {PARAMS[0]}\n"
        f"mean: 0.75000, std: 0.12500, params: {PARAMS[1]}\n"
        "\n"
        "metric =  loss\n"
        f"mean: -1.00000, std: 0.10000, params: {PARAMS[0]}\n"
        f"mean: -2.00000, std: 0.20000, params: {PARAMS[1]}\n"
    )


def test_a_candidate_stays_on_one_line():
    class Long:
        def __repr__(self):
            return "Long(\n    x=1)"

    results = {"params": [{"est": Long()}], "mean_test_score": [0.5], "std_test_score": [0.0]}
    assert sweeping_results(results, "m") == (
        "metric =  m\nmean: 0.50000, std: 0.00000, params: {'est': Long(     x=1)}\n"
    )
