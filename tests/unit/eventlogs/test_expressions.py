"""Which expressions may stand in a schema."""

from __future__ import annotations

import pytest

from sparksweep.eventlogs.expressions import columns_of, expression_problems, is_name

COLUMNS = {"time": "timestamp", "price": "float64", "shop": "string", "a b": "int32"}


def problem(text):
    return next(expression_problems(text, COLUMNS), None)


@pytest.mark.parametrize(
    "text",
    [
        "shop",
        "`a b`",
        "hour(time)",
        "weekday( time ) * 24 + HOUR(time)",
        "CAST(floor(price / 1e1) AS INT)",
        "case when price > .5 and not shop in ('it''s', 'x (y)') then 'dear' else lower(trim(shop)) end",
        "if(price is null, -1, pmod(round(price, 0), 7))",
        "shop || '_' || date_format(time, 'yyyy-MM')",
        "price between 1 and (2 + 3) or shop like 'a%'",
        "datediff(time, date '2026-01-31') + hour(timestamp  '2026-01-31 12:00:00')",
        "case 'now' when shop then 'today' else 'tomorrow' end",
    ],
)
def test_scalar_expressions_may(text):
    assert problem(text) is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "is empty"),
        ("tiem", "'tiem' is no column of the table; did you mean 'time'? (its columns: time, price, shop, a b)"),
        ("`c`", "'c' is no column of the table (its columns: time, price, shop, a b)"),
        ("hours(time)", "'hours' is no function that is allowed; did you mean 'hour'? (allowed: abs, ceil, "),
        ("java_method('java.lang.System', 'exit', '1')", "'java_method' is no function that is allowed"),
        ("sum(price)", "'sum' is no function that is allowed"),
        ("row_number() over (order by time)", "'row_number' is no function that is allowed"),
        ("(select 1)", "'select' is no column of the table"),
        ("price; drop", "';' at character 6 is no part of a scalar expression"),
        ("shop -- comment", "'-' at character 6 is no part of a scalar expression"),
        ("price --1", "'-' at character 7 is no part of a scalar expression"),
        ("shop /* x */", "'/' at character 6 is no part of a scalar expression"),
        ("shop /* ' */ || reflect('a', 'b') /* ' */", "'/' at character 6 is no part of a scalar expression"),
        ("shop || r'\\'", '"\'" at character 10 is no part of a scalar expression'),
        ("'open", '"\'" at character 1 is no part of a scalar expression'),
        ("shop.x", "'.' at character 5 is no part of a scalar expression"),
        ("hour(time))", "its brackets do not match"),
        ("(hour(time)", "its brackets do not match"),
        ("1abc", "'1' at character 1 is no part of a scalar expression"),
        ("@x", "'@' at character 1 is no part of a scalar expression"),
        ("shop[0]", "'[' at character 5 is no part of a scalar expression"),
        ("datediff(date 'today', time)", "date 'today' may be the clock's; a time begins with a digit"),
        ("hour(timestamp\n'now')", "timestamp 'now' may be the clock's; a time begins with a digit"),
        ("hour(Timestamp '\\u006eow')", "Timestamp '\\u006eow' may be the clock's"),
        ("hour(`time` 'now')", "'now' may not follow 'time'"),
        ("price 'now'", "'now' may not follow 'price'"),
        ("x -> x", "'x' is no column of the table"),
    ],
)
def test_anything_else_may_not(text, line):
    assert problem(text).startswith(line)


def test_columns_that_are_used():
    text = "if(price > 1 and `a b` like 'time', hour(time), shop) || shop"
    assert columns_of(text, COLUMNS) == {"price", "a b", "time", "shop"}
    assert columns_of("hour(time)", {"hour", "time"}) == {"time"}, "what is called is a function"


def test_names():
    assert is_name("a_1")
    assert not is_name("1a")
    assert not is_name("a b")
    assert not is_name("hour(time)")
