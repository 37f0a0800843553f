"""Which expressions may stand in a schema: one scalar Spark SQL expression over the columns of a table.

What is not known to be harmless is refused before Spark sees it: the words are columns, a few keywords and the
functions below, all of which give one value a row and look at nothing but their arguments: not at the clock either,
whose time ``date 'today'`` is for Spark.
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

_OPERATORS = frozenset({"and", "between", "case", "div", "else", "in", "like", "not", "or", "then", "when"})
_KEYWORDS = _OPERATORS | {"end", "false", "is", "null", "true"}
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
    words = {each["word"] for each in tokens if not _is_called(text, each)}
    return (words | {each["quoted"] for each in tokens}) & set(columns)


def expression_problems(text: str, columns: Collection[str]) -> Iterator[str]:
    """Yield what is wrong with an expression: one message at most, of its first word that may not be there."""
    place = depth = 0
    before = ""
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is not None and (found["word"] or found["quoted"]) and text.startswith("'", found.end()):
            place, found = found.end(), None  # a prefix would give the text another meaning
        # In a comment anything could hide that is a text to us.
        if found is None or text.startswith(("--", "/*", "*/"), place):
            yield f"{text[place]!r} at character {place + 1} is no part of a scalar expression"
            return
        problem = _word_problem(found, _is_called(text, found), columns) or _text_problem(found["text"], before)
        if problem is not None:
            yield problem
            return
        before = before if found[0].isspace() else found["word"] or found["quoted"] or ""
        depth += {"(": 1, ")": -1}.get(found["sign"] or "", 0)
        if depth < 0:
            break
        place = found.end()
    if depth != 0:
        yield "its brackets do not match"
    elif not text.strip():
        yield "is empty"


def _is_called(text: str, found: re.Match[str]) -> bool:
    return found["word"] is not None and text[found.end() :].lstrip().startswith("(")


def _word_problem(found: re.Match[str], is_called: bool, columns: Collection[str]) -> str | None:
    word, quoted = found["word"], found["quoted"]
    if quoted is not None and quoted not in columns:
        return f"{quoted!r} is no column of the table (its columns: {', '.join(columns)})"
    if word is not None and not _may_stand(word, is_called, columns):
        kind, known = ("function that is allowed", FUNCTIONS) if is_called else ("column of the table", columns)
        return f"{word!r} is no {kind}{nearest(word, known)} ({_listed(is_called, columns)})"
    return None


def _text_problem(text: str | None, before: str) -> str | None:
    """Return what is wrong with a text that stands behind a word: few words have one there."""
    if text is None or not before or before.lower() in _OPERATORS:
        return None
    if before.lower() not in ("date", "timestamp"):
        return f"{text} may not follow {before!r}"
    return None if text[1:2].isdigit() else f"{before} {text} may be the clock's; a time begins with a digit"


def _may_stand(word: str, is_called: bool, columns: Collection[str]) -> bool:
    lower = word.lower()
    if is_called and lower not in _OPERATORS:
        return lower in FUNCTIONS or lower == "cast"
    return word in columns or lower in _KEYWORDS or lower in _CAST


def _listed(is_called: bool, columns: Collection[str]) -> str:
    return f"allowed: {', '.join(sorted(FUNCTIONS))}" if is_called else f"its columns: {', '.join(columns)}"
