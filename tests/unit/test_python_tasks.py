"""A task of ours leaves its Python worker as cheap for the next one as it can, however it ends."""

from __future__ import annotations

import gc
import importlib
import os
import pickle
import socket
import sys
import zipfile
import zipimport

import pytest

from sparksweep.features.coding import owner_rows
from sparksweep.python_tasks import acknowledge_tasks_at_once, python_task


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


@pytest.fixture
def worker_socket(monkeypatch):
    """Return a worker's end of a connection over which both sides have spoken: what it gets it acknowledges late."""
    others = [finder for finder in sys.meta_path if finder.__module__ != "sparksweep.python_tasks"]
    monkeypatch.setattr(sys, "meta_path", others)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as jvm:
        worker, _ = server.accept()
        with worker:
            jvm.sendall(b"task")
            assert worker.recv(10) == b"task"
            worker.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
            yield worker


def acknowledges_at_once(sock):
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK) == 1


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="a call of Linux")
def test_what_has_arrived_is_acknowledged_when_spark_forgets_caches(worker_socket):
    importlib.invalidate_caches()
    assert not acknowledges_at_once(worker_socket)
    list(doubled([]))
    open_before = len(os.listdir("/proc/self/fd"))
    importlib.invalidate_caches()
    assert acknowledges_at_once(worker_socket)
    assert len(os.listdir("/proc/self/fd")) == open_before
    worker_socket.sendall(b"still open")


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="a call of Linux")
def test_a_default_timeout_does_not_make_the_socket_another(worker_socket):
    """Python gives it to whatever socket it makes: the worker would be told that there is nothing yet."""
    acknowledge_tasks_at_once()
    socket.setdefaulttimeout(10)
    try:
        importlib.invalidate_caches()
    finally:
        socket.setdefaulttimeout(None)
    assert acknowledges_at_once(worker_socket)
    assert os.get_blocking(worker_socket.fileno())


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="a call of Linux")
def test_it_is_asked_for_once(worker_socket):
    before = len(sys.meta_path)
    for _ in range(3):
        acknowledge_tasks_at_once()
    assert len(sys.meta_path) == before + 1
    with pytest.raises(ImportError):
        importlib.import_module("there_is_none")
