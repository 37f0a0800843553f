"""One command at work: its experiment, its workspace, and how it speaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from pyspark.sql import SparkSession

from sparksweep.config import Experiment
from sparksweep.errors import UsageError
from sparksweep.pipeline.experiments import check_search, read_experiment
from sparksweep.pipeline.scenarios import Scenario, scenario_of
from sparksweep.session import open_session
from sparksweep.storage import Store, local_path, open_store

__all__ = ["Job", "existing_workspace", "start_job"]


@dataclass(frozen=True)
class Job:
    """What every stage is given.

    Attributes
    ----------
    experiment : Experiment
        What is wanted.
    store : Store
        The workspace: ``tables/``, ``matrix/<features.name>/{train,test}/``, ``ledger/``, ``runs/<run_id>/``, and
        ``leases/`` of who makes tables and matrices.
    say : callable
        Takes a line for the user.
    rebuild : bool
        Make tables and matrices anew although they are there.
    scenario : Scenario or None
        What the event logs are; None where the data is a matrix already.
    keep : str
        Why what is there must not be made anew, "" where it may.
    search_check : callable or None
        Raises ConfigError where the search section's names are wrong; None where they have been looked at.
    """

    experiment: Experiment
    store: Store
    say: Callable[[str], None]
    rebuild: bool = False
    scenario: Scenario | None = None
    keep: str = ""
    search_check: Callable[[], object] | None = None

    def spark(self, text_bytes: int | None = None) -> SparkSession:
        """Return the session, started at the first call with the experiment's settings.

        Parameters
        ----------
        text_bytes : int, optional
            The size of the tables' text that it is for, if that is known.
        """
        return open_session(f"sparksweep {self.experiment.name}", conf=self.experiment.spark, text_bytes=text_bytes)

    def check_search(self) -> None:
        """Look at the search section's names unless that was done; called before anything is made.

        Raises
        ------
        ConfigError
            One of them is wrong.
        """
        if self.search_check is not None:
            self.search_check()

    def begin_anew(self, what: str, why: str) -> None:
        """Say that something is made anew, or refuse to.

        Raises
        ------
        UsageError
            It must be kept.
        """
        if self.keep:
            raise UsageError(f"{what} would have to be made anew: {why}; {self.keep}")
        self.say(f"{what} is made anew: {why}")

    @property
    def matrix_folder(self) -> str:
        """Folder of the experiment's matrices in the workspace."""
        return f"matrix/{self.experiment.features.name}"


def start_job(
    experiment: str,
    workspace: str,
    overrides: Sequence[str],
    say: Callable[[str], None],
    rebuild: bool = False,
    search_later: bool = False,
) -> Job:
    """Read an experiment and open a workspace.

    Parameters
    ----------
    experiment : str
        Path, URI or shipped name.
    workspace : str
        Folder or URI.
    overrides : sequence of str
        ``KEY=VALUE`` each.
    say : callable
        Takes a line for the user.
    rebuild : bool
        Make tables and matrices anew.
    search_later : bool
        Look at the search section's names only when something has to be made, for commands that do not search.

    Raises
    ------
    UsageError, ConfigError
        The experiment is unknown or wrong.
    StorageError
        The workspace cannot be used.
    """
    settings = read_experiment(experiment, overrides, search_later)
    search_check = partial(check_search, settings, experiment) if search_later else None
    if local_path(workspace) is None:
        open_session(f"sparksweep {settings.name}", conf=settings.spark)
    return Job(settings, open_store(workspace), say, rebuild, scenario_of(settings.data), search_check=search_check)


def existing_workspace(uri: str) -> Store:
    """Open a workspace to look at what is in it.

    Parameters
    ----------
    uri : str
        Folder or URI; for one that only the JVM of a session can read, a session is started.

    Raises
    ------
    UsageError
        There is no such folder.
    """
    if local_path(uri) is None:
        open_session("sparksweep")
    store = open_store(uri)
    if not store.exists(""):
        raise UsageError(f"no workspace {uri}: there is no such folder; give the one that a sweep was told")
    return store
