"""What others made comes in with every value as it was; what is wrong is said in a line."""

from __future__ import annotations

import bz2
import gzip

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp
from sklearn.datasets import dump_svmlight_file, load_svmlight_file

from sparksweep.errors import DataError, StorageError
from sparksweep.matrix import import_npz, import_parquet, import_svmlight, open_matrix

pytestmark = pytest.mark.slow

SPARSE = sp.csr_matrix(np.array([[0, 1.1, 0], [0, 0, 0], [-2, 0, 1e-300], [0, 3, 0]]))
TEXTS = np.array(["b", "a", "ä", "b"])


def one_line(error):
    text = str(error.value)
    assert "\n" not in text
    return text


# --- npz ------------------------------------------------------------------------------------------------------------


def saved(path, **arrays):
    np.savez(path, **arrays)
    return path


@pytest.fixture
def sparse_npz(tmp_path):
    sp.save_npz(tmp_path / "X.npz", SPARSE)
    np.save(tmp_path / "y.npy", TEXTS)
    return tmp_path / "X.npz"


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "bsr", "array"])
def test_npz_of_scipy_with_a_target_file(tmp_path, form):
    X = sp.csr_array(SPARSE) if form == "array" else SPARSE.asformat(form)
    sp.save_npz(tmp_path / "X.npz", X, compressed=form != "csr")
    np.save(tmp_path / "y.npy", TEXTS)
    manifest = import_npz(tmp_path / "X.npz", tmp_path / "out", target="y.npy")
    matrix = open_matrix(tmp_path / "out", verify=True)
    np.testing.assert_array_equal(matrix.X.toarray(), SPARSE.toarray())
    assert matrix.X.dtype == np.float64
    assert (matrix.y.tolist(), matrix.classes) == ([1, 0, 2, 1], ["a", "b", "ä"])
    assert matrix.rows.tolist() == [0, 1, 2, 3]
    assert matrix.columns()["key"].to_pylist() == ["0", "1", "2"]
    assert manifest.sources == {"file": str(tmp_path / "X.npz"), "format": "npz"}


def test_npz_target_as_a_key_beside_the_sparse_arrays(tmp_path, sparse_npz):
    with np.load(sparse_npz) as content:
        saved(tmp_path / "both.npz", label=TEXTS, **content)
    import_npz(tmp_path / "both.npz", tmp_path / "out", target="label")
    assert open_matrix(tmp_path / "out").classes == ["a", "b", "ä"]


def test_npz_target_in_another_npz_and_relative_to_the_current_folder(tmp_path, sparse_npz, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    saved(tmp_path / "elsewhere" / "labels.npz", labels=np.array([3, 1, 3, 2]))
    monkeypatch.chdir(tmp_path / "elsewhere")
    import_npz(sparse_npz, tmp_path / "out", target="labels.npz")
    assert open_matrix(tmp_path / "out").classes == [1, 2, 3]


def test_npz_of_arrays_stays_dense_with_its_zeros(tmp_path):
    X = np.array([[0.0, np.nan], [1.0, 2.0]])
    path = saved(tmp_path / "d.npz", X=X, y=[0.5, 1], folds=[0, 1], groups=["b", "a"], weights=[1, 2])
    import_npz(path, tmp_path / "out")
    matrix = open_matrix(tmp_path / "out")
    np.testing.assert_array_equal(matrix.X, X)
    assert (matrix.y.tolist(), matrix.classes) == ([0.5, 1.0], None)
    assert matrix.folds.tolist() == [0, 1]
    assert matrix.groups.tolist() == [1, 0]
    assert matrix.weights.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("given", "kept"),
    [(np.float32, np.float32), (np.float64, np.float64), (np.int16, np.float64), (np.bool_, np.float64)],
)
def test_npz_number_types(tmp_path, given, kept):
    path = saved(tmp_path / "d.npz", X=np.ones((2, 2), dtype=given), y=[0, 1])
    import_npz(path, tmp_path / "out")
    assert open_matrix(tmp_path / "out").X.dtype == kept


@pytest.mark.parametrize(
    ("labels", "classes", "codes"),
    [
        ([True, False], [0, 1], [1, 0]),
        ([10, -3], [-3, 10], [1, 0]),
        (np.array([255, 7], dtype=np.uint8), [7, 255], [1, 0]),
        (np.array([b"x", b"\xc3\xa4"]), ["x", "ä"], [0, 1]),
        (["Z", "a"], ["Z", "a"], [0, 1]),
    ],
)
def test_labels_become_sorted_classes(tmp_path, labels, classes, codes):
    import_npz(saved(tmp_path / "d.npz", X=np.ones((2, 1)), y=labels), tmp_path / "out")
    matrix = open_matrix(tmp_path / "out")
    assert (matrix.classes, matrix.y.tolist()) == (classes, codes)
    assert all(type(label) in (int, str) for label in matrix.classes)


NPZ_WRONG = {
    "no target 'y': .* holds X and there is no such file; set data.target": {"X": np.ones((2, 1))},
    "holds no X, only Z, y": {"Z": np.ones((2, 1)), "y": [0, 1]},
    "X in .* is <U1, must be numbers": {"X": np.array([["a"], ["b"]]), "y": [0, 1]},
    "X in .* has 1 dimensions": {"X": np.ones(2), "y": [0, 1]},
    r"target 'y' in .* has 3 values, X in .* has 2 rows": {"X": np.ones((2, 1)), "y": [0, 1, 1]},
    r"target 'y' in .* holds nan in row 1 .*1 such rows.*drop": {"X": np.ones((2, 1)), "y": [0.5, np.nan]},
    "target 'y' in .* has 2 dimensions": {"X": np.ones((2, 1)), "y": [[0], [1]]},
    r"target 'y' in .* is complex128; a target is text, int or float": {"X": np.ones((2, 1)), "y": [1j, 2j]},
    "holds no rows": {"X": np.ones((0, 1)), "y": []},
    r"folds in .* has shape \(1,\), X has 2 rows": {"X": np.ones((2, 1)), "y": [0, 1], "folds": [1]},
}


@pytest.mark.parametrize("message", NPZ_WRONG)
def test_npz_that_is_wrong(tmp_path, message):
    path = saved(tmp_path / "d.npz", **NPZ_WRONG[message])
    with pytest.raises(DataError, match=message) as error:
        import_npz(path, tmp_path / "out")
    one_line(error)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("folds", [0.0, 1, 0], r"folds in .*x\.npz is float64, must be int"),
        ("folds", [0, 1], r"folds in .*x\.npz has shape \(2,\), X has 3 rows; it must have a value a row"),
        ("folds", [2**32, 0, 1], "folds holds numbers from 0 to 4294967296; a fold number has 32 bits"),
        ("groups", [0.5, 1, 2], r"groups in .*x\.npz is float64, must be int or text"),
        ("weights", ["a", "b", "c"], r"weights in .*x\.npz is <U1, must be numbers"),
        ("y", [b"\xff", b"a", b"b"], r"target 'y' in .* holds b'\\xff', which is not UTF-8 text; decode it first"),
    ],
)
def test_npz_whose_rows_hold_something_else(tmp_path, name, values, message):
    path = saved(tmp_path / "x.npz", **{"X": np.eye(3), "y": [0, 1, 0], name: np.array(values)})
    with pytest.raises(DataError, match=message) as error:
        import_npz(path, tmp_path / "out")
    one_line(error)


@pytest.mark.parametrize("form", ["csr", "csc", "bsr"])
@pytest.mark.parametrize(
    ("name", "place", "value"), [("indices", 1, 99), ("indices", 1, -1), ("indptr", 1, 1000), ("indptr", 2, 0)]
)
def test_npz_whose_row_starts_or_columns_lead_out_of_the_arrays(tmp_path, form, name, place, value):
    X = sp.bsr_matrix(np.ones((6, 6)), blocksize=(2, 2)).asformat(form)
    getattr(X, name)[place] = value
    sp.save_npz(tmp_path / "x.npz", X)
    with pytest.raises(DataError, match=r"x\.npz cannot be read: ") as error:
        import_npz(tmp_path / "x.npz", tmp_path / "out")
    one_line(error)
    assert not (tmp_path / "out").exists()


def test_npz_without_columns(tmp_path):
    path = saved(tmp_path / "x.npz", X=np.zeros((3, 0)), y=[0, 1, 0])
    with pytest.raises(DataError, match=r"X in .*x\.npz has no columns: there is nothing to learn from"):
        import_npz(path, tmp_path / "out")


def test_npz_target_near_a_key(tmp_path):
    path = saved(tmp_path / "d.npz", X=np.ones((2, 1)), label=[0, 1])
    with pytest.raises(DataError, match=r"no target 'lable'.*did you mean 'label'"):
        import_npz(path, tmp_path / "out", target="lable")


def test_npz_of_python_objects_is_not_unpickled(tmp_path):
    path = saved(tmp_path / "d.npz", X=np.ones((2, 1)), y=np.array(["a", None], dtype=object))
    with pytest.raises(DataError, match=r"it holds Python objects.*labels\.astype\(str\)"):
        import_npz(path, tmp_path / "out")


def test_npz_that_is_not_there(tmp_path):
    with pytest.raises(StorageError, match=r"cannot read .*d\.npz: No such file or directory; check the path"):
        import_npz(tmp_path / "d.npz", tmp_path / "out")


def test_npy_instead_of_npz(tmp_path):
    np.save(tmp_path / "X.npy", np.ones(3))
    with pytest.raises(DataError, match="holds one array, not X and y"):
        import_npz(tmp_path / "X.npy", tmp_path / "out")


def test_npz_target_file_of_several_arrays(tmp_path, sparse_npz):
    saved(tmp_path / "t.npz", a=TEXTS, b=TEXTS)
    with pytest.raises(DataError, match=r"target .*t\.npz holds a, b, none of them called y"):
        import_npz(sparse_npz, tmp_path / "out", target="t.npz")


@pytest.mark.parametrize("where", ["cut", "flipped", "text"])
def test_npz_that_is_damaged(tmp_path, where):
    path = saved(tmp_path / "d.npz", X=np.random.default_rng(0).random((50, 20)), y=np.arange(50) % 2)
    content = bytearray(path.read_bytes())
    if where == "cut":
        content = content[:-40]
    elif where == "flipped":
        content[3000] ^= 1
    else:
        content = b"hello"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"d\.npz cannot be read: ") as error:
        import_npz(path, tmp_path / "out")
    one_line(error)


# --- svmlight -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zero_based", [True, False])
def test_svmlight_as_scikit_learn_reads_it(tmp_path, zero_based):
    dump_svmlight_file(SPARSE, [1, -1, 1, 2], str(tmp_path / "d.svm"), zero_based=zero_based)
    import_svmlight(tmp_path / "d.svm", tmp_path / "out")
    matrix = open_matrix(tmp_path / "out", verify=True)
    X, _ = load_svmlight_file(str(tmp_path / "d.svm"))
    assert matrix.X.dtype == X.dtype == np.float64
    np.testing.assert_array_equal(matrix.X.toarray(), X.toarray())
    assert (matrix.classes, matrix.y.tolist()) == ([-1, 1, 2], [1, 0, 1, 2])
    assert matrix.manifest.sources == {"file": str(tmp_path / "d.svm"), "format": "svmlight"}


def test_svmlight_labels_with_fractions_are_numbers(tmp_path):
    (tmp_path / "d.svm").write_text("0.5 1:1\n2 1:2\n")
    import_svmlight(tmp_path / "d.svm", tmp_path / "out")
    matrix = open_matrix(tmp_path / "out")
    assert (matrix.classes, matrix.y.tolist()) == (None, [0.5, 2.0])


@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress)])
def test_svmlight_packed(tmp_path, ending, pack):
    path = tmp_path / f"d.svm{ending}"
    path.write_bytes(pack(b"1 1:1 # a comment\n0 2:2\n"))
    import_svmlight(path, tmp_path / "out")
    assert open_matrix(tmp_path / "out").X.toarray().tolist() == [[1, 0], [0, 2]]
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(DataError, match=r"cannot be unpacked"):
        import_svmlight(path, tmp_path / "out")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 1:2\n0 1:x\n", r"d\.svm, line 2: could not convert .*; a line is: label index:value"),
        ("1 1:2\n0 1:1\n1 2:2 1:3\n", r"d\.svm, line 3: .*sorted and unique"),
        ("a,b\n1,2\n", r"d\.svm, line 1: "),
        ("", "holds no rows"),
        ("# nothing\n", "holds no rows"),
        ("nan 1:1\n", "label in .* holds nan in row 0"),
    ],
)
def test_svmlight_that_is_wrong(tmp_path, text, message):
    (tmp_path / "d.svm").write_text(text)
    with pytest.raises(DataError, match=message) as error:
        import_svmlight(tmp_path / "d.svm", tmp_path / "out")
    one_line(error)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"1 1:2\n1 99999999999999:3\n", "line 2: value too large to convert to int"),
        (b"1\n0\n", "has no feature in any line"),
    ],
)
def test_svmlight_with_a_huge_index_or_none(tmp_path, text, message):
    (tmp_path / "x.txt").write_bytes(text)
    with pytest.raises(DataError, match=message):
        import_svmlight(tmp_path / "x.txt", tmp_path / "out")


def test_svmlight_labels_too_large_for_classes_are_numbers(tmp_path):
    (tmp_path / "x.txt").write_text("1e19 1:2\n1e300 1:3\n")
    import_svmlight(tmp_path / "x.txt", tmp_path / "out")
    matrix = open_matrix(tmp_path / "out")
    assert (matrix.y.tolist(), matrix.classes) == ([1e19, 1e300], None)


def test_svmlight_packed_names_the_line_of_the_text(tmp_path):
    with gzip.open(tmp_path / "x.gz", "wb") as file:
        file.write(b"1 1:2\n1 2:3\nfoo bar\n")
    with pytest.raises(DataError, match=r"x\.gz, line 3: could not convert"):
        import_svmlight(tmp_path / "x.gz", tmp_path / "out")


def test_svmlight_that_is_not_there(tmp_path):
    with pytest.raises(StorageError, match=r"cannot read .*d\.svm: No such file"):
        import_svmlight(tmp_path / "d.svm", tmp_path / "out")


# --- Parquet --------------------------------------------------------------------------------------------------------


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "size": [0.0, 1.5, None, -2.0],
            "count": [1, 0, 2, 3],
            "flag": [True, False, True, False],
            "label": ["b", "a", "ä", "b"],
            "fold": [0, 1, 0, 1],
            "site": ["x", "y", "x", "x"],
            "weight": [1.0, 2.0, 0.0, 1.0],
        }
    )


ROLES = {"target": "label", "fold_column": "fold", "group_column": "site", "weight_column": "weight"}


def test_parquet_with_everything(tmp_path, frame):
    frame.to_parquet(tmp_path / "d.parquet")
    manifest = import_parquet(tmp_path / "d.parquet", tmp_path / "out", **ROLES)
    matrix = open_matrix(tmp_path / "out", verify=True)
    np.testing.assert_array_equal(matrix.X, [[0, 1, 1], [1.5, 0, 0], [np.nan, 2, 1], [-2, 3, 0]])
    assert matrix.columns()["key"].to_pylist() == ["size", "count", "flag"]
    assert (matrix.classes, matrix.y.tolist()) == (["a", "b", "ä"], [1, 0, 2, 1])
    assert matrix.folds.tolist() == [0, 1, 0, 1]
    assert matrix.groups.tolist() == [0, 1, 0, 0]
    assert matrix.weights.tolist() == [1, 2, 0, 1]
    assert manifest.sources == {"file": str(tmp_path / "d.parquet"), "format": "parquet", **ROLES}


def test_parquet_folder_is_read_in_the_order_of_names(tmp_path, frame):
    (tmp_path / "d").mkdir()
    frame.iloc[2:].to_parquet(tmp_path / "d" / "part-00001.parquet")
    frame.iloc[:2].to_parquet(tmp_path / "d" / "part-00000.parquet")
    (tmp_path / "d" / "_SUCCESS").write_text("")
    (tmp_path / "d" / ".part-00000.parquet.crc").write_text("x")
    import_parquet(tmp_path / "d", tmp_path / "out", **ROLES)
    assert open_matrix(tmp_path / "out").X[:, 1].tolist() == [1, 0, 2, 3]


def test_parquet_of_many_row_groups(tmp_path):
    frame = pd.DataFrame({"a": np.arange(1000.0), "y": np.arange(1000) % 3})
    frame.to_parquet(tmp_path / "d.parquet", row_group_size=7)
    import_parquet(tmp_path / "d.parquet", tmp_path / "out", target="y")
    matrix = open_matrix(tmp_path / "out")
    assert matrix.X[:, 0].tolist() == list(range(1000))
    assert matrix.y.tolist() == [n % 3 for n in range(1000)]


def test_parquet_index_of_pandas_is_no_feature(tmp_path, frame):
    frame.index = [2, 4, 6, 8]
    frame.to_parquet(tmp_path / "d.parquet")
    import_parquet(tmp_path / "d.parquet", tmp_path / "out", **ROLES)
    assert open_matrix(tmp_path / "out").X.shape == (4, 3)


@pytest.mark.parametrize(
    ("kinds", "kept"),
    [
        ((pa.float32(), pa.float32()), np.float32),
        ((pa.float32(), pa.float64()), np.float64),
        ((pa.float32(), pa.int8()), np.float64),
        ((pa.decimal128(21, 2), pa.float32()), np.float64),
        ((pa.bool_(), pa.uint64()), np.float64),
    ],
)
def test_parquet_number_types(tmp_path, kinds, kept):
    columns = {f"x{place}": pa.array([0, None, 1]).cast(kind) for place, kind in enumerate(kinds)}
    pq.write_table(pa.table({**columns, "y": [0, 1, 1]}), tmp_path / "d.parquet")
    import_parquet(tmp_path / "d.parquet", tmp_path / "out", target="y")
    X = open_matrix(tmp_path / "out").X
    assert X.dtype == kept
    np.testing.assert_array_equal(X, [[0, 0], [np.nan, np.nan], [1, 1]])


@pytest.mark.parametrize(
    ("values", "classes", "y"),
    [
        (pa.array([3, 1, 3]), [1, 3], [1, 0, 1]),
        (pa.array([True, False, True]), [0, 1], [1, 0, 1]),
        (pa.array(["b", "a", "b"]).dictionary_encode(), ["a", "b"], [1, 0, 1]),
        (pa.array(["b", "a", "b"], pa.large_string()), ["a", "b"], [1, 0, 1]),
        (pa.array([3.0, 1.0, 3.0]), None, [3.0, 1.0, 3.0]),
        (pa.array([3, 1, 3]).cast(pa.decimal128(21, 2)), None, [3.0, 1.0, 3.0]),
    ],
)
def test_parquet_targets(tmp_path, values, classes, y):
    pq.write_table(pa.table({"x": [1.0, 2, 3], "y": values}), tmp_path / "d.parquet")
    import_parquet(tmp_path / "d.parquet", tmp_path / "out", target="y")
    matrix = open_matrix(tmp_path / "out")
    assert (matrix.classes, matrix.y.tolist()) == (classes, y)


def wrong_frames():
    """Yield what is done to the frame, the roles, and what is said."""
    yield {}, {"target": "lable"}, r"has no column 'lable' \(target\); did you mean 'label'\?; it has size, count"
    yield {}, {"fold_column": "folds"}, r"has no column 'folds' \(fold_column\); did you mean 'fold'"
    yield {}, {"fold_column": "label"}, "a column can be only one of target, fold_column"
    yield {"name": "n", "day": pd.Timestamp("2020-01-01")}, {}, r"not numeric: name \(string\), day \(timestamp"
    yield {"label": ["b", None, "a", "b"]}, {}, r"target 'label' in .* holds None in row 1 \(counted from 0; 1 such"
    yield {"label": [1.0, 2.5, None, None]}, {}, r"target 'label' in .* holds nan in row 2 .*2 such rows"
    yield {"label": [[1], [2], [3], [4]]}, {}, "target 'label' in .* mixes types"
    yield {"fold": [0.0, 1.0, None, 1.0]}, {}, "fold_column 'fold' in .* must hold an int in every row, it is float64"
    yield {"fold": ["0", "1", "0", "1"]}, {}, "fold_column 'fold' in .* must hold an int in every row"
    yield {"site": [1.0, 2.0, None, 1.0]}, {}, "group_column 'site' in .* must hold an int or a text in every row"
    yield {"site": ["x", None, "x", "x"]}, {}, "group_column 'site' in .* holds None in row 1"
    yield {"weight": [1.0, None, 1.0, 1.0]}, {}, "weight_column 'weight' in .* is missing in row 1"
    yield {"weight": ["1", "2", "3", "4"]}, {}, "weight_column 'weight' in .* must hold numbers, it is object"
    yield {"weight": [1.0, -2.0, 1.0, 1.0]}, {}, "weights holds -2.0 in row 1; weights cannot be negative"


@pytest.mark.parametrize(("columns", "roles", "message"), list(wrong_frames()))
def test_parquet_that_is_wrong(tmp_path, frame, columns, roles, message):
    frame.assign(**columns).to_parquet(tmp_path / "d.parquet")
    with pytest.raises(DataError, match=message) as error:
        import_parquet(tmp_path / "d.parquet", tmp_path / "out", **{**ROLES, **roles})
    one_line(error)
    assert not (tmp_path / "out").exists()


def test_parquet_without_features(tmp_path):
    pd.DataFrame({"y": [0, 1]}).to_parquet(tmp_path / "d.parquet")
    with pytest.raises(DataError, match="has no column beside y: there is nothing to learn from"):
        import_parquet(tmp_path / "d.parquet", tmp_path / "out", target="y")


def test_parquet_without_rows(tmp_path, frame):
    frame.iloc[:0].to_parquet(tmp_path / "d.parquet")
    with pytest.raises(DataError, match="holds no rows"):
        import_parquet(tmp_path / "d.parquet", tmp_path / "out", target="label", group_column="site")


def test_parquet_with_two_columns_of_one_name(tmp_path):
    column = pa.array([1.0, 2.0])
    pq.write_table(pa.Table.from_arrays([column, column, column], names=["a", "a", "y"]), tmp_path / "d.parquet")
    with pytest.raises(DataError, match=r"cannot be read as Parquet: .*duplicate field names"):
        import_parquet(tmp_path / "d.parquet", tmp_path / "out", target="y")


def test_parquet_folders_by_a_column_keep_that_column(tmp_path):
    table = pa.table({"x": [1.0, 2.0, 3.0], "part": [0, 1, 0], "y": ["a", "b", "a"]})
    pq.write_to_dataset(table, tmp_path / "in", partition_cols=["part"])
    import_parquet(tmp_path / "in", tmp_path / "out", target="y")
    matrix = open_matrix(tmp_path / "out")
    assert matrix.columns()["key"].to_pylist() == ["x", "part"]
    assert matrix.X.tolist() == [[1, 0], [3, 0], [2, 1]]


@pytest.mark.parametrize("wider", ["a", "b"])
def test_parquet_files_of_different_columns(tmp_path, wider):
    for name in ("a", "b"):
        more = {"z": [0.0]} if name == wider else {}
        pq.write_table(pa.table({"x": [1.0], "y": [name], **more}), tmp_path / f"{name}.parquet")
    with pytest.raises(DataError, match=r"b\.parquet and .*a\.parquet differ in the columns z; write them alike"):
        import_parquet(tmp_path, tmp_path / "out", target="y")


def test_parquet_folder_without_files(tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(DataError, match="in holds no Parquet file"):
        import_parquet(tmp_path / "in", tmp_path / "out", target="y")


def test_parquet_that_is_none(tmp_path):
    (tmp_path / "d.parquet").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"d\.parquet cannot be read as Parquet: ") as error:
        import_parquet(tmp_path / "d.parquet", tmp_path / "out", target="y")
    one_line(error)


def test_parquet_that_is_damaged_within(tmp_path):
    frame = pd.DataFrame({"a": np.random.default_rng(0).random(5000), "y": 0})
    frame.to_parquet(tmp_path / "d.parquet", compression="gzip")
    content = bytearray((tmp_path / "d.parquet").read_bytes())
    content[2000:2100] = bytes(100)
    (tmp_path / "d.parquet").write_bytes(content)
    with pytest.raises((DataError, StorageError), match=r"d\.parquet.*") as error:
        import_parquet(tmp_path / "d.parquet", tmp_path / "out", target="y")
    one_line(error)


def test_parquet_that_is_not_there(tmp_path):
    with pytest.raises(StorageError, match=r"cannot read .*d\.parquet: No such file or directory; check the path"):
        import_parquet(tmp_path / "d.parquet", tmp_path / "out", target="y")
