"""Fill the page's template; every text is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from jinja2 import Environment, PackageLoader, StrictUndefined

from sparksweep.report.content import constant_params, ranking, settings_text, timings

__all__ = ["render_report"]

TEMPLATE = "report.html.jinja"
OPTIONAL = ("started", "reason", "n_splits", "n_fits", "n_failed")  # of the record, as the template asks for them


def render_report(run: Mapping[str, Any], results: pa.Table) -> str:
    """Return a run as one HTML page: no scripts, nothing loaded from elsewhere.

    Parameters
    ----------
    run : mapping
        What ``run.json`` says; secrets are out of it already.
    results : pyarrow.Table
        As `sparksweep.runs.results_table` gives it.
    """
    environment = Environment(
        loader=PackageLoader("sparksweep", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    best = run.get("best")
    return environment.get_template(TEMPLATE).render(
        title=run.get("experiment") or "sweep",
        run={**dict.fromkeys(OPTIONAL), **run},
        best_score=None if best is None or best["score"] is None else f"{best['score']:.5f}",
        best_index=None if best is None else best["index"],
        best_params={} if best is None else best["params"],
        ranking=ranking(run, results),
        constant=constant_params(results),
        timings=timings(run, results),
        failed_fits=run.get("failed_fits") or [],
        config=settings_text(run["config"]) if run.get("config") else None,
        matrix=run.get("matrix") or {},
        spark=run.get("spark") or {},
        versions=run.get("versions") or {},
    )
