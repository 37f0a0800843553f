from __future__ import annotations

from sparksweep.features.vocabulary import Vocabulary, columns_table


def test_columns_are_numbered_through_all_sets():
    brand = Vocabulary("brand", {"a ": "a ", "小米": "小米"}, 0)
    empty = Vocabulary("app", {}, 2)
    hour = Vocabulary("weekday_hour", {"0": "0_00", "25": "1_01"}, 2)
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
