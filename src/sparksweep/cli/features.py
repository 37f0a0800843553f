"""``sparksweep features``: tables become the train and the test matrix."""

from __future__ import annotations

from sparksweep.cli.console import say
from sparksweep.cli.options import Experiment, Overrides, Rebuild, Workspace

__all__ = ["features"]


def features(experiment: Experiment, workspace: Workspace, overrides: Overrides = [], rebuild: Rebuild = False) -> None:  # noqa: B006
    """Build the experiment's feature sets as a sparse matrix of train and one of test devices."""
    from sparksweep.pipeline.job import start_job
    from sparksweep.pipeline.matrices import ensure_matrices

    job = start_job(experiment, workspace, overrides, say, rebuild, search_later=True)
    if not ensure_matrices(job):
        say(f"features: nothing to do: {job.store.uri(job.matrix_folder)} is made of this data with these settings")
