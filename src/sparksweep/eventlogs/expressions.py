"""Which expressions may stand in a schema: one scalar Spark SQL expression over the columns of a table.

What is not known to be harmless is refused before Spark sees it: the words are columns, a few keywords and the
functions below, all of which give one value a row and look at nothing but their arguments.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from sparksweep.config.loading import nearest

__all__ = ["FUNCTIONS", "columns_of", "expression_problems", "is_name"]

FUNCTIONS = frozenset(
    {
        *("abs", "ceil", "floor", "greatest", "least", "log10", "log2", "pmod", "round", "sign", "sqrt"),
        *("coalesce", "if", "ifnull", "nullif"),
        *("concat", "left", "length", "lower", "lpad", "ltrim", "regexp_extract", "regexp_replace", "replace"),
        *("reverse", "right", "rtrim", "substring", "substring_index", "translate", "trim", "upper"),
        *("date_format", "datediff", "day", "dayofmonth", "dayofweek", "dayofyear", "hour", "minute", "month"),
        *("quarter", "second", "to_date", "unix_seconds", "weekday", "weekofyear", "year"),
    }
)
"""Functions of Spark SQL that an expression may call; ``CAST(x AS type)`` is one more."""

_KEYWORDS = frozenset(
    {
        *("and", "between", "case", "div", "else", "end", "false", "in", "is", "like", "not", "null", "or", "then"),
        *("true", "when"),
    }
)
_CAST = frozenset({"as", "bigint", "boolean", "cast", "date", "double", "int", "string", "timestamp"})
_TOKEN = re.compile(
    r"""\s+
    | (?P<text>'(?:[^'\\]|\\.)*')
    | (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))
    | `(?P<quoted>[^`]+)`
    | (?P<word>[A-Za-z_]\w*)
    | (?P<sign>\|\||<=>|<=|>=|<>|!=|[-+*/%(),<>=])
    """,
    re.VERBOSE,
)


def is_name(text: str) -> bool:
    """Tell whether an expression is no more than a name."""
    return re.fullmatch(r"[A-Za-z_]\w*", text) is not None


def columns_of(text: str, columns: Collection[str]) -> set[str]:
    """Return which columns an expression without problems uses."""
    tokens = list(_TOKEN.finditer(text))
    words = {each["word"] for each in tokens if each["word"] and not _is_called(text, each)}
    return (words | {each["quoted"] for each in tokens if each["quoted"]}) & set(columns)


def expression_problems(text: str, columns: Collection[str]) -> Iterator[str]:
    """Yield what is wrong with an expression: one message at most, of its first word that may not be there."""
    place = depth = 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is not None and (found["word"] or found["quoted"]) and text.startswith("'", found.end()):
            place, found = found.end(), None  # a prefix would give the text another meaning
        # In a comment anything could hide that is a text to us.
        if found is None or text.startswith(("--", "/*", "*/"), place):
            yield f"{text[place]!r} at character {place + 1} is no part of a scalar expression"
            return
        word, quoted = found["word"], found["quoted"]
        is_called = word is not None and _is_called(text, found)
        if quoted is not None and quoted not in columns:
            yield f"{quoted!r} is no column of the table (its columns: {', '.join(columns)})"
            return
        if word is not None and not _may_stand(word, is_called, columns):
            kind, known = ("function that is allowed", FUNCTIONS) if is_called else ("column of the table", columns)
            yield f"{word!r} is no {kind}{nearest(word, known)} ({_listed(is_called, columns)})"
            return
        depth += {"(": 1, ")": -1}.get(found["sign"] or "", 0)
        if depth < 0:
            break
        place = found.end()
    if depth != 0:
        yield "its brackets do not match"
    elif not text.strip():
        yield "is empty"


def _is_called(text: str, word: re.Match[str]) -> bool:
    return text[word.end() :].lstrip().startswith("(")


def _may_stand(word: str, is_called: bool, columns: Collection[str]) -> bool:
    lower = word.lower()
    if is_called and lower not in ("in", "and", "or", "not", "when", "then", "else", "between", "case", "div", "like"):
        return lower in FUNCTIONS or lower == "cast"
    return word in columns or lower in _KEYWORDS or lower in _CAST


def _listed(is_called: bool, columns: Collection[str]) -> str:
    return f"allowed: {', '.join(sorted(FUNCTIONS))}" if is_called else f"its columns: {', '.join(columns)}"
