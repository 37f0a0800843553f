"""An experiment file: what is read, and each thing that can be wrong with it."""

from __future__ import annotations

import math
import pickle

import pytest

from sparksweep.config import parse_experiment
from sparksweep.errors import ConfigError

TEXT = """
data:
  source: raw
features:
  sets: [hour, app]
search:
  estimator: sklearn.linear_model.LogisticRegression
  param_grid:
    C: [0.1, 1]
"""


def problems(text, *overrides):
    with pytest.raises(ConfigError) as caught:
        parse_experiment(text, "conf/mine.yaml", overrides)
    return list(caught.value.problems)


def test_defaults():
    experiment = parse_experiment(TEXT, "conf/mine.yaml")
    assert experiment.name == "mine"
    assert experiment.features.encoding == "fraction"
    assert experiment.search.cv == 5
    assert math.isnan(experiment.search.error_score)
    assert experiment.spark == {}


def test_overrides_replace_add_and_reach_into_spark():
    experiment = parse_experiment(
        TEXT,
        "mine.yaml",
        ["search.param_grid.C=[1e-3]", "search.params.seed=3", "spark.executor.memory=2g", "spark.speculation=true"],
    )
    assert experiment.search.param_grid == {"C": [0.001]}
    assert experiment.search.params == {"seed": 3}
    assert experiment.spark == {"spark.executor.memory": "2g", "spark.speculation": "true"}


def test_spark_settings_by_their_full_names():
    text = TEXT + "spark:\n  spark.executor.memory: 2g\n  driver.memory: 1g\n  hadoop: {spark.x: 1}\n"
    assert parse_experiment(text, "x.yaml", ["spark.executor.memory=3g"]).spark == {
        "spark.executor.memory": "3g",
        "spark.driver.memory": "1g",
        "spark.hadoop.spark.x": "1",
    }


def test_nested_spark_settings_are_flattened():
    text = TEXT + "spark:\n  executor: {memory: 2g, cores: 4}\n  driver.memory: 1g\n"
    assert parse_experiment(text, "x.yaml").spark == {
        "spark.executor.memory": "2g",
        "spark.executor.cores": "4",
        "spark.driver.memory": "1g",
    }


@pytest.mark.parametrize("number", ["1e-3", "1E-3", "0.001", ".001", "+1e-3"])
def test_floats_as_people_write_them(number):
    value = parse_experiment(TEXT, "x.yaml", [f"search.param_grid.C=[{number}]"]).search.param_grid["C"][0]
    assert value == 0.001


def test_integers_and_texts_stay_what_they_are():
    grid = parse_experiment(TEXT, "x.yaml", ["search.param_grid.C=[1, '1e3', 1.5.2, e5]"]).search.param_grid["C"]
    assert grid == [1, "1e3", "1.5.2", "e5"]
    assert isinstance(grid[0], int)


def test_every_problem_is_listed_at_once():
    text = TEXT.replace("source", "sorce").replace("sets", "set").replace("C: [0.1, 1]", "C: 3")
    assert problems(text) == [
        "conf/mine.yaml: data.source: is missing",
        "conf/mine.yaml: data.sorce: unknown key; did you mean 'source'? (known: source, format, schema_file, target, "
        "fold_column, group_column, weight_column, max_rejected)",
        "conf/mine.yaml: features.sets: is missing",
        "conf/mine.yaml: features.set: unknown key; did you mean 'sets'? (known: name, sets, encoding)",
        "conf/mine.yaml: search.param_grid.C: must be a list of values, such as [3], got 3",
    ]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("search.cv=1", "search.cv: must be at least 2 folds"),
        ("search.cv=three", "search.cv: must be a number of folds, 'folds', or a mapping"),
        ("search.cv=true", "search.cv: must be a number of folds"),
        ("search.refit=3", "search.refit: must be true, false or the name of a scorer, got 3"),
        (
            "search.error_score=worst",
            "search.error_score: must be 'raise' or a number (.nan is YAML's NaN), got 'worst'",
        ),
        ("search.error_score=true", "search.error_score: must be 'raise' or a number (.nan is YAML's NaN), got True"),
        ("search.scoring=[a, b]", "search: with a list of scorers, refit must be false or the name of one of them"),
        ("search.scoring=[]", "search.scoring: names no scorer"),
        ("search.scoring=[r2, r2]", "search.scoring: r2 given more than once"),
        ("search.params=", "search.params: must be a mapping of parameter names to values, got None"),
        ("search.param_grid={C: []}", "search.param_grid: C: an empty list makes no candidate"),
        ("search.param_grid=[]", "search.param_grid: holds no candidate"),
        ("search.n_iter=0", "search.n_iter: input should be greater than or equal to 1, got 0"),
        ("search.random_state=1", "search: random_state belongs to n_iter, which is not set"),
        ("features.sets=[hour, hour]", "features.sets: hour given more than once"),
        ("features.name=a/b", "features.name: must be a plain folder name, without slashes"),
        ("features.name=.x", "features.name: must be a plain folder name, without slashes or a leading dot"),
        ("features.encoding=counts", "features.encoding: input should be 'fraction' or 'indicator', got 'counts'"),
        ("data.target=y", "data: target cannot be set for format talkingdata"),
        ("data={source: x, format: npz, max_rejected: 3}", "data: max_rejected cannot be set for format npz"),
        ("data.max_rejected=-1", "data.max_rejected"),
        ("data.format=csv", "data.format: input should be 'talkingdata', 'logs', 'npz', 'svmlight' or 'parquet', got "),
        ("data.format=parquet", "data: format parquet needs data.target"),
        ("spark.executor=[1]", "spark.executor: must be a text, a number or true / false, got [1]"),
        ("search=3", "search: must be a mapping, got 3"),
        ("serch.cv=3", "serch: unknown section; did you mean 'search'? (known: data, features, search, spark)"),
    ],
)
def test_each_wrong_value_is_named_with_what_is_allowed(override, message):
    assert any(line.startswith(f"conf/mine.yaml: {message}") for line in problems(TEXT, override))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("search.cv", "--set search.cv: must be KEY=VALUE, for example search.cv=3"),
        ("search..cv=3", "--set search..cv=3: must be KEY=VALUE, for example search.cv=3"),
        ("search.cv.folds.n=3", "--set search.cv.folds.n=3: search.cv.folds is not a mapping, so it has no key 'n'"),
        ("search.cv=[3", "--set search.cv=[3: the value is not YAML: line 1, column 3: "),
    ],
)
def test_a_wrong_override_is_named(override, message):
    text = TEXT.replace("search:", "search:\n  cv: {folds: 3}")
    assert problems(text, override)[0].startswith(message)


def test_a_doubled_key_is_an_error_and_names_the_line():
    assert problems(TEXT + "  estimator: x\n") == ["conf/mine.yaml: line 10, column 3: key 'estimator' is given twice"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("2016-13-45", "line 10, column 7: 2016-13-45: month must be in 1..12"),
        ("0b_", "line 10, column 7: 0b_: invalid literal for int() with base 2: ''"),
        ("{[1]: 2}", "line 10, column 8: found unhashable key"),
        ("&a [*a]", "line 10, column 7: found unconstructable recursive node"),
    ],
)
def test_a_value_that_yaml_cannot_build_names_its_line(value, message):
    assert problems(f"{TEXT}  cv: {value}\n") == [f"conf/mine.yaml: {message}"]


@pytest.mark.slow
def test_yaml_nested_too_deeply():
    assert problems(f"{TEXT}  cv: {'[' * 3000}{']' * 3000}\n") == ["conf/mine.yaml: nested too deeply"]


def test_no_yaml_and_no_mapping():
    assert problems("a: [") == ["conf/mine.yaml: line 1, column 5: expected the node content, but found '<stream end>'"]
    assert problems("[]") == ["conf/mine.yaml: must be a mapping with the sections data, features, search and spark"]


def test_a_matrix_needs_no_feature_section():
    text = TEXT.replace("features:\n  sets: [hour, app]\n", "").replace("source: raw", "source: x.npz\n  format: npz")
    assert parse_experiment(text, "x.yaml").features.name == "imported"
    assert parse_experiment(text, "x.yaml", ["features.name=mine"]).features.name == "mine"


def test_an_unknown_format_is_one_problem():
    assert len(problems(TEXT, "data.format=csv")) == 1


def test_feature_sets_of_a_matrix_are_refused_instead_of_ignored():
    text = TEXT.replace("[hour, app]", "[hour]\n  encoding: indicator").replace(
        "source: raw", "source: x\n  format: npz"
    )
    assert problems(text) == [
        f"conf/mine.yaml: features.{key}: cannot be set, since data.format npz is a matrix already; remove it"
        for key in ("sets", "encoding")
    ]


@pytest.mark.parametrize("override", ["spark={driver.memory: 2g}", "spark.driver.memory=2g"])
def test_an_override_of_an_empty_section_or_of_all_of_it(override):
    assert parse_experiment(f"{TEXT}spark:\n", "x.yaml", [override]).spark == {"spark.driver.memory": "2g"}


def test_checks_of_other_rooms_are_listed_with_their_section():
    with pytest.raises(ConfigError, match=r"mine.yaml: features.sets: no such set"):
        parse_experiment(TEXT, "mine.yaml", checks={"features": [lambda section, before: ["sets: no such set"]]})


SAS = "https://acme.blob.core.windows.net/raw?sv=1&sig=5EcReT"
ACCOUNT_KEY = "spark.hadoop.fs.azure.account.key.acme.blob.core.windows.net"


@pytest.mark.parametrize(
    ("override", "told"),
    [
        (f"data={SAS}", "data: must be a mapping, got 'https://acme.blob.core.windows.net/raw?sv=1&sig=***'"),
        (f"data.source=['{SAS}']", "data.source: input should be a valid string, got ['https://"),
        (f"data.source.x={SAS}", "/raw?sv=1&sig=***: data.source is not a mapping, so it has no key 'x'"),
        (f"{ACCOUNT_KEY}=[5EcReT==]", f"{ACCOUNT_KEY}: must be a text, a number or true / false, got '***'"),
        (f"{ACCOUNT_KEY}={{5EcReT", f"--set {ACCOUNT_KEY}=***: the value is not YAML: line 1, column 8: cannot be"),
        (f"{ACCOUNT_KEY}=*5EcReT", f"--set {ACCOUNT_KEY}=***: the value is not YAML: line 1, column 1: cannot be"),
        (f"{ACCOUNT_KEY}:5EcReT", f"--set {ACCOUNT_KEY}:***: must be KEY=VALUE"),
        ("spark=fs.azure.account.key.acme=5EcReT", "got 'fs.azure.account.key.acme=***'"),
        ("spark=[{fs.azure.account.key.acme: 5EcReT}]", "got [{'fs.azure.account.key.acme': '***'}]"),
        ("search.params=[{password: ['5Ec,ReT']}]", "got [{'password': '***'}]"),
        ("search.param_grid.password=5EcReT", "search.param_grid.password: must be a list of values, such as [***]"),
        (f"search.fit_memory='{SAS}'", "sig=***' is no size"),
    ],
)
def test_secrets_are_not_told(override, told):
    said = "\n".join(problems(TEXT, override))
    assert told in said
    assert "5Ec" not in said


def test_a_secret_for_a_key_is_not_told():
    assert problems(f"{TEXT}'{SAS}': 1\n")[0].startswith(
        "conf/mine.yaml: https://acme.blob.core.windows.net/raw?sv=1&sig=***: "
    )


@pytest.mark.parametrize("value", ["!5EcReT", "*5EcReT", "[5EcReT", "\n    *5EcReT"])
def test_a_secret_that_is_no_yaml_is_not_told(value):
    with pytest.raises(ConfigError) as caught:
        parse_experiment(f"{TEXT}spark:\n  ssl.keyPassword: {value}\n", "conf/mine.yaml")
    assert "conf/mine.yaml: line 1" in str(caught.value)
    assert "5EcReT" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_config_error_survives_pickling():
    error = pickle.loads(pickle.dumps(ConfigError(["one", "two"])))
    assert error.problems == ("one", "two")
    assert str(error) == "one\ntwo"
