"""A matrix on disk: written once, opened by memory map in milliseconds, known by its digest.

``manifest`` says what a folder holds, ``writing`` makes one, ``opening`` reads one, ``building`` collects sparse
entries, ``target`` turns labels into codes, and the ``import_*`` files bring in what others made.
"""

from sparksweep.matrix.building import CsrBuilder
from sparksweep.matrix.import_npz import import_npz
from sparksweep.matrix.import_parquet import import_parquet
from sparksweep.matrix.import_svmlight import import_svmlight
from sparksweep.matrix.manifest import Manifest
from sparksweep.matrix.opening import Matrix, open_matrix
from sparksweep.matrix.writing import column_table, write_matrix

__all__ = [
    "CsrBuilder",
    "Manifest",
    "Matrix",
    "column_table",
    "import_npz",
    "import_parquet",
    "import_svmlight",
    "open_matrix",
    "write_matrix",
]
