"""How fast does one large blob come in, beside a bare download by Azure's own client? Bound: 0.9 of its throughput.

Run ``python benchmarks/blob_reading.py`` on Linux, which alone tells the peaks of memory. Both read the same blob of an
Azurite that is started here (npm), each time in a new process, in turn; every range is checked by the service's MD5 in
both. The client has its best setting of 1, 2, 4 and 8 connections and throws away what it gets; ours hands it to a
reader that does the same. Printed too is how much more memory each took at its peak than before it began: ours holds a
few ranges, however large the blob is. All of it once more through a proxy that waits before each answer, as a service
does that is further away than this machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from azure.storage.blob import BlobClient
from judging import Judge, print_machine

from sparksweep.storage.blobs import BlobFile, BlobFolder, Sas, log_in, parse_address
from sparksweep.storage.blobs.ranges import RANGE_BYTES
from sparksweep.storage.blobs.streams import RANGES_AHEAD

sys.path.append(str(Path(__file__).parents[1]))  # the tests know how to start Azurite
from tests.cluster.azurite import Azurite, running_azurite
from tests.cluster.fault_proxy import Fault, running_proxy

RATIO = 0.9
CONNECTIONS = (1, 2, 4, 8)
# Seconds before each answer, so many that they and not this machine decide; and with what the client is best then.
DELAY, FAR_CONNECTIONS = 0.5, (4, 8)
# Ranges in flight and the one that is read; half as much again for buffers of connections and growing ranges.
MOST_MEMORY = 1.5 * (RANGES_AHEAD + 1) * RANGE_BYTES / 1e6
PIECE = 1 << 20
CONTAINER, BLOB = "benchmark", "large.bin"


class Nowhere:
    """A stream that takes bytes anywhere and keeps none."""

    def seekable(self) -> bool:
        """Return True, without which the client takes one connection."""
        return True

    def tell(self) -> int:
        """Return 0."""
        return 0

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go nowhere."""
        return offset

    def write(self, data: bytes) -> int:
        """Take bytes."""
        return len(data)


def read_ours(file: BlobFile) -> int:
    """Read a blob by our stream and return its bytes."""
    with file.open() as stream:
        return sum(len(piece) for piece in iter(lambda: stream.read(PIECE), b""))


def read_bare(file: BlobFile, connections: int) -> int:
    """Download a blob by Azure's client and return its bytes."""
    with BlobClient.from_blob_url(f"{file.url}?{file.access.reveal()}", max_chunk_get_size=RANGE_BYTES) as client:
        return client.download_blob(validate_content=True, max_concurrency=connections).readinto(Nowhere())


def measure(file: BlobFile, connections: int) -> None:
    """Read once, in this process, by our stream for 0 connections; print seconds and megabytes of memory."""
    before = memory("VmRSS")
    begin = time.perf_counter()
    size = read_bare(file, connections) if connections else read_ours(file)
    seconds = time.perf_counter() - begin
    if size != file.size:
        raise RuntimeError(f"{size:,} bytes came in of {file.size:,}")
    print(json.dumps({"seconds": seconds, "memory": memory("VmHWM") - before}))


def memory(name: str) -> float:
    """Return megabytes of this process's memory, now (``VmRSS``) or at its peak (``VmHWM``)."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1.024e-3


def measured(file: BlobFile, connections: int) -> tuple[float, float]:
    """Return seconds and megabytes of a process of its own."""
    text = json.dumps([file.url, file.size, file.etag, file.access.reveal()])
    command = [sys.executable, __file__, "--connections", str(connections)]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    figures = json.loads(done.stdout)
    return figures["seconds"], figures["memory"]


def upload(azurite: Azurite, megabytes: int) -> BlobFile:
    """Put a blob of random bytes into Azurite."""
    with azurite.client() as service:
        container = service.create_container(CONTAINER)
        data = np.random.default_rng(0).bytes(megabytes * 1_000_000)
        container.upload_blob(BLOB, data, max_concurrency=2)
    address = parse_address(f"{azurite.endpoint}/{CONTAINER}")
    return BlobFolder(address, log_in(address, {"AZURE_STORAGE_KEY": azurite.key})).files()[BLOB]


def compare(judge: Judge, file: BlobFile, connections: Sequence[int], repeats: int) -> None:
    """Read in turn, and print throughputs, ratio and memory."""
    runs = [{way: measured(file, way) for way in (0, *connections)} for _ in range(repeats)]
    rates = {way: statistics.median(file.size / 1e6 / run[way][0] for run in runs) for way in runs[0]}
    peaks = {way: max(run[way][1] for run in runs) for way in runs[0]}
    for way in connections:
        judge.show(f"Azure's client, {way} connections (MB memory: {peaks[way]:.0f})", rates[way], "MB/s")
    judge.show("ours", rates[0], "MB/s")
    judge.at_least("ours beside the client's best", rates[0] / max(rates[way] for way in connections), RATIO)
    judge.at_most("memory of ours at its peak, MB", peaks[0], MOST_MEMORY, digits=1)


def main() -> int:
    """Compare on this machine, and from further away."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--connections", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.connections is not None:
        url, size, etag, sas = json.load(sys.stdin)
        measure(BlobFile(BLOB, url, size, etag, None, Sas(sas)), given.connections)
        return 0
    print_machine()
    judge = Judge()
    with tempfile.TemporaryDirectory() as folder, running_azurite(Path(folder) / "azurite.log") as azurite:
        file = upload(azurite, given.megabytes)
        compare(judge, file, CONNECTIONS, given.repeats)
        with running_proxy(azurite.url) as proxy:
            proxy.add(Fault(path=BLOB, delay=DELAY, times=sys.maxsize))
            print(f"with {DELAY} s before each answer:")
            far = replace(file, url=file.url.replace(azurite.url, proxy.url))
            compare(judge, far, FAR_CONNECTIONS, given.repeats)
    return judge.exit_code


if __name__ == "__main__":
    sys.exit(main())
