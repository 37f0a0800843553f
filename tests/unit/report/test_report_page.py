"""A run's page: what it says, in which order, and that nothing in it runs or loads."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from sparksweep.report import render_report
from sparksweep.report.content import constant_params, duration, ranking, timings
from sparksweep.runs import results_table

pytestmark = pytest.mark.slow

VOID = {"meta", "br", "line", "circle"}


def masked(values):
    array = np.ma.MaskedArray(np.empty(len(values), dtype=object), mask=True)
    for place, value in enumerate(values):
        if value is not ...:
            array[place] = value
    return array


def results(**changes):
    """Four candidates; the third is best, two share a rank, the last has a failed split."""
    return results_table(
        {
            "mean_fit_time": np.array([1.0, 2.0, 3.0, 4.0]),
            "mean_score_time": np.array([0.5, 0.5, 0.5, 0.5]),
            "param_max_depth": masked([3, None, 3, 4]),
            "param_eta": masked([0.1, 0.1, 0.1, 0.1]),
            "param_gamma": masked([..., 1, ..., 1]),
            "params": [{}] * 4,
            "split0_test_score": np.array([-2.0, -2.0, -1.0, -2.0]),
            "split1_test_score": np.array([-3.0, -3.0, -2.0, np.nan]),
            "mean_test_score": np.array([-2.5, -2.5, -1.5, np.nan]),
            "std_test_score": np.array([0.5, 0.5, 0.5, np.nan]),
            "rank_test_score": np.array([2, 2, 1, 4], dtype=np.int32),
            **changes,
        }
    )


RUN = {
    "run_id": "20261123T224100Z-0a1b2c3d",
    "status": "complete",
    "experiment": "demo",
    "started": "2026-11-23T22:41:00.000Z",
    "seconds": 75.2,
    "refit_seconds": 1.5,
    "metric": "neg_log_loss",
    "best": {"index": 2, "params": {"max_depth": 3, "eta": 0.1}, "score": -1.5, "scorer": "neg_log_loss"},
    "n_candidates": 4,
    "n_splits": 2,
    "n_fits": 8,
    "n_failed": 1,
    "failed_fits": [{"status": "failed", "reason": "ValueError: bad", "n_fits": 1, "candidate_ids": [3]}],
    "matrix": {"digest": "abc123", "shape": [10, 5]},
    "config": {"search": {"cv": 2}},
    "spark": {"spark.master": "local[2]", "spark.my.secret": "***"},
    "versions": {"numpy": "9.9.9"},
}


class Outline(HTMLParser):
    """Check that tags are closed in order; collect texts, attributes and table rows."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.attributes, self.rows = [], [], [], []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data.strip()


def test_the_page_is_whole_and_loads_nothing():
    page = render_report(RUN, results())
    outline = Outline(page)
    assert not {"script", "link", "img", "iframe", "object", "embed"} & set(outline.tags)
    assert not [name for name, _ in outline.attributes if name in ("src", "href") or name.startswith("on")]
    assert "http" not in page.replace('lang="en"', "")
    assert "@import" not in page
    assert "url(" not in page


def test_the_head_says_score_and_best_params():
    page = render_report(RUN, results())
    assert "<title>demo: -1.50000</title>" in page
    assert '<div class="score">-1.50000</div>' in page
    assert '<span class="soft">eta</span> 0.1' in page
    assert re.search(r"<b>8</b> fits.*<b>1</b> failed.*<b>1 min 15 s</b> from start to end", page, re.DOTALL)


def test_the_ranking_table():
    rows = Outline(render_report(RUN, results())).rows
    head, *body = rows[:5]
    assert head == [
        "rank",
        "mean neg_log_loss",
        "std",
        "splits-3.00000 to -1.00000",
        "max_depth",
        "gamma",
        "candidate",
    ]
    assert [[*row[:3], *row[4:]] for row in body] == [
        ["1", "-1.50000", "0.50000", "3", "–", "2"],
        ["2", "-2.50000", "0.50000", "3", "–", "0"],
        ["2", "-2.50000", "0.50000", "None", "1", "1"],
        ["4", "–", "–", "4", "1", "3"],
    ]


@pytest.mark.parametrize(("index", "rank"), [(2, "1"), (3, "4")])
def test_the_chosen_candidate_is_marked_though_a_callable_refit_chose_it(index, rank):
    page = render_report({**RUN, "best": {**RUN["best"], "index": index}}, results())
    assert re.findall(r'<tr class="best">\n<td class="n">(\d+)</td>', page) == [rank]


def test_fold_scores_stand_as_text_and_as_dots():
    found = ranking(RUN, results())
    assert found.candidates[0].folds == "-1.00000, -2.00000"
    assert (found.candidates[0].dots, found.candidates[0].mean_dot) == ([1.0, 0.5], 0.75)
    assert found.candidates[3].folds == "-2.00000, –"
    assert (found.candidates[3].dots, found.candidates[3].mean_dot) == ([0.5], None)


def test_ten_splits_are_in_their_order():
    columns = {f"split{split}_test_score": np.full(4, float(split)) for split in range(11)}
    assert ranking(RUN, results(**columns)).candidates[0].folds.startswith("0.00000, 1.00000, 2.00000, 3.00000")


def test_one_score_alone_is_in_the_middle():
    same = {name: np.full(4, 1.0) for name in ("split0_test_score", "split1_test_score", "mean_test_score")}
    assert {candidate.mean_dot for candidate in ranking(RUN, results(**same)).candidates} == {0.5}


def test_no_scores_at_all():
    none = {name: np.full(4, np.nan) for name in ("split0_test_score", "split1_test_score", "mean_test_score")}
    found = ranking({**RUN, "best": None}, results(**none))
    assert (found.worst, found.best) == ("–", "–")


def test_constant_params_are_listed_once():
    assert constant_params(results()) == {"eta": "0.1"}
    page = render_report(RUN, results())
    assert "The same in every candidate:" in page
    assert "The same in every candidate:" not in render_report(RUN, results(param_eta=masked([1, 2, 3, 4])))


def test_several_scorers_rank_by_the_one_that_decides():
    table = results_table(
        {
            "param_x": masked([1, 2]),
            "params": [{}, {}],
            "split0_test_auc": np.array([0.5, 0.6]),
            "mean_test_auc": np.array([0.5, 0.6]),
            "std_test_auc": np.array([0.0, 0.0]),
            "rank_test_auc": np.array([2, 1]),
            "split0_test_loss": np.array([-1.0, -2.0]),
            "mean_test_loss": np.array([-1.0, -2.0]),
            "std_test_loss": np.array([0.0, 0.0]),
            "rank_test_loss": np.array([1, 2]),
        }
    )
    run = {**RUN, "metric": ["auc", "loss"], "best": {**RUN["best"], "scorer": "loss"}}
    found = ranking(run, table)
    assert (found.scorer, found.others) == ("loss", ["auc"])
    assert [(each.candidate_id, each.mean, each.others) for each in found.candidates] == [
        (0, "-1.00000", ["0.50000"]),
        (1, "-2.00000", ["0.60000"]),
    ]
    assert ranking({**run, "best": None}, table).scorer == "auc"
    assert "mean auc" in render_report(run, table)


def test_a_long_ranking_is_cut_and_says_so():
    n = 250
    table = results_table(
        {
            "param_x": masked(list(range(n))),
            "params": [{}] * n,
            "split0_test_score": np.arange(n) * 1.0,
            "mean_test_score": np.arange(n) * 1.0,
            "std_test_score": np.zeros(n),
            "rank_test_score": np.arange(n, 0, -1),
        }
    )
    page = render_report(RUN, table)
    assert "The best 200 of 250 candidates; cv_results.csv has all." in page
    assert len([row for row in Outline(page).rows if row and row[0].isdigit() and len(row) == 6]) == 200


def test_failed_fits_with_their_reason():
    rows = Outline(render_report(RUN, results())).rows
    assert ["1", "failed", "ValueError: bad", "3"] in rows
    assert "Failed fits" not in render_report({**RUN, "failed_fits": [], "n_failed": 0}, results())


def test_settings_versions_and_matrix():
    page = render_report(RUN, results())
    for text in ("spark.master", "local[2]", "***", "9.9.9", "abc123", "[10, 5]", "&#34;cv&#34;: 2"):
        assert text in page


@pytest.mark.parametrize("where", ["experiment", "reason", "param", "value", "setting"])
def test_every_text_is_escaped(where):
    evil = "<script>alert(1)</script>"
    run, table = dict(RUN), results()
    if where == "experiment":
        run["experiment"] = evil
    elif where == "reason":
        run["failed_fits"] = [{**RUN["failed_fits"][0], "reason": evil}]
    elif where == "param":
        table = results(**{f"param_{evil}": masked([1, 2, 3, 4])})
    elif where == "value":
        table = results(param_x=masked([evil, "b", "c", "d"]))
    else:
        run["spark"] = {evil: evil}
    page = render_report(run, table)
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_a_run_without_a_best_candidate_and_with_little_known():
    run = {"run_id": "x", "status": "complete", "best": None}
    page = render_report(run, results())
    assert "no candidate was chosen" in page
    assert "<title>sweep: complete</title>" in page
    Outline(page)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.004, "0.00 s"), (9.5, "9.50 s"), (42.4, "42 s"), (60, "1 min 0 s"), (3599.6, "1 h 0 min"), (7384, "2 h 3 min")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_timings():
    assert timings(RUN, results()) == {
        "from start to end": "1 min 15 s",
        "all fits, one after the other": "20 s",
        "all scoring, one after the other": "4.00 s",
        "refit": "1.50 s",
    }
