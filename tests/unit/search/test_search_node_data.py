"""One file a node: what is mapped equals what was packed, two writers do not meet, and nothing stays behind."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csc_matrix, csr_matrix

from sparksweep.search import node_data
from sparksweep.search.evaluate import SearchData
from sparksweep.search.node_data import lay_down, node_folders, pack, remove, sweep_abandoned

pytestmark = pytest.mark.slow


@pytest.fixture
def folders(tmp_path):
    return [tmp_path / "base" / "sparksweep" / "app-1"]


def packed(data):
    return pack(data, pickle.dumps)


def laid(data, folders):
    parcel = packed(data)
    return lay_down(parcel.digest(), parcel.pieces, folders)


@pytest.mark.parametrize(
    "X",
    [
        np.arange(12.0).reshape(4, 3),
        np.asfortranarray(np.arange(12, dtype=np.float32).reshape(4, 3)),
        csr_matrix(np.eye(4, dtype=np.float32)),
        csc_matrix(np.eye(4)),
        csr_matrix((4, 3)),
        pd.DataFrame({"a": [1.0, 2, 3, 4], "b": list("wxyz")}),
        [["a"], ["b"], ["c"], ["d"]],
        np.array(["a", None, 1, 2.5], dtype=object),
        np.zeros((0, 3)),
    ],
    ids=["dense", "fortran", "csr", "csc", "empty csr", "frame", "list", "objects", "no rows"],
)
def test_what_is_mapped_is_what_was_packed(folders, X):
    data = SearchData(X, np.arange(4), [(np.array([0, 1]), np.array([2, 3]))], {"sample_weight": np.ones(4)})
    found = laid(data, folders).open()
    assert type(found.X) is type(X)
    if isinstance(X, pd.DataFrame):
        pd.testing.assert_frame_equal(found.X, X)
    elif hasattr(X, "toarray"):
        assert (found.X != X).nnz == 0
        assert (found.X.dtype, found.X.indices.dtype) == (X.dtype, X.indices.dtype)
    else:
        np.testing.assert_array_equal(found.X, X)
        assert getattr(found.X, "flags", X).f_contiguous == X.flags.f_contiguous if hasattr(X, "flags") else True
    assert found.y.tolist() == [0, 1, 2, 3]
    assert found.splits[0][1].tolist() == [2, 3]
    assert found.fit_params["sample_weight"].tolist() == [1.0] * 4


def test_arrays_are_maps_that_a_fit_may_write_into_for_itself(folders):
    file = laid(np.zeros(1 << 20), folders)
    mine, other = file.open(), file.open()
    mine[0] = 7
    assert (mine[0], other[0], file.open()[0]) == (7, 0, 0)
    maps = Path("/proc/self/maps")
    if maps.exists():
        assert str(file.path) in maps.read_text()


def test_the_second_comer_does_not_need_the_data(folders):
    parcel = packed(np.arange(3))
    name = parcel.digest()
    first = lay_down(name, parcel.pieces, folders)
    assert first.file is not None

    def not_again():
        raise AssertionError("it lies there already")

    assert lay_down(name, not_again, folders).open().tolist() == [0, 1, 2]


def test_a_digest_is_of_content():
    assert packed(np.arange(3)).digest() == packed(np.arange(3)).digest()
    digests = {packed(each).digest() for each in (np.arange(3), np.arange(4), np.arange(3.0), [0, 1, 2])}
    assert len(digests) == 4


@pytest.mark.parametrize("n_bytes", [1, 7, 64, 1 << 20])
def test_chunks_put_together_are_the_file(folders, n_bytes):
    parcel = packed({"a": np.arange(100), "b": np.ones(3, dtype=np.float32), "c": "text"})
    chunks = list(parcel.chunks(n_bytes))
    assert {len(chunk) for chunk in chunks[:-1]} <= {n_bytes}
    assert 0 < len(chunks[-1]) <= n_bytes
    found = lay_down(parcel.digest(), lambda: chunks, folders)
    assert found.path.read_bytes() == b"".join(parcel.pieces())
    assert found.open()["a"].tolist() == list(range(100))


MANY = """
import pickle, sys
import numpy as np
from pathlib import Path
from sparksweep.search.node_data import lay_down, pack
parcel, written = pack(np.arange(2_000_000), pickle.dumps), []
def pieces():
    written.append(1)
    return parcel.pieces()
name = parcel.digest()
print("ready", flush=True)
sys.stdin.readline()
file = lay_down(name, pieces, [Path(sys.argv[1])])
print(file.open().sum(), len(written), flush=True)
sys.stdin.readline()  # the file is held until all have it
"""


def test_of_many_processes_at_once_one_writes(folders):
    command = [sys.executable, "-c", MANY, str(folders[0])]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with ExitStack() as stack:
        processes = [stack.enter_context(subprocess.Popen(command, **pipes)) for _ in range(4)]
        assert [process.stdout.readline() for process in processes] == ["ready\n"] * 4
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        sums, written = zip(*(process.stdout.readline().split() for process in processes), strict=True)
    assert set(sums) == {str(1_999_999 * 1_000_000)}
    assert sorted(written) == ["0", "0", "0", "1"]


def test_a_full_disk_falls_back_to_the_next_folder_and_then_to_memory(folders, tmp_path, caplog):
    blocked = tmp_path / "file"
    blocked.write_text("")
    other = tmp_path / "other" / "app"
    parcel = packed(np.arange(3))
    full = blocked / "app"
    found = lay_down(parcel.digest(), parcel.pieces, [full, other])
    assert found.path.parent == other
    found = lay_down("name", packed(np.arange(3)).pieces, [full])
    assert (found.file, found.open().tolist()) == (None, [0, 1, 2])
    assert "no local folder has room for the data: each worker holds a copy" in caplog.text


LIMITED = """
import resource, signal, sys, pickle
import numpy as np
from pathlib import Path
from sparksweep.search.node_data import lay_down, pack
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
parcel = pack(np.arange(100_000), pickle.dumps)
found = lay_down("big", parcel.pieces, [Path(sys.argv[1])])
print(found.file, found.open().sum(), sorted(path.name for path in Path(sys.argv[1]).iterdir()))
"""


def test_a_write_that_fails_half_way_leaves_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "app")], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"None {99_999 * 50_000} ['big.lock']"


def test_the_last_to_close_removes_the_file(folders):
    first, second = laid(np.arange(3), folders), laid(np.arange(3), folders)
    path = first.path
    first.close()
    assert path.exists()
    kept = second.open()
    second.close()
    assert path.exists()  # it is still mapped
    del kept
    third = laid(np.arange(3), folders)
    third.close()
    assert not path.exists()


def test_the_end_of_a_search_removes_the_file_although_it_is_mapped(folders):
    file = laid(np.arange(3), folders)
    remove(file.name, folders)
    assert not folders[0].exists()
    assert file.open().tolist() == [0, 1, 2]
    assert laid(np.arange(3), folders).path.exists()


HOLD = """
import sys, time, pickle
import numpy as np
from pathlib import Path
from sparksweep.search.node_data import lay_down, pack
parcel = pack(np.arange(3), pickle.dumps)
file = lay_down("held", parcel.pieces, [Path(sys.argv[1])])
print("ready", flush=True)
time.sleep(60)
"""


def test_what_a_killed_process_left_is_swept_and_what_a_live_one_holds_is_not(folders):
    crashed = folders[0].parent / "app-0"
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(crashed)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        sweep_abandoned(folders)
        assert (crashed / "held.data").exists()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    sweep_abandoned(folders)
    assert not crashed.exists()


def test_executors_of_an_application_share_a_folder(monkeypatch):
    monkeypatch.setenv("SPARK_LOCAL_DIRS", "/yarn/usercache/me/appcache/application_1/blockmgr-7")
    (folder,) = node_folders("application_1")
    assert folder == Path(f"/yarn/usercache/me/appcache/application_1/sparksweep-{os.getuid()}/application_1")
    monkeypatch.setenv("SPARK_LOCAL_DIRS", "/a/spark-1/executor-2/blockmgr-3,/b/spark-1/executor-2/blockmgr-4")
    assert [str(each).split("/sparksweep")[0] for each in node_folders("app")] == ["/a", "/b"]
    assert str(node_folders("app", "/c")[0]).startswith("/c/sparksweep-")


def test_the_arrays_are_nobodys_own_memory(folders):
    if not Path("/proc/self/smaps_rollup").exists():
        pytest.skip("needs Linux")
    n_bytes = 64 << 20
    parcel = packed(np.ones(n_bytes // 8))
    name = parcel.digest()
    kept = lay_down(name, parcel.pieces, folders)
    before = _anonymous_bytes()
    data = lay_down(name, list, folders).open()
    assert data.sum() == data.size
    assert _anonymous_bytes() - before < n_bytes / 4
    assert kept.file is not None


def _anonymous_bytes():
    status = Path("/proc/self/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("RssAnon:")]
    return int(line.split()[1]) * 1024


def test_what_is_being_written_is_not_swept(folders):
    parcel = packed({"a": np.arange(3)})

    def pieces_while_another_begins():
        yield from parcel.pieces()
        sweep_abandoned([folders[0].with_name("app-2")])

    laid_down = lay_down(parcel.digest(), pieces_while_another_begins, folders)
    assert laid_down.file is not None
    assert laid_down.open()["a"].tolist() == [0, 1, 2]
    laid_down.close()


def test_a_folder_that_is_removed_meanwhile_is_made_again(folders, monkeypatch):
    write, calls = node_data._write, []

    def lose_the_folder_once(path, pieces):
        calls.append(path)
        if len(calls) == 1:
            shutil.rmtree(path.parent)
        return write(path, pieces)

    monkeypatch.setattr(node_data, "_write", lose_the_folder_once)
    laid_down = laid({"a": np.arange(3)}, folders)
    assert (laid_down.content, len(calls)) == (None, 2)
    laid_down.close()


def test_what_another_user_put_there_is_not_opened(folders, monkeypatch):
    first = laid({"a": np.arange(3)}, folders)
    monkeypatch.setattr(os, "getuid", lambda: 4242)
    second = laid({"a": np.arange(3)}, folders)
    assert (second.file, second.open()["a"].tolist()) == (None, [0, 1, 2])
    first.close()
