"""A matrix folder: what is written comes back, by memory map; what is wrong or damaged is said."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.sparse import coo_matrix, csr_matrix

from sparksweep.errors import DataError, StorageError
from sparksweep.matrix import Manifest, column_table, open_matrix, write_matrix
from sparksweep.matrix.manifest import array_facts

CLASSES = ["F23-", "M22-", "ä"]


def build(folder, **changes):
    """Write 4 rows x 3 columns with everything a folder can hold."""
    X = csr_matrix(np.array([[0, 1, 0.5], [0, 0, 0], [2, 0, 0], [0, 0, 3]], dtype=np.float32))
    given = {
        "X": X,
        "rows": np.array([7, -9223372036854775808, 9223372036854775807, 0]),
        "columns": column_table("brand", ["小米", "a ", "a"]),
        "y": np.array([0, 2, 1, 0]),
        "classes": CLASSES,
        "folds": np.array([0, 1, 0, -1]),
        "groups": np.array([5, 5, 6, 2**40]),
        "weights": np.array([1, 0, 0.5, 2]),
        "sources": {"tables": "x"},
        **changes,
    }
    return write_matrix(folder, given.pop("X"), given.pop("rows"), **given)


def test_everything_comes_back(tmp_path):
    manifest = build(tmp_path / "train")
    matrix = open_matrix(tmp_path / "train", verify=True)
    assert matrix.X.toarray().tolist() == [[0, 1, 0.5], [0, 0, 0], [2, 0, 0], [0, 0, 3]]
    assert matrix.rows.tolist() == [7, -9223372036854775808, 9223372036854775807, 0]
    assert matrix.y.tolist() == [0, 2, 1, 0]
    assert matrix.classes == CLASSES
    assert matrix.folds.tolist() == [0, 1, 0, -1]
    assert matrix.groups.tolist() == [5, 5, 6, 2**40]
    assert matrix.weights.tolist() == [1, 0, 0.5, 2]
    assert matrix.columns().to_pydict() == {
        "index": [0, 1, 2],
        "feature_set": ["brand"] * 3,
        "key": ["小米", "a ", "a"],
    }
    assert matrix.manifest == manifest
    assert manifest.dtypes == {
        "data": "float32",
        "indices": "int32",
        "indptr": "int32",
        "rows": "int64",
        "y": "int32",
        "folds": "int32",
        "groups": "int64",
        "weights": "float64",
    }
    assert (manifest.shape, manifest.nnz, manifest.sources) == ((4, 3), 4, {"tables": "x"})
    assert set(manifest.versions) >= {"sparksweep", "numpy", "scipy"}


def test_the_folder_holds_what_the_design_says_and_nothing_else(tmp_path):
    build(tmp_path / "train", folds=None, groups=None, weights=None)
    names = {file.name for file in (tmp_path / "train").iterdir()}
    arrays = {"data.npy", "indices.npy", "indptr.npy", "rows.npy", "y.npy"}
    assert names == arrays | {"columns.parquet", "manifest.json"}
    assert [file.name for file in tmp_path.iterdir()] == ["train"]


def test_a_test_matrix_has_no_target(tmp_path):
    build(tmp_path / "test", y=None, classes=None, folds=None, groups=None, weights=None)
    matrix = open_matrix(tmp_path / "test")
    assert (matrix.y, matrix.classes, matrix.folds, matrix.groups, matrix.weights) == (None,) * 5


def test_arrays_are_read_only_memory_maps(tmp_path):
    build(tmp_path / "train")
    matrix = open_matrix(tmp_path / "train")
    for array in (matrix.X.data, matrix.X.indices, matrix.X.indptr, matrix.rows, matrix.y):
        assert isinstance(array, np.memmap)
        assert not array.flags.writeable
    assert matrix.X.has_canonical_format


def test_float64_and_zero_entries_are_kept(tmp_path):
    X = csr_matrix((np.array([0.0, 0.1]), ([0, 1], [1, 0])), shape=(4, 3))
    assert X.nnz == 2
    build(tmp_path / "train", X=X)
    found = open_matrix(tmp_path / "train").X
    assert (found.dtype, found.data.tolist()) == (np.float64, [0.0, 0.1])


def test_entries_are_put_in_order_and_doubled_ones_added(tmp_path):
    X = csr_matrix((np.array([1, 2, 4], dtype=np.float32), np.array([2, 0, 2]), np.array([0, 3, 3, 3, 3])), (4, 3))
    build(tmp_path / "train", X=X)
    found = open_matrix(tmp_path / "train").X
    assert (found.indices.tolist(), found.data.tolist()) == ([0, 2], [2, 5])
    assert X.indices.tolist() == [2, 0, 2]


def test_other_sparse_forms_are_taken(tmp_path):
    X = coo_matrix((np.array([1.5], dtype=np.float32), ([3], [2])), shape=(4, 3))
    build(tmp_path / "train", X=X)
    assert open_matrix(tmp_path / "train").X[3, 2] == 1.5


def test_a_dense_matrix_stays_dense(tmp_path):
    X = np.array([[0.0, np.nan, 1.0]] * 4)
    manifest = build(tmp_path / "train", X=X)
    found = open_matrix(tmp_path / "train", verify=True).X
    np.testing.assert_array_equal(found, X)
    assert (manifest.kind, manifest.nnz, manifest.dtypes["dense"]) == ("dense", 12, "float64")


def test_no_rows_and_no_entries(tmp_path):
    empty = {name: None for name in ("y", "classes", "folds", "groups", "weights")}
    build(tmp_path / "none", X=csr_matrix((0, 3), dtype=np.float32), rows=np.empty(0, dtype=np.int64), **empty)
    assert open_matrix(tmp_path / "none", verify=True).X.shape == (0, 3)
    build(tmp_path / "zero", X=csr_matrix((4, 3), dtype=np.float32))
    assert open_matrix(tmp_path / "zero", verify=True).X.nnz == 0


def test_writing_again_replaces_all(tmp_path):
    build(tmp_path / "train")
    build(tmp_path / "train", folds=None)
    assert open_matrix(tmp_path / "train", verify=True).folds is None
    assert not (tmp_path / "train" / "folds.npy").exists()


# --- digest ---------------------------------------------------------------------------------------------------------


def test_the_digest_is_that_of_the_content_only(tmp_path):
    first = build(tmp_path / "a")
    second = build(tmp_path / "b", sources={"other": 1}, versions={"numpy": "0"})
    assert first.digest == second.digest
    assert re.fullmatch("[0-9a-f]{64}", first.digest)


CHANGES = {
    "one value": {"X": csr_matrix(np.array([[0, 1, 0.25], [0, 0, 0], [2, 0, 0], [0, 0, 3]], dtype=np.float32))},
    "one place": {"X": csr_matrix(np.array([[0, 1, 0.5], [0, 0, 0], [0, 2, 0], [0, 0, 3]], dtype=np.float32))},
    "one row on": {"X": csr_matrix(np.array([[0, 1, 0.5], [2, 0, 0], [0, 0, 0], [0, 0, 3]], dtype=np.float32))},
    "dtype of X": {"X": csr_matrix(np.array([[0, 1, 0.5], [0, 0, 0], [2, 0, 0], [0, 0, 3]], dtype=np.float64))},
    "dense": {"X": np.array([[0, 1, 0.5], [0, 0, 0], [2, 0, 0], [0, 0, 3]], dtype=np.float32)},
    "rows": {"rows": np.array([7, -9223372036854775808, 9223372036854775806, 0])},
    "y": {"y": np.array([0, 2, 1, 1])},
    "no y": {"y": None, "classes": None},
    "y as numbers": {"y": np.array([0.0, 2.0, 1.0, 0.0]), "classes": None},
    "classes": {"classes": ["F23-", "M22-", "ö"]},
    "folds": {"folds": np.array([0, 1, 0, 0])},
    "no folds": {"folds": None},
    "groups": {"groups": np.array([5, 5, 6, 7])},
    "weights": {"weights": np.array([1, 0, 0.5, 2.5])},
    "a key": {"columns": column_table("brand", ["小米", "a", "a "])},
    "a feature set": {"columns": column_table("model", ["小米", "a ", "a"])},
}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_the_digest_changes_with(tmp_path, change):
    assert build(tmp_path / "a").digest != build(tmp_path / "b", **CHANGES[change]).digest


def test_a_target_and_weights_of_the_same_numbers_are_told_apart(tmp_path):
    numbers, none = np.array([0.0, 1, 0, 1]), dict.fromkeys(("folds", "groups", "classes"))
    assert (
        build(tmp_path / "a", y=numbers, weights=None, **none).digest
        != build(tmp_path / "b", y=None, weights=numbers, **none).digest
    )


@pytest.mark.parametrize("other", [np.array([1, 0], dtype=np.int32), np.array([[1]]), np.array([1]).view(np.float64)])
def test_arrays_of_the_same_bytes_have_other_digests(other):
    array = np.array([1], dtype=np.int64)
    assert array.tobytes() == other.tobytes()
    assert array_facts(array).sha256 != array_facts(other).sha256


def test_an_array_has_one_digest_however_it_lies_in_memory():
    array = np.arange(12.0).reshape(3, 4)
    assert array_facts(array).sha256 == array_facts(np.asfortranarray(array)).sha256


def test_folds_and_groups_of_the_same_numbers_are_told_apart(tmp_path):
    numbers = np.array([0, 1, 0, 1])
    assert (
        build(tmp_path / "a", folds=numbers, groups=None).digest
        != build(tmp_path / "b", folds=None, groups=numbers).digest
    )


# --- what is refused at writing -------------------------------------------------------------------------------------

REFUSED = {
    "X is int64, must be float32 or float64": {"X": csr_matrix(np.ones((4, 3), dtype=np.int64))},
    "X has 1 dimensions, a matrix has 2": {"X": np.ones(4)},
    r"rows has shape \(3,\), X has 4 rows": {"rows": np.arange(3)},
    "rows is float64, must be integers": {"rows": np.arange(4) * 1.0},
    r"y has shape \(2,\), X has 4 rows": {"y": np.array([0, 1])},
    "y holds codes from 0 to 3, there are 3 classes": {"y": np.array([0, 1, 2, 3])},
    "y holds codes from -1 to 2, there are 3 classes": {"y": np.array([0, 1, 2, -1])},
    "y is float64, must be integers": {"y": np.array([0.0, 1, 2, 1])},
    "y holds nan in row 2": {"y": np.array([0.0, 1, np.nan, 1]), "classes": None},
    "y is <U1, must be numbers": {"y": np.array(list("abca")), "classes": None},
    r"classes must be sorted, each once.*got \['b', 'a', 'c'\]": {"classes": ["b", "a", "c"]},
    "classes must be sorted, each once": {"classes": ["a", "a", "b"]},
    "classes must be sorted, each once, all text or all int": {"classes": [1, "a", "b"]},
    "class 1.5 is neither text nor int": {"classes": [0.5, 1.5, 1]},
    "folds is float64, must be integers": {"folds": np.array([0.0, 1, 0, 1])},
    "groups is <U1, must be integers": {"groups": np.array(list("abca"))},
    "weights holds -1.0 in row 1; weights cannot be negative": {"weights": np.array([1, -1, 0, 0])},
    "weights holds inf in row 3": {"weights": np.array([1, 1, 0, np.inf])},
    "columns must list the indices 0 to 2": {"columns": column_table("a", ["x", "y"])},
    r"columns has \['index', 'key'\]": {"columns": pa.table({"index": [0, 1, 2], "key": ["a", "b", "c"]})},
    "X has entries outside its 3 columns": {
        "X": csr_matrix(np.ones((4, 3), dtype=np.float32))[:, [0, 1, 2]],
        "spoil": True,
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("message", REFUSED)
def test_what_does_not_fit_is_refused_and_nothing_is_left(tmp_path, message):
    changes = dict(REFUSED[message])
    if changes.pop("spoil", False):
        changes["X"].indices[2] = 9
    if "class 1.5" in message:
        changes["classes"] = [1, 1.5, 2]
    with pytest.raises(DataError, match=message):
        build(tmp_path / "train", **changes)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"file: .*a file stands where"):
        build(tmp_path / "file" / "train")


# --- damage ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    build(tmp_path / "train")
    return tmp_path / "train"


def rewrite_manifest(folder, **changes):
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_missing_folder(tmp_path):
    with pytest.raises(StorageError, match=r"cannot read .*none/manifest\.json: No such file"):
        open_matrix(tmp_path / "none")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["data", "indices", "indptr", "rows", "y", "folds", "groups", "weights"])
def test_a_missing_array(folder, name):
    (folder / f"{name}.npy").unlink()
    with pytest.raises(StorageError, match=rf"cannot read .*{name}\.npy: No such file"):
        open_matrix(folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["data", "indices", "indptr", "rows", "y", "weights"])
@pytest.mark.parametrize("cut", [-1, -8, 60, 3, 0])
def test_a_cut_array(folder, name, cut):
    path = folder / f"{name}.npy"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match=rf"{name}\.npy is damaged .*make the matrix again"):
        open_matrix(folder)


def test_an_array_with_more_behind_it(folder):
    with open(folder / "data.npy", "ab") as file:
        file.write(b"123")
    with pytest.raises(DataError, match=r"data\.npy is damaged \(3 bytes too long\)"):
        open_matrix(folder)


@pytest.mark.parametrize(
    ("array", "found"),
    [(np.zeros(4), "float64 (4,)"), (np.zeros(5, dtype=np.float32), "float32 (5,)")],
    ids=["dtype", "shape"],
)
def test_another_array_in_its_place(folder, array, found):
    np.save(folder / "data.npy", array)
    with pytest.raises(DataError, match=rf"data\.npy holds {re.escape(found)}, the manifest says float32 \(4,\)"):
        open_matrix(folder)


def test_python_objects_are_not_unpickled(folder):
    np.save(folder / "data.npy", np.array([1, "a", None, 2], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"data\.npy is damaged"):
        open_matrix(folder)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["data", "indices", "indptr", "rows", "y", "folds", "groups", "weights"])
def test_a_flipped_bit_is_found_when_asked_for(folder, name):
    path = folder / f"{name}.npy"
    content = bytearray(path.read_bytes())
    content[-6 if name == "indptr" else -1] ^= 1
    if name == "indptr":  # the last entry is checked at each opening, so spoil one in the middle
        content[-6] ^= 1
        content[-8] ^= 1
    path.write_bytes(content)
    open_matrix(folder)
    with pytest.raises(DataError, match=rf"damaged \({name}\.npy changed since it was written\)"):
        open_matrix(folder, verify=True)


def test_changed_columns_are_found_when_asked_for(folder):
    pq.write_table(column_table("brand", ["小米", "b", "a"]), folder / "columns.parquet")
    open_matrix(folder)
    with pytest.raises(DataError, match=r"columns\.parquet changed since it was written"):
        open_matrix(folder, verify=True)


def test_columns_of_another_number(folder):
    pq.write_table(column_table("brand", ["小米", "b"]), folder / "columns.parquet")
    with pytest.raises(DataError, match=r"columns\.parquet lists 2 columns, X has 3"):
        open_matrix(folder).columns()


def test_columns_that_are_no_parquet(folder):
    (folder / "columns.parquet").write_bytes(b"no")
    with pytest.raises(DataError, match=r"columns\.parquet is damaged"):
        open_matrix(folder).columns()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": 1}'])
def test_a_manifest_that_is_none(folder, text):
    (folder / "manifest.json").write_text(text)
    with pytest.raises(DataError, match=r"manifest\.json is damaged .*make the matrix again"):
        open_matrix(folder)


def test_a_manifest_that_is_no_text(folder):
    (folder / "manifest.json").write_bytes(b'{"a": "\xff"}')
    with pytest.raises(DataError, match=r"manifest\.json is damaged \(byte 7 is no UTF-8\)"):
        open_matrix(folder)


def test_a_manifest_of_another_format(folder):
    rewrite_manifest(folder, format=2)
    with pytest.raises(DataError, match="has format 2, this version reads 1"):
        open_matrix(folder)


@pytest.mark.parametrize("change", [{"shape": [4, 4]}, {"classes": ["a", "b", "c"]}, {"digest": "0" * 64}])
def test_a_manifest_changed_by_hand(folder, change):
    rewrite_manifest(folder, **change)
    with pytest.raises(DataError, match="its digest does not fit its content"):
        open_matrix(folder)


def resign(folder, **changes):
    """Change the manifest and give it the digest that fits, as a faulty writer might."""
    path = folder / "manifest.json"
    manifest = Manifest.from_json(path.read_text(), str(path))
    path.write_text(replace(manifest, **{key: change(manifest) for key, change in changes.items()}).to_json())


def test_a_manifest_without_an_array(folder):
    resign(folder, arrays=lambda manifest: {k: v for k, v in manifest.arrays.items() if k != "indptr"})
    with pytest.raises(DataError, match="names no indptr"):
        open_matrix(folder)


@pytest.mark.parametrize("shape", [(5, 3), (3, 3)])
def test_arrays_that_do_not_make_the_shape(folder, shape):
    resign(folder, shape=lambda manifest: shape)
    with pytest.raises(DataError, match=rf"its arrays do not make {shape[0]} rows x 3 columns"):
        open_matrix(folder)


def test_dense_arrays_that_do_not_make_the_shape(tmp_path):
    build(tmp_path / "train", X=np.ones((4, 3)))
    resign(tmp_path / "train", shape=lambda manifest: (4, 2))
    with pytest.raises(DataError, match="its arrays do not make 4 rows x 2 columns"):
        open_matrix(tmp_path / "train")


# --- targets as numbers ---------------------------------------------------------------------------------------------


def test_int_classes_as_numbers(tmp_path):
    build(tmp_path / "train", classes=[-1, 10, 300])
    assert open_matrix(tmp_path / "train").numeric_y().tolist() == [-1.0, 300.0, 10.0, -1.0]


def test_numbers_as_numbers(tmp_path):
    build(tmp_path / "train", y=np.array([0.5, 1, 2, 3]), classes=None)
    assert open_matrix(tmp_path / "train").numeric_y().tolist() == [0.5, 1, 2, 3]


def test_texts_are_no_numbers(tmp_path):
    build(tmp_path / "train")
    with pytest.raises(DataError, match=r"the classes \['F23-', 'M22-', 'ä'\] are texts, a regressor needs numbers"):
        open_matrix(tmp_path / "train").numeric_y()


def test_no_target_is_no_numbers(tmp_path):
    build(tmp_path / "train", y=None, classes=None)
    with pytest.raises(DataError, match="has no target"):
        open_matrix(tmp_path / "train").numeric_y()
