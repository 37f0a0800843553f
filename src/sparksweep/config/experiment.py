"""The settings of an experiment, one model a section of its YAML file.

Names of feature sets, estimators and scorers are checked by the rooms that know them (see ``pipeline.experiments``);
here stand form and defaults.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    field_validator,
    model_validator,
)

from sparksweep.config.sizes import parse_size
from sparksweep.errors import UsageError

__all__ = ["DataSettings", "Experiment", "FeatureSettings", "SearchSettings", "SplitterSettings"]

ParamGrid = dict[str, list[Any]]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class DataSettings(_Section):
    """Where the data is, and in which form.

    Attributes
    ----------
    source : str
        A folder with the scenario's zips, or the file of another format; relative to the current folder. The zips may
        also be in a folder of a blob container: ``wasb[s]://``, ``abfs[s]://``, ``https://``.
    format : {"talkingdata", "logs", "npz", "svmlight", "parquet"}
        ``talkingdata`` and ``logs`` are event logs that become a matrix by feature sets, the scenario's and those of
        `schema_file`; the others are a matrix already.
    schema_file : str, optional
        Path of the YAML file that tells the tables and feature sets of ``logs``; relative to the current folder.
    target, fold_column, group_column, weight_column : str, optional
        Names in a file of the other formats: the target, per-row fold numbers, groups and weights.
    max_rejected : int
        How many rows of a log's file may be left out because they do not fit its schema; they are counted and listed.
    """

    source: str = Field(min_length=1)
    format: Literal["talkingdata", "logs", "npz", "svmlight", "parquet"] = "talkingdata"
    schema_file: str | None = None
    target: str | None = None
    fold_column: str | None = None
    group_column: str | None = None
    weight_column: str | None = None
    max_rejected: StrictInt = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _columns_fit_format(self) -> DataSettings:
        named = [name for name in ("target", "fold_column", "group_column", "weight_column") if getattr(self, name)]
        allowed = {"parquet": {"target", "fold_column", "group_column", "weight_column"}, "npz": {"target"}}
        wrong = [name for name in named if name not in allowed.get(self.format, set())]
        if wrong:
            raise ValueError(f"{', '.join(wrong)} cannot be set for format {self.format}")
        if self.max_rejected and self.format not in ("talkingdata", "logs"):
            raise ValueError(f"max_rejected cannot be set for format {self.format}")
        if (self.format == "logs") != (self.schema_file is not None):
            raise ValueError("schema_file and format logs go together: it tells what the logs are")
        if self.format == "parquet" and self.target is None:
            raise ValueError("format parquet needs data.target, the name of the target's column")
        return self


def _file_name(value: str) -> str:
    if value.startswith(".") or "/" in value or "\\" in value:
        raise ValueError("must be a plain folder name, without slashes or a leading dot")
    return value


def _refuse_doubled(names: list[str]) -> None:
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ValueError(f"{', '.join(doubled)} given more than once")


class FeatureSettings(_Section):
    """Which feature sets make the matrix.

    Attributes
    ----------
    name : str
        Folder of the matrix in the workspace, ``matrix/<name>/``.
    sets : list of str
        Feature sets in stacking order.
    encoding : {"fraction", "indicator"}
        Shares as they are, or 1 where a share is above 0.
    """

    name: Annotated[str, AfterValidator(_file_name)] = Field(default="features", min_length=1)
    sets: list[str] = Field(min_length=1)
    encoding: Literal["fraction", "indicator"] = "fraction"

    @field_validator("sets")
    @classmethod
    def _each_once(cls, sets: list[str]) -> list[str]:
        _refuse_doubled(sets)
        return sets


class SplitterSettings(BaseModel):
    """A splitter by dotted name; its other keys are its arguments."""

    model_config = ConfigDict(extra="allow", frozen=True)

    splitter: str


class SearchSettings(_Section):
    """What is tried and how it is judged; the words are scikit-learn's.

    Attributes
    ----------
    estimator : str
        Dotted name of a class with scikit-learn's API.
    params : dict
        Fixed parameters of the estimator.
    param_grid : dict of str to list, or list of such dicts
        Every combination is a candidate.
    n_iter : int, optional
        Try this many candidates of the grid, drawn by `random_state`, instead of all.
    scoring : str or list of str
        Names of scorers.
    cv : int, "folds" or splitter
        Number of folds, the matrix's own fold numbers, or a splitter by dotted name with arguments.
    refit : bool or str
        Train the best candidate on all rows; with several scorers the name of the one that decides.
    error_score : "raise" or float
        Score of a fit that fails.
    fit_timeout : float, optional
        Seconds that training and scoring a fit may take, or all fits that one training serves.
    fit_memory : int or str, optional
        Bytes that a fit may take for itself, or a text such as ``2g``; default is its share of what holds it.
    """

    estimator: str
    params: dict[str, Any] = Field(default_factory=dict)
    param_grid: ParamGrid | list[ParamGrid]
    n_iter: StrictInt | None = Field(default=None, ge=1)
    random_state: StrictInt | None = None
    scoring: str | list[str] | None = None
    cv: StrictInt | Literal["folds"] | SplitterSettings = 5
    refit: StrictBool | str = True
    error_score: Literal["raise"] | StrictFloat | StrictInt = math.nan
    return_train_score: StrictBool = False
    fit_timeout: Annotated[StrictFloat, Field(gt=0)] | Annotated[StrictInt, Field(gt=0)] | None = None
    fit_memory: Annotated[StrictInt, Field(gt=0)] | str | None = None

    @field_validator("fit_memory")
    @classmethod
    def _is_size(cls, size: int | str | None) -> int | str | None:
        if size is not None:
            try:
                parse_size(size)
            except UsageError as error:
                raise ValueError(str(error)) from error
        return size

    @field_validator("param_grid")
    @classmethod
    def _values_given(cls, grid: ParamGrid | list[ParamGrid]) -> ParamGrid | list[ParamGrid]:
        grids = grid if isinstance(grid, list) else [grid]
        if not grids:
            raise ValueError("holds no candidate")
        empty = [name for each in grids for name, values in each.items() if not values]
        if empty:
            raise ValueError(f"{', '.join(empty)}: an empty list makes no candidate")
        return grid

    @field_validator("scoring")
    @classmethod
    def _scorers_differ(cls, scoring: Any) -> Any:
        if isinstance(scoring, list):
            if not scoring:
                raise ValueError("names no scorer")
            _refuse_doubled(scoring)
        return scoring

    @field_validator("cv")
    @classmethod
    def _at_least_two_folds(cls, cv: Any) -> Any:
        if isinstance(cv, int) and cv < 2:
            raise ValueError("must be at least 2 folds")
        return cv

    @model_validator(mode="after")
    def _refit_names_a_scorer(self) -> SearchSettings:
        several = isinstance(self.scoring, list)
        if several and self.refit is True:
            raise ValueError("with a list of scorers, refit must be false or the name of one of them")
        if several and isinstance(self.refit, str) and self.refit not in (self.scoring or []):
            raise ValueError(f"refit={self.refit!r} is none of the scorers {self.scoring}")
        if self.random_state is not None and self.n_iter is None:
            raise ValueError("random_state belongs to n_iter, which is not set")
        return self


class Experiment(_Section):
    """One experiment: data, features, search, and settings for Spark.

    Attributes
    ----------
    name : str
        The file's name without ending.
    spark : dict of str to str
        Spark settings by their full names.
    """

    name: str
    data: DataSettings
    features: FeatureSettings
    search: SearchSettings
    spark: dict[str, str] = Field(default_factory=dict)
