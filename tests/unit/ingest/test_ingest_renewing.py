"""When a file is read anew because a task's leave to read it ran out."""

from __future__ import annotations

import pytest

from sparksweep.errors import DataError, ExpiredAccess
from sparksweep.ingest import renewing
from sparksweep.ingest.tasks import Outcome

ENDED = ExpiredAccess("cannot read x.zip: its SAS ended")
WAITED, BROKEN_OFF = Outcome("x", 0, problem=ENDED), Outcome("x", 7, problem=ENDED)
WHOLE, WRONG = Outcome("x", 9), Outcome("x", 7, problem=DataError("line 8"))


class Lender:
    """A source whose files are texts; each leave is a new one, unless it is the user's own."""

    def __init__(self, own=False):
        self.given, self._own = 0, own

    def renewed(self, file):
        self.given += 1
        return file if self._own else f"{file}, leave {self.given}"


def read(outcomes, source):
    said = iter(outcomes)
    lent = []
    outcome = renewing.read_with_leave(source, "x.zip", lambda file: lent.append(file) or next(said))
    return outcome, lent


def test_each_attempt_has_a_leave_of_its_own():
    outcome, lent = read([BROKEN_OFF, WHOLE], Lender())
    assert outcome is WHOLE
    assert lent == ["x.zip, leave 1", "x.zip, leave 2"]


@pytest.mark.parametrize("outcome", [WHOLE, WRONG])
def test_what_new_leave_does_not_help_is_not_read_again(outcome):
    assert read([outcome], Lender()) == (outcome, ["x.zip, leave 1"])


def test_an_attempt_that_only_waited_for_its_turn_does_not_count():
    outcome, lent = read([WAITED] * 5 + [BROKEN_OFF] * 2 + [WAITED, WHOLE], Lender())
    assert outcome is WHOLE
    assert len(lent) == 9


def test_but_it_is_not_tried_for_ever():
    outcome, lent = read([WAITED] * 100, Lender())
    assert outcome is WAITED
    assert len(lent) == renewing.MOST_WAITED


def test_a_users_own_leave_that_ended_is_not_tried_again():
    assert read([BROKEN_OFF], Lender(own=True)) == (BROKEN_OFF, ["x.zip"])


def test_a_file_that_takes_too_long_is_told():
    outcome, lent = read([BROKEN_OFF] * 9, Lender())
    assert len(lent) == renewing.MOST_READ
    assert isinstance(outcome.problem, ExpiredAccess)
    assert str(outcome.problem) == (
        "cannot read x.zip: reading took longer than the hour that a task may read, 3 times; give a SAS that lasts "
        "longer in its address"
    )
