"""``manifest.json`` of a matrix folder: what it holds, from what it was made, and its digests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sparksweep.errors import DataError

__all__ = ["CSR_ARRAYS", "DENSE_ARRAYS", "MANIFEST", "ArrayFacts", "Label", "Manifest", "array_facts", "columns_digest"]

MANIFEST = "manifest.json"
FORMAT = 1
CSR_ARRAYS = ("data", "indices", "indptr")
DENSE_ARRAYS = ("dense",)

Label = str | int


@dataclass(frozen=True)
class ArrayFacts:
    """What the manifest knows of one ``NAME.npy``.

    Attributes
    ----------
    dtype : str
        As numpy names it, "float32".
    shape : tuple of int
        Of the array.
    sha256 : str
        Hex digest of dtype, shape and elements in C order.
    """

    dtype: str
    shape: tuple[int, ...]
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a matrix folder holds.

    Attributes
    ----------
    kind : {"csr", "dense"}
        How X is kept: ``data.npy indices.npy indptr.npy``, or ``dense.npy``.
    shape : tuple of int
        Rows and columns of X.
    nnz : int
        Entries kept; in a dense X all of them.
    classes : list of str or int, optional
        Sorted labels; y holds codes into it. None when y is a number to predict, or absent.
    arrays : dict of str to ArrayFacts
        By name: the arrays of X, ``rows``, and those of ``y folds groups weights`` that there are.
    columns_sha256 : str
        Digest of the columns' feature sets and keys.
    digest : str
        SHA-256 over kind, shape, classes, arrays and columns: equal for equal content, whenever and in whatever order
        it was written, different as soon as one value, dtype or shape is.
    sources : dict
        From what the matrix was made; not in the digest.
    versions : dict of str to str
        What made it; not in the digest.
    """

    kind: str
    shape: tuple[int, int]
    nnz: int
    classes: list[Label] | None
    arrays: Mapping[str, ArrayFacts]
    columns_sha256: str
    sources: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 of the content, as hex digits."""
        content = [self.kind, self.shape, self.classes, self.columns_sha256]
        arrays = [[name, facts.dtype, facts.shape, facts.sha256] for name, facts in sorted(self.arrays.items())]
        return hashlib.sha256(json.dumps([content, arrays]).encode()).hexdigest()

    @property
    def dtypes(self) -> dict[str, str]:
        """The arrays' dtypes by name."""
        return {name: facts.dtype for name, facts in self.arrays.items()}

    def to_json(self) -> str:
        """Return the text of ``manifest.json``."""
        content = {
            "format": FORMAT,
            "kind": self.kind,
            "shape": self.shape,
            "nnz": self.nnz,
            "dtypes": self.dtypes,
            "classes": self.classes,
            "digest": self.digest,
            "arrays": {name: asdict(facts) for name, facts in self.arrays.items()},
            "columns_sha256": self.columns_sha256,
            "sources": self.sources,
            "versions": self.versions,
        }
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"

    @staticmethod
    def from_json(text: str, origin: str) -> Manifest:
        """Return what `text` says.

        Parameters
        ----------
        text : str
            Of ``manifest.json``.
        origin : str
            Its path, for messages.

        Raises
        ------
        DataError
            The text is no manifest, one of a newer format, or was changed since it was written.
        """
        try:
            content = json.loads(text)
            made_by = content["format"]
            manifest = Manifest(
                kind=content["kind"],
                shape=(int(content["shape"][0]), int(content["shape"][1])),
                nnz=int(content["nnz"]),
                classes=content["classes"],
                arrays={
                    name: ArrayFacts(facts["dtype"], tuple(facts["shape"]), facts["sha256"])
                    for name, facts in content["arrays"].items()
                },
                columns_sha256=content["columns_sha256"],
                sources=content["sources"],
                versions=content["versions"],
            )
            kept = content["digest"]
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise DataError(f"{origin} is damaged ({type(error).__name__}: {error}); make the matrix again") from error
        if made_by != FORMAT:
            raise DataError(f"{origin} has format {made_by}, this version reads {FORMAT}; make the matrix again")
        if kept != manifest.digest:
            raise DataError(f"{origin} is damaged (its digest does not fit its content); make the matrix again")
        return manifest


def array_facts(array: NDArray[Any]) -> ArrayFacts:
    """Return dtype, shape and digest of an array."""
    return ArrayFacts(array.dtype.name, array.shape, _sha256(array))


def columns_digest(columns: pa.Table) -> str:
    """Return the digest of a table of columns, by its feature sets and keys in the order of the index."""
    pairs = [columns["feature_set"].to_pylist(), columns["key"].to_pylist()]
    return hashlib.sha256(json.dumps(pairs).encode()).hexdigest()


def _sha256(array: NDArray[Any]) -> str:
    head = json.dumps([array.dtype.newbyteorder("<").str, array.shape]).encode()
    digest = hashlib.sha256(head)
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
