"""What an adapter says about its estimators, and the allow-list it says it with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

__all__ = [
    "Adapter",
    "Rule",
    "Stage",
    "anything",
    "either",
    "is_boolean",
    "is_false",
    "is_integer",
    "is_nothing",
    "is_number",
    "is_zero",
    "one_of",
    "optional",
]

Rule = Callable[[Any], bool]
Stage = tuple[int, Any, float]


@dataclass(frozen=True)
class Adapter:
    """What can be staged, and how.

    Attributes
    ----------
    parameter : str
        The staged parameter.
    params : mapping of type to mapping of str to rule
        By exact class of estimator: its parameters and the values for which a prefix equals a separate fit.
    fit_params : mapping of str to rule
        The same for arguments of ``fit``.
    fit_stages : callable
        As `sparksweep.search.staging.fit_stages`.
    """

    parameter: str
    params: Mapping[type, Mapping[str, Rule]]
    fit_params: Mapping[str, Rule]
    fit_stages: Callable[[Any, Sequence[int], Callable[..., None]], Iterator[Stage]]

    def allows(self, estimator: Any, fit_params: Mapping[str, Any]) -> bool:
        """Tell whether each parameter and each argument of ``fit`` is on the list with a value that is on it.

        Values are read from the attributes, where scikit-learn's convention has them: XGBoost's ``get_params`` gives
        a number drawn from a RandomState, not the RandomState.
        """
        rules = {**self.params[type(estimator)], self.parameter: is_positive_integer}
        return (
            all(rule(getattr(estimator, name)) for name, rule in rules.items() if hasattr(estimator, name))
            and rules.keys() >= estimator.get_params(deep=False).keys()
            and all(name in self.fit_params and self.fit_params[name](value) for name, value in fit_params.items())
        )


def anything(value: Any) -> bool:
    """Allow each value: the parameter has no influence on how rounds follow each other."""
    return True


def is_nothing(value: Any) -> bool:
    """Allow None."""
    return value is None


def is_boolean(value: Any) -> bool:
    """Allow True and False."""
    return isinstance(value, bool)


def is_false(value: Any) -> bool:
    """Allow False."""
    return value is False


def is_zero(value: Any) -> bool:
    """Allow 0 and False."""
    return isinstance(value, int) and value == 0


def is_integer(value: Any) -> bool:
    """Allow whole numbers of any type; True is none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_positive_integer(value: Any) -> bool:
    """Allow what can be a stage."""
    return is_integer(value) and value > 0


def is_number(value: Any) -> bool:
    """Allow real numbers of any type; True is none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def one_of(*texts: str) -> Rule:
    """Allow these texts."""
    return lambda value: isinstance(value, str) and value in texts


def either(*rules: Rule) -> Rule:
    """Allow what one of the rules does."""
    return lambda value: any(rule(value) for rule in rules)


def optional(rule: Rule) -> Rule:
    """Allow None too."""
    return either(is_nothing, rule)
