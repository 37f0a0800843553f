"""One driver at a time trains a sweep: others wait, take over from the dead and the silent, and are told the truth."""

from __future__ import annotations

import json
import os
import select
import signal
import threading
import time
from dataclasses import replace

import psutil
import pytest

from sparksweep.errors import SearchError, StorageError
from sparksweep.search.ledger import leases, open_ledger, owners
from sparksweep.search.ledger.leases import PRUNING, Holder, Lease, SilenceWatch, read_holder
from sparksweep.search.ledger.owners import Owner
from sparksweep.storage import LocalStore

pytestmark = pytest.mark.slow

KEY = "0123456789abcdef"
FAST = {"beat": 0.1, "silence": 1.5}

HOLD = """
import sys, time
from sparksweep.errors import SearchError
from sparksweep.search.ledger import open_ledger
with open_ledger(sys.argv[1]).lease(sys.argv[2], beat=0.1, silence=1.5, on_wait=lambda line: print("waits")) as lease:
    print("holds")
    for line in sys.stdin:
        try:
            lease.check()
            print("fine")
        except SearchError as error:
            print(error)
"""


def ask(process):
    process.stdin.write("\n")
    process.stdin.flush()
    return process.stdout.readline()


def files(ledger):
    folder = os.path.join(ledger.uri, "leases")
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def read_beat(ledger):
    return int(read_holder(LocalStore(ledger.uri), KEY).beat or b"0")


def changed_beat(ledger, before):
    """Wait for another heartbeat and return it."""
    end = time.monotonic() + 20
    while read_beat(ledger) == before:
        assert time.monotonic() < end, "no heartbeat"
        time.sleep(0.02)
    return read_beat(ledger)


def pretend(ledger, owner, number=1, key=KEY, beat=None):
    """Lay down the lease of another driver."""
    store = LocalStore(ledger.uri)
    store.write_bytes(f"leases/{key}.{number:06d}.claim", json.dumps(owner.facts()).encode())
    if beat is not None:
        store.write_bytes(f"leases/{key}.{owner.token}.beat", beat)


@pytest.fixture
def stranger():
    """A driver on another machine, of which nothing can be known."""
    return replace(Owner(), host="head-0", pid=4321, machine="another boot")


def test_a_lease_is_held_within_its_block_only(ledger):
    with ledger.lease(KEY, **FAST) as lease:
        lease.check()
        (holder,) = ledger.holders()
        assert (holder.key, holder.owner.pid, holder.gone) == (KEY, os.getpid(), False)
    assert files(ledger) == []
    assert ledger.holders() == []


def test_a_lease_is_given_back_after_an_exception(ledger):
    with pytest.raises(ZeroDivisionError), ledger.lease(KEY, **FAST):
        raise ZeroDivisionError
    assert files(ledger) == []


def test_the_heartbeat_beats(ledger):
    with ledger.lease(KEY, **FAST):
        beats = [read_beat(ledger)]
        for _ in range(3):
            beats.append(changed_beat(ledger, beats[-1]))
    assert beats == sorted(beats)


def test_leases_of_other_sweeps_do_not_wait(ledger):
    with ledger.lease(KEY, **FAST), ledger.lease(KEY[::-1], **FAST):
        assert len(ledger.holders()) == 2


def test_the_second_driver_waits_and_says_for_whom(ledger, start):
    first = start(HOLD, ledger.uri, KEY)
    assert first.stdout.readline() == "holds\n"
    lines = []
    threading.Timer(2.5, first.stdin.close).start()
    began = time.monotonic()
    with ledger.lease(KEY, lines.append, **FAST) as lease:
        assert time.monotonic() - began > 2
        lease.check()
    (line,) = lines
    assert line.startswith(f"sweep 01234567 is being run by process {first.pid} on {Owner().host} since 20")
    assert line.endswith(" UTC; waiting for its end, or until it has been silent for 1.5 s")


def test_a_stopped_driver_is_taken_over_from_and_learns_of_it_when_it_wakes(ledger, start):
    first = start(HOLD, ledger.uri, KEY)
    assert first.stdout.readline() == "holds\n"
    assert ask(first) == "fine\n"
    first.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    with ledger.lease(KEY, **FAST) as lease:
        assert time.monotonic() - began > 1.4
        mine = files(ledger)
        first.send_signal(signal.SIGCONT)
        time.sleep(0.5)  # its heartbeat thread wakes up too
        told = ask(first)
        assert told.startswith(f"sweep 01234567 was taken over by process {os.getpid()} on {Owner().host} since 20")
        assert told.endswith("stood still; run the command again to wait for it and continue\n")
        assert ask(first) == told
        first.stdin.close()
        assert first.wait(20) == 0
        lease.check()
        assert [name for name in files(ledger) if name.endswith(".claim")] == [
            name for name in mine if name.endswith(".claim")
        ]


def test_a_driver_that_slept_through_its_successors_whole_run_learns_of_it(ledger):
    with ledger.lease(KEY, **FAST) as lease:
        LocalStore(ledger.uri).delete("leases")
        with pytest.raises(SearchError, match="was taken over by another process, which has ended since, while"):
            lease.check()


def test_a_dead_process_is_taken_over_from_at_once(ledger, start):
    first = start(HOLD, ledger.uri, KEY)
    assert first.stdout.readline() == "holds\n"
    first.kill()  # not reaped: it stays as a zombie
    while psutil.Process(first.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    lines = []
    began = time.monotonic()
    with ledger.lease(KEY, lines.append):  # with the intervals people have
        assert time.monotonic() - began < 15
    assert lines == []
    assert files(ledger) == []


def test_a_process_whose_number_was_given_to_another_is_dead(ledger):
    pretend(ledger, replace(Owner(), began="1 ticks"))
    with ledger.lease(KEY) as lease:
        lease.check()


def test_of_many_that_take_over_at_the_same_moment_one_does_and_the_others_wait(ledger, start):
    pretend(ledger, replace(Owner(), began="1 ticks"))
    waiting = [start(HOLD, ledger.uri, KEY) for _ in range(4)]
    while waiting:
        readable = select.select([taker.stdout for taker in waiting], [], [], 60)[0]
        assert readable, "nobody holds the lease"
        time.sleep(0.5)
        holding = [taker for taker in waiting if says_that_it_holds(taker)]
        assert len(holding) <= 1
        for taker in holding:
            assert ask(taker) == "fine\n"
            taker.stdin.close()
            assert taker.wait(20) == 0
            waiting.remove(taker)
    assert files(ledger) == []


def says_that_it_holds(taker):
    """Whether a driver holds the lease, by what it has said so far; leaves nothing of that in a buffer."""
    if not select.select([taker.stdout], [], [], 0)[0]:
        return False
    return os.read(taker.stdout.fileno(), 1000).endswith(b"holds\n")


def test_a_name_is_given_to_one_of_many_threads(tmp_path):
    store = LocalStore(tmp_path)
    for turn in range(20):
        barrier, won = threading.Barrier(4), []

        def take(number, turn=turn, barrier=barrier, won=won):
            barrier.wait()
            won.append(store.create(f"leases/{turn}", str(number).encode()) and number)

        threads = [threading.Thread(target=take, args=(number,)) for number in range(1, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (winner,) = [number for number in won if number]
        assert store.read_bytes(f"leases/{turn}") == str(winner).encode()


def test_of_another_machine_nothing_is_known_and_the_silence_decides(ledger, stranger):
    pretend(ledger, stranger, number=7, beat=b"3")
    lines = []
    began = time.monotonic()
    with ledger.lease(KEY, lines.append, **FAST):
        assert time.monotonic() - began > 1.4
        assert read_holder(LocalStore(ledger.uri), KEY).number == 8
        assert len([name for name in files(ledger) if name.endswith(".claim")]) == 1
    assert "process 4321 on head-0" in lines[0]


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"pid": "x"}', b"\xff"])
def test_a_damaged_claim_is_waited_for_like_one_that_is_silent(ledger, damage):
    LocalStore(ledger.uri).write_bytes(f"leases/{KEY}.000001.claim", damage)
    lines = []
    with ledger.lease(KEY, lines.append, **FAST) as lease:
        lease.check()
    assert lines[0].startswith("sweep 01234567 is being run by an unknown process")


def test_clocks_that_jump_change_nothing(ledger, start, monkeypatch):
    """The clock of the waiter jumps an hour back and forth; the holder is alive, then stands still."""
    first = start(HOLD, ledger.uri, KEY)
    assert first.stdout.readline() == "holds\n"
    clock, jumps = time.time, iter(range(10**9))
    monkeypatch.setattr(time, "time", lambda: clock() + (-3600 if next(jumps) % 2 else 3600))
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: clock() - 3600)
    taken = threading.Event()

    def take():
        with ledger.lease(KEY, **FAST):
            taken.set()

    waiter = threading.Thread(target=take)
    waiter.start()
    assert not taken.wait(2.5)
    assert ask(first) == "fine\n"
    first.send_signal(signal.SIGSTOP)
    assert taken.wait(10)
    waiter.join()


def test_a_waiter_that_was_paused_itself_does_not_take_that_for_silence(stranger, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(leases.time, "monotonic", lambda: now[0])
    watch = SilenceWatch(pause=1.0)
    holder = Holder(KEY, 1, stranger, b"1")
    assert watch.silence(now[0], holder) == 0
    now[0] += 1
    assert watch.silence(now[0], holder) == 1
    now[0] += 3600
    assert watch.silence(now[0], holder) == 3
    assert watch.silence(now[0], replace(holder, beat=b"2")) == 0


def test_a_heartbeat_that_cannot_be_written_goes_on_later(ledger, monkeypatch):
    write, broken = LocalStore.write_bytes, threading.Event()

    def fail(self, path, data):
        if broken.is_set():
            raise StorageError("full")
        write(self, path, data)

    monkeypatch.setattr(LocalStore, "write_bytes", fail)
    with ledger.lease(KEY, **FAST) as lease:
        broken.set()
        time.sleep(0.4)
        broken.clear()
        changed_beat(ledger, read_beat(ledger))
        lease.check()


def test_a_holder_never_writes_into_anothers_lease(ledger, stranger):
    """Its heartbeat is stopped between its look and its write; meanwhile another takes over."""
    with ledger.lease(KEY, beat=0.05, silence=1.0) as lease:
        holds = lease._holds
        written = threading.Event()

        def look_then_lose():
            mine = holds()
            if not written.is_set():
                pretend(ledger, stranger, number=2, beat=b"9")
                written.set()
            return mine

        lease._holds = look_then_lose
        assert written.wait(5)
        time.sleep(0.3)
        holder = read_holder(LocalStore(ledger.uri), KEY)
        assert (holder.number, holder.owner, holder.beat) == (2, stranger, b"9")
        with pytest.raises(SearchError, match="taken over by process 4321 on head-0"):
            lease.check()
    assert files(ledger)[:1] == [f"{KEY}.000001.claim"]
    assert read_holder(LocalStore(ledger.uri), KEY).owner == stranger


def test_a_sweep_waits_for_who_prunes(ledger):
    entered = threading.Event()

    def sweep():
        with ledger.lease(KEY, **FAST):
            entered.set()

    with Lease(LocalStore(ledger.uri), PRUNING, **FAST) as pruning:
        thread = threading.Thread(target=sweep)
        thread.start()
        assert not entered.wait(2)
        pruning.check()
    assert entered.wait(5)
    thread.join()


def test_a_sweep_takes_the_ledger_from_who_prunes_and_stands_still(ledger, stranger):
    pretend(ledger, stranger, key=PRUNING)
    with ledger.lease(KEY, **FAST):
        assert [holder.key for holder in ledger.holders()] == [KEY]


@pytest.mark.parametrize("key", ["", "a/b", "../x", "a.b", "a b"])
def test_a_key_that_is_no_file_name_is_refused(ledger, key):
    with pytest.raises(ValueError, match="a lease's key must be of letters"):
        ledger.lease(key)


def test_a_ledger_that_cannot_be_written_is_told_at_once(tmp_path):
    (tmp_path / "ledger").write_text("")
    with pytest.raises(StorageError, match="a file stands where"), open_ledger(tmp_path / "ledger").lease(KEY):
        pass


def test_a_process_is_known_without_proc_too(monkeypatch, tmp_path):
    monkeypatch.setattr(owners, "Path", lambda path: tmp_path / "missing")
    owner = Owner()
    assert owner.began.endswith(" s")
    assert not owner.gone
    assert replace(owner, began="1 s").gone
    assert not replace(owner, machine="").gone


def test_a_process_that_cannot_be_seen_is_not_taken_to_be_dead(monkeypatch):
    mine = Owner()
    monkeypatch.setattr(owners, "_began", lambda pid: None)  # as /proc mounted with hidepid answers other users
    assert not mine.gone


def test_a_storage_that_does_not_answer_is_no_takeover(ledger, monkeypatch):
    def fail(*arguments):
        raise StorageError("cannot list leases: 503")

    with ledger.lease(KEY, beat=60.0) as lease:
        with monkeypatch.context() as patch:
            patch.setattr(leases, "read_holder", fail)
            lease.check()
        lease.check()


def test_a_beat_that_comes_between_two_looks_is_read(ledger, monkeypatch):
    store = LocalStore(ledger.uri)
    exists = LocalStore.exists

    def write_it_meanwhile(self, path):
        self.write_bytes("leases/beat", b"1")
        return exists(self, path)

    monkeypatch.setattr(LocalStore, "read_bytes", _first_failing(LocalStore.read_bytes))
    monkeypatch.setattr(LocalStore, "exists", write_it_meanwhile)
    assert leases._read(store, "leases/beat") == b"1"


def _first_failing(read):
    calls = []

    def read_bytes(self, path):
        calls.append(path)
        if len(calls) == 1:
            raise StorageError(f"cannot read {path}: No such file or directory")
        return read(self, path)

    return read_bytes
