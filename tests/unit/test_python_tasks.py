"""A task of ours leaves its Python worker as cheap for the next one as it can, however it ends."""

from __future__ import annotations

import gc
import pickle
import sys
import zipfile
import zipimport

import pytest

from sparksweep.features.coding import owner_rows
from sparksweep.python_tasks import python_task


@pytest.fixture
def zip_on_path(tmp_path, monkeypatch):
    """Put a zip on the path, as pyspark.zip is on a cluster's; its importer is what the next task would read again."""
    path = tmp_path / "package.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("module_in_zip.py", "VALUE = 7\n")
    monkeypatch.syspath_prepend(str(path))
    sys.path_importer_cache[str(path)] = zipimport.zipimporter(str(path))
    yield str(path)
    sys.path_importer_cache.pop(str(path), None)
    sys.modules.pop("module_in_zip", None)


@python_task
def doubled(numbers):
    for number in numbers:
        if number < 0:
            raise ValueError(number)
        yield 2 * number


def test_the_zips_importers_are_dropped_at_the_end(zip_on_path):
    assert list(doubled([1, 2])) == [2, 4]
    assert zip_on_path not in sys.path_importer_cache


def test_also_when_the_task_fails_or_is_cut_short(zip_on_path):
    with pytest.raises(ValueError, match="-1"):
        list(doubled([-1]))
    assert zip_on_path not in sys.path_importer_cache
    sys.path_importer_cache[zip_on_path] = zipimport.zipimporter(zip_on_path)
    running = doubled([1, 2])
    next(running)
    assert zip_on_path in sys.path_importer_cache
    running.close()
    assert zip_on_path not in sys.path_importer_cache


@pytest.mark.slow
@pytest.mark.versions
def test_what_imports_left_is_not_walked_by_the_next_collection(monkeypatch):
    monkeypatch.setattr("sparksweep.python_tasks._modules_at_freeze", 0)
    gc.unfreeze()
    list(doubled([]))
    assert gc.get_freeze_count() > 1000
    gc.unfreeze()
    list(doubled([]))  # no module has come since
    assert gc.get_freeze_count() == 0


def test_what_is_in_the_zip_can_still_be_imported(zip_on_path):
    list(doubled([]))
    import module_in_zip

    assert module_in_zip.VALUE == 7


def test_a_task_is_sent_by_its_name():
    assert pickle.loads(pickle.dumps(owner_rows)) is owner_rows
