"""P5: how long from the seven zips to the train and the test matrix, and in how much memory.

Run ``python benchmarks/features_speed.py`` (scales 0.1 and 1: 3.25 and 32.5 million app events), or with
``--scales 0.1 0.3 1 3``. Beside ours run plain pandas and, where it is installed, DuckDB, on the same archives, each in
processes of its own; then all cells are compared. The start of the JVM is not counted.

Memory is what processes hold for themselves at their peak: all together, the JVM, the driver's Python, and that beyond
the arrays of the finished matrices, which should grow much less than the data. From scale to scale the seconds must not
grow faster than the rows.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
from judging import Judge, print_machine
from scipy import sparse

from sparksweep.talkingdata.generate import generate

BOUNDS = {0.1: 9.0, 1.0: 40.0}  # seconds
MAX_GB = 3.0
MAX_GROWTH = 1.1  # of the seconds, by that of the rows
LOOK_INTERVAL = 0.2


def held(process: psutil.Process) -> int:
    """Return the bytes that a process holds for itself."""
    try:
        memory = process.memory_info()
    except psutil.Error:
        return 0
    return int(memory.rss - getattr(memory, "shared", 0))


def is_java(process: psutil.Process) -> bool:
    """Tell whether a process is a JVM."""
    try:
        return process.name() == "java"
    except psutil.Error:
        return False


class Peak:
    """Watches what this process and those it has started hold together."""

    def __init__(self) -> None:
        self.total = self.driver = self.jvm = 0
        self._me = psutil.Process()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            mine = held(self._me)
            children = [(child, held(child)) for child in self._me.children(recursive=True)]
            self.driver = max(self.driver, mine)
            self.jvm = max([self.jvm, *(size for child, size in children if is_java(child))])
            self.total = max(self.total, mine + sum(size for _, size in children))
            time.sleep(LOOK_INTERVAL)


def save(out: Path, columns: list[str], matrix: sparse.csr_matrix) -> None:
    """Keep what was computed, for the comparison."""
    matrix.sort_indices()
    sparse.save_npz(out.with_suffix(".npz"), matrix, compressed=False)
    out.with_suffix(".json").write_text(json.dumps(columns), encoding="utf-8")


def by_sparksweep(raw: Path, out: Path) -> dict[str, float]:
    """Ingest and build with two slots."""
    from sparksweep.ingest import ingest_tables, read_tables, source_fingerprint
    from sparksweep.matrix import open_matrix
    from sparksweep.session import open_session
    from sparksweep.storage import open_store
    from sparksweep.talkingdata import FEATURE_SETS, SCHEMAS, build_matrices

    text_bytes = sum(int(each["size"]) for each in source_fingerprint(raw, SCHEMAS).values())
    spark = open_session("benchmark", "local[2]", text_bytes=text_bytes)  # as the commands do
    spark.range(2, numPartitions=2).count()
    peak = Peak()
    with tempfile.TemporaryDirectory() as scratch:
        store = open_store(scratch)
        begin = time.perf_counter()
        ingest_tables(spark, raw, SCHEMAS, store)
        ingested = time.perf_counter()
        tables = read_tables(spark, store, SCHEMAS)
        build_matrices(spark, tables, FEATURE_SETS[:8], "fraction", store, "matrix/x", {})
        done = time.perf_counter()
        found = {
            "seconds": done - begin,
            "ingest": ingested - begin,
            "GB": peak.total / 1e9,
            "JVM": peak.jvm / 1e9,
            "driver": peak.driver / 1e9,
        }
        parts = [open_matrix(store.fetch(f"matrix/x/{part}")) for part in ("train", "test")]
        arrays = (array for part in parts for array in (part.X.data, part.X.indices, part.X.indptr))
        found["beyond"] = found["driver"] - sum(array.nbytes for array in arrays) / 1e9
        columns = parts[0].columns().to_pydict()
        names = [f"{name}:{key}" for name, key in zip(columns["feature_set"], columns["key"], strict=True)]
        save(out, names, sparse.vstack([part.X for part in parts], format="csr"))
    return found


def by_other(module: str) -> Callable[[Path, Path], dict[str, float]]:
    """Return the function that runs one of the other implementations."""

    def run(raw: Path, out: Path) -> dict[str, float]:
        features = importlib.import_module(module).features
        peak = Peak()
        begin = time.perf_counter()
        data = features(raw)
        found = {"seconds": time.perf_counter() - begin, "GB": peak.total / 1e9}
        week = {key: f"{key // 24}_{key % 24:02d}" for key in range(168)}
        names = [
            f"{name}:{week[key] if name == 'weekday_hour' else key}" for name, keys in data.keys.items() for key in keys
        ]
        save(out, names, sparse.hstack(list(data.sets.values()), format="csr"))
        return found

    return run


PEERS = {
    "sparksweep": by_sparksweep,
    "pandas": by_other("features_by_pandas"),
    "DuckDB": by_other("features_by_duckdb"),
}


def measured(peer: str, raw: Path, out: Path) -> dict[str, float]:
    """Run one of them in a process of its own."""
    command = [sys.executable, __file__, "--peer", peer, "--raw", str(raw), "--out", str(out)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    more = "".join(f"   {name} {value:.1f}" for name, value in found.items() if name != "seconds")
    print(f"  {peer:<12}{found['seconds']:8.1f} s{more}", flush=True)
    return found


def compare(one: Path, other: Path) -> bool:
    """Tell whether two of them have the same columns and the same cells, bit for bit."""
    columns = [json.loads(each.with_suffix(".json").read_text(encoding="utf-8")) for each in (one, other)]
    matrices = [sparse.load_npz(each.with_suffix(".npz")) for each in (one, other)]
    arrays = [(matrix.data, matrix.indices, matrix.indptr) for matrix in matrices]
    return columns[0] == columns[1] and all(map(np.array_equal, *arrays))


def measure(scale: float, raw: Path, peers: list[str], judge: Judge) -> dict[str, float]:
    """Print the figures of one scale, and return ours."""
    print(f"scale {scale:g}", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        found = {peer: measured(peer, raw, Path(scratch, peer)) for peer in peers}
        ours = found["sparksweep"]
        for peer in peers[1:]:
            same = compare(Path(scratch, "sparksweep"), Path(scratch, peer))
            print(f"  cells {'equal' if same else 'DIFFER FROM'} {peer}'s", flush=True)
            judge.ok &= same
            judge.show(f"P5  sparksweep / {peer}, scale {scale:g}", ours["seconds"] / found[peer]["seconds"])
    if scale in BOUNDS:
        judge.at_most(f"P5  seconds from zips to matrix, scale {scale:g}", ours["seconds"], BOUNDS[scale], 1)
        judge.at_most(f"P5  GB of all processes, scale {scale:g}", ours["GB"], MAX_GB, 2)
    return ours


def compare_scales(found: dict[float, dict[str, float]], judge: Judge) -> None:
    """Print how time and the driver's memory grow from scale to scale."""
    for (less, before), (more, after) in itertools.pairwise(sorted(found.items())):
        rows = more / less
        what = f"scale {more:g} / scale {less:g}"
        judge.at_most(f"P5  seconds, {what}, by rows", after["seconds"] / before["seconds"] / rows, MAX_GROWTH)
        judge.show(f"P5  driver's memory beyond the matrices, {what}", after["beyond"] / before["beyond"])


def main() -> int:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scales", type=float, nargs="+", default=sorted(BOUNDS))
    parser.add_argument("--data", type=Path, help="keep generated archives there, and use those that are there")
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="ours only")
    parser.add_argument("--peer", choices=PEERS, help=argparse.SUPPRESS)
    parser.add_argument("--raw", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.peer:
        print(json.dumps(PEERS[given.peer](given.raw, given.out)))
        return 0
    print_machine()
    peers = ["sparksweep", "pandas"] if given.peers else ["sparksweep"]
    if given.peers and importlib.util.find_spec("duckdb"):
        peers.append("DuckDB")
    judge = Judge()
    with tempfile.TemporaryDirectory() as scratch:
        found = {}
        for scale in given.scales:
            raw = (given.data or Path(scratch)) / f"scale-{scale:g}"
            if not raw.exists():
                generate(raw, scale, seed=0)
            found[scale] = measure(scale, raw, peers, judge)
        compare_scales(found, judge)
    return judge.exit_code


if __name__ == "__main__":
    sys.exit(main())
