"""What a fit does to its process is done to that process only, and told."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import numpy as np
import psutil
import pytest

from sparksweep.search.fit_process import Died, FitProcess, Limits

pytestmark = pytest.mark.slow

FREE = Limits()


def serve(request):
    yield from request()


def prepare():
    return serve


@pytest.fixture
def process():
    made = FitProcess(prepare, ["json", "no_such_module"])
    yield made
    made.close()


def ask(process, deed, limits=FREE):
    return list(process.ask(deed, limits))


def tell_pid():
    yield os.getpid()


def tell_several():
    yield 1
    time.sleep(0.01)
    yield "two"


def exit_at_once():
    yield "before"
    os._exit(3)


def crash():
    os.kill(os.getpid(), signal.SIGSEGV)
    yield


def be_killed():
    os.kill(os.getpid(), signal.SIGKILL)
    yield


def hang():
    yield "before"
    time.sleep(60)


def grow():
    kept = []
    while True:
        kept.append(np.ones(1 << 20))
        time.sleep(0.005)
        if len(kept) > 2000:
            yield len(kept)


def leave_a_thread():
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    yield os.getpid()


def leave_a_process():
    yield subprocess.Popen(["sleep", "60"]).pid


def draw():
    yield random.random(), float(np.random.random())


def test_it_serves_one_request_after_the_other(process):
    assert ask(process, tell_several) == [1, "two"]
    assert ask(process, tell_pid) == ask(process, tell_pid) == [process.pid]
    assert process.pid != os.getpid()


@pytest.mark.parametrize(
    ("deed", "told"),
    [
        (exit_at_once, "ChildProcessError: the process that trained it exited with code 3"),
        (crash, "ChildProcessError: the process that trained it was killed by SIGSEGV"),
        (
            be_killed,
            "ChildProcessError: the process that trained it was killed by SIGKILL; the kernel does so",
        ),
    ],
)
def test_its_end_is_told(process, deed, told):
    with pytest.raises(Died) as died:
        ask(process, deed)
    assert died.value.told.splitlines()[-1].startswith(told)
    assert not died.value.timed_out
    assert not process.alive
    assert not psutil.pid_exists(process.pid)


def test_a_crash_says_where(process):
    with pytest.raises(Died) as died:
        ask(process, crash)
    assert "Fatal Python error: Segmentation fault" in died.value.told
    assert "in crash" in died.value.told
    assert "0x0" not in died.value.told


def test_what_came_before_the_end_is_kept(process):
    answers = process.ask(exit_at_once, FREE)
    assert next(answers) == "before"
    with pytest.raises(Died):
        next(answers)


def test_a_hang_is_ended_and_says_where(process):
    begin = time.monotonic()
    answers = process.ask(hang, Limits(seconds=0.5))
    assert next(answers) == "before"
    with pytest.raises(Died) as died:
        next(answers)
    assert 0.4 < time.monotonic() - begin < 20
    assert died.value.timed_out
    assert "in hang" in died.value.told
    assert died.value.told.splitlines()[-1] == "TimeoutError: not done within 0.5 s (fit_timeout)"
    assert not psutil.pid_exists(process.pid)


def test_too_much_memory_ends_it(process):
    with pytest.raises(Died, match=r"^MemoryError: took \d+ MiB, more than its share of 400 MiB \(fit_memory\)$"):
        ask(process, grow, Limits(memory=400 << 20))


@pytest.mark.parametrize("deed", [leave_a_thread, leave_a_process])
def test_who_leaves_something_behind_is_replaced(process, deed):
    (left,) = ask(process, deed)
    assert not process.alive
    end = time.monotonic() + 20
    while time.monotonic() < end and _lives(left):
        time.sleep(0.05)
    assert not _lives(left)


def _lives(pid):
    with suppress(psutil.Error):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def test_processes_do_not_draw_alike():
    drawn = set()
    for _ in range(2):
        process = FitProcess(prepare, [])
        drawn.update(ask(process, draw))
        process.close()
    assert len({first for first, _ in drawn}) == len({second for _, second in drawn}) == 2


def test_what_cannot_be_made_ready_is_told():
    def missing():
        raise ModuleNotFoundError("No module named 'mine'")

    process = FitProcess(missing, [])
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'mine'$"):
        ask(process, tell_pid)
    assert not process.alive


WORKER = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
from test_search_fit_process import hang, prepare
from sparksweep.search.fit_process import FitProcess, Limits
process = FitProcess(prepare, [])
print(process.pid, flush=True)
list(process.ask(hang, Limits()))
"""


def test_it_dies_with_its_worker():
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, os.path.dirname(__file__)], stdout=subprocess.PIPE, text=True
    )
    child = int(worker.stdout.readline())
    assert _lives(child)
    worker.kill()
    worker.wait()
    worker.stdout.close()
    end = time.monotonic() + 20
    while time.monotonic() < end and _lives(child):
        time.sleep(0.05)
    assert not _lives(child)


AFTER_OPENMP = """
import sys
sys.path.insert(0, sys.argv[1])
from functools import partial
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier
from sparksweep.search.fit_process import FitProcess, Limits
import boosting_deeds
X, y = make_classification(500, random_state=0)
HistGradientBoostingClassifier(max_iter=5).fit(X, y)
process = FitProcess(partial(boosting_deeds.prepare, X, y), [], threads=2)
print(list(process.ask(None, Limits(seconds=60.0))))
process.close()
"""
BOOSTING_DEEDS = """
from sklearn.ensemble import HistGradientBoostingClassifier
def prepare(X, y):
    def serve(request):
        yield HistGradientBoostingClassifier(max_iter=5).fit(X, y).score(X, y) > 0.5
    return serve
"""


def test_a_worker_that_has_used_threads_of_openmp_can_still_train(tmp_path):
    (tmp_path / "boosting_deeds.py").write_text(BOOSTING_DEEDS)
    # Threads that wait sleep: else they take the processors that others of this machine compute on.
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive"}
    told = subprocess.run(
        [sys.executable, "-c", AFTER_OPENMP, str(tmp_path)], env=environment, capture_output=True, text=True
    )
    assert told.stdout == "[True]\n", told.stderr


def crash_with_many_threads():
    def descend(depth):
        if depth:
            descend(depth - 1)
        time.sleep(60)

    for _ in range(40):
        threading.Thread(target=descend, args=(100,), daemon=True).start()
    time.sleep(1)
    os.kill(os.getpid(), signal.SIGSEGV)
    yield


def test_a_crash_with_more_to_say_than_a_pipe_holds_ends_all_the_same(process):
    with pytest.raises(Died) as died:
        ask(process, crash_with_many_threads, Limits(seconds=30.0))
    assert not died.value.timed_out
    assert died.value.told.splitlines()[-1].endswith("was killed by SIGSEGV")


def wait_a_little():
    time.sleep(1)
    yield "done"


def test_what_the_worker_had_before_is_not_the_fits():
    kept = np.ones(40 << 20)  # 320 MiB
    process = FitProcess(prepare, [])
    assert ask(process, wait_a_little, Limits(memory=100 << 20)) == ["done"]
    process.close()
    del kept
