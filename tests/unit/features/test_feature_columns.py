from __future__ import annotations

import numpy as np

from sparksweep.features.vocabulary import Vocabulary, column_of_codes, columns_table

NONE = np.array([], dtype=int)


def test_columns_are_numbered_through_all_sets():
    brand = Vocabulary("brand", ("a ", "小米"), 0, NONE, NONE)
    empty = Vocabulary("app", (), 2, NONE, NONE)
    hour = Vocabulary("weekday_hour", ("0_00", "1_01"), 2, NONE, NONE)
    assert (brand.stop, empty.stop, hour.stop) == (2, 2, 4)
    table = columns_table([brand, empty, hour])
    assert [field.type for field in table.schema] == ["int32", "string", "string"]
    assert table.to_pydict() == {
        "index": [0, 1, 2, 3],
        "feature_set": ["brand", "brand", "weekday_hour", "weekday_hour"],
        "key": ["a ", "小米", "0_00", "1_01"],
    }


def test_no_columns():
    assert columns_table([]).num_rows == 0


def test_things_have_the_columns_of_all_sets():
    apps = Vocabulary("app", ("x", "y"), 0, np.array([0, 2]), np.array([0, 1]))
    labels = Vocabulary("label", ("l",), 3, np.array([2, 1]), np.array([3, 3]))
    phones = Vocabulary("phone", ("p",), 4, np.array([0]), np.array([4]))
    columns = column_of_codes([apps, labels, phones], [1, 1, 0], (4, 5))
    assert columns.toarray().tolist() == [[0, 0, 0, 0, 1], [1, 0, 0, 0, 0], [0, 0, 0, 1, 0], [0, 1, 0, 1, 0]]
    assert columns.dtype == np.int64
