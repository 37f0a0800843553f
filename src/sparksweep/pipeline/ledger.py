"""What a workspace's ledger holds, as lines of text, and its pruning."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

from sparksweep.errors import UsageError
from sparksweep.pipeline.columns import aligned_lines
from sparksweep.pipeline.job import existing_workspace
from sparksweep.search.failures import reason_line
from sparksweep.search.ledger import Holder, Ledger, LedgerContents, open_ledger
from sparksweep.storage import Store

__all__ = ["LEDGER", "fit_lines", "incomplete_lines", "ledger_lines", "prune_lines", "workspace_ledger"]

LEDGER = "ledger"
STATUSES = ("complete", "failed", "timeout", "lost")
SHORT = 12  # digits of a key that are shown where space is scarce
WIDEST = 100  # characters of params and of a reason in a line
DAY = 24 * 3600.0
# What `fit_lines` words itself, or says once for all attempts.
WORDED = {"fit_key", "status", "attempt", "started", "ended", "host", "pid", "thread_count", "fit_error"}
SHARED = ("estimator", "params", "candidate_id", "split_id", "data", "sweep_key")


def workspace_ledger(store: Store) -> Ledger:
    """Return the ledger of a workspace."""
    return open_ledger(store.shown(LEDGER))


def ledger_lines(workspace: str) -> Iterator[str]:
    """Yield the size of the ledger, a line for each estimator and matrix, who uses it, and what is damaged."""
    ledger = _open(workspace)
    contents = ledger.read()
    yield _size(ledger, contents)
    if contents.records:
        yield from aligned_lines(_groups(contents.records.values()))
    for holder in ledger.holders():
        yield f"lease: {_held(holder)}"
    yield from (f"note: {note}" for note in contents.notes)
    incomplete = sum(record["status"] != "complete" for record in contents.records.values())
    if incomplete:
        see = f"sparksweep ledger list --failed --workspace {shlex.quote(workspace)}"
        yield f"{incomplete:,} fits are not complete and will be tried again; see: {see}"


def incomplete_lines(workspace: str) -> Iterator[str]:
    """Yield a heading and a line for each fit that is not complete, the last one last."""
    ledger = _open(workspace)
    found = [record for record in ledger.read().records.values() if record["status"] != "complete"]
    if not found:
        yield f"no fit in {ledger.uri} is incomplete"
        return
    rows = [["fit", "status", "attempt", "ended (UTC)", "host", "params", "reason"]]
    for record in sorted(found, key=lambda record: (record["ended"], record["fit_key"])):
        rows.append(
            [
                record["fit_key"][:SHORT],
                record["status"],
                str(record["attempt"]),
                _moment(record["ended"]),
                str(record.get("host") or ""),
                _short(record.get("params")),
                _short(reason_line(record.get("fit_error"))),
            ]
        )
    yield from aligned_lines(rows)


def fit_lines(workspace: str, fit_key: str) -> Iterator[str]:
    """Yield what is known of one fit, attempt by attempt.

    Raises
    ------
    UsageError
        No fit's key, or more than one, starts so.
    """
    ledger = _open(workspace)
    history = ledger.history(fit_key)
    keys = sorted({record["fit_key"] for record in history})
    if not keys:
        raise UsageError(f"no fit in {ledger.uri} has a key that starts with {fit_key!r}; see fits.parquet of a run")
    if len(keys) > 1:
        some = ", ".join(key[: len(fit_key) + SHORT] for key in keys[:4])
        raise UsageError(f"{len(keys):,} fits have keys that start with {fit_key!r}: give more digits of one ({some})")
    yield f"fit {keys[0]}"
    for name in SHARED:
        if history[-1].get(name) is not None:
            yield f"{name}: {history[-1][name]}"
    for record in history:
        yield from _attempt(record)


def prune_lines(
    workspace: str, failed: bool, older_than: float | None, dry_run: bool, say: Callable[[str], None]
) -> Iterator[str]:
    """Prune the ledger, or only look, and yield what that comes to.

    Parameters
    ----------
    workspace : str
        Folder or URI.
    failed : bool
        Drop the fits that are not complete too.
    older_than : float or None
        Drop the fits that ended more than so many days ago too.
    dry_run : bool
        Change nothing.
    say : callable
        Takes a line before it has to wait to see whether a driver lives.

    Raises
    ------
    UsageError
        A run is using the ledger.
    StorageError
        It cannot be written.
    """
    ledger = _open(workspace)
    seconds = None if older_than is None else older_than * DAY
    summary = ledger.prune(failed=failed, older_than=seconds, dry_run=dry_run, on_wait=say)
    yield from (f"note: {note}" for note in summary.notes)
    if not summary.changes:
        yield f"nothing to prune in {ledger.uri}: {summary.n_records:,} records, each the one that counts"
        return
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in summary.dropped.items())
    (segments, left), (size, rest) = summary.n_segments, summary.n_bytes
    yield (
        f"{'would drop' if dry_run else 'dropped'} {sum(summary.dropped.values()):,} of {summary.n_records:,} records"
        f"{f' ({reasons})' if reasons else ''}; {segments:,} segments of {_bytes(size)}"
        f" {'would become' if dry_run else 'became'} {left:,} of {_bytes(rest)}"
    )


def _open(workspace: str) -> Ledger:
    return workspace_ledger(existing_workspace(workspace))


def _size(ledger: Ledger, contents: LedgerContents) -> str:
    if not contents.n_segments:
        return f"no fits in {ledger.uri}"
    return (
        f"{ledger.uri}: {len(contents.records):,} fits, {contents.n_records:,} records,"
        f" {contents.n_segments:,} segments, {_bytes(contents.n_bytes)}"
    )


def _groups(records: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    """Return a heading and a row for each estimator and matrix, the one last trained last."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for record in records:
        groups.setdefault((str(record.get("estimator") or "?"), str(record.get("data") or "?")), []).append(record)
    rows = [["estimator", "data", "sweeps", *STATUSES, "fit hours", "first started (UTC)", "last ended (UTC)"]]
    for (estimator, data), fits in sorted(groups.items(), key=lambda group: max(fit["ended"] for fit in group[1])):
        counts = Counter(fit["status"] for fit in fits)
        rows.append(
            [
                estimator,
                data[:SHORT],
                str(len({fit.get("sweep_key") for fit in fits})),
                *(f"{counts[status]:,}" for status in STATUSES),
                f"{sum(fit['ended'] - fit['started'] for fit in fits) / 3600:.2f}",
                _moment(min(fit["started"] for fit in fits)),
                _moment(max(fit["ended"] for fit in fits)),
            ]
        )
    return rows


def _held(holder: Holder) -> str:
    state = "was left by" if holder.gone else "is held by"
    return f"{holder.key[:SHORT]} {state} {holder}{', which has ended' if holder.gone else ''}"


def _attempt(record: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line of how an attempt went, its scores and other facts, its traceback."""
    where = f" on {record['host']}" if record.get("host") else ""
    process = f", process {record['pid']}" if record.get("pid") else ""
    threads = f", thread_count {record['thread_count']}" if record.get("thread_count") else ""
    yield (
        f"attempt {record['attempt']}: {record['status']}, {_moment(record['started'])} to {_moment(record['ended'])}"
        f" UTC{where}{process}{threads}"
    )
    for name, value in record.items():
        if name not in WORDED and name not in SHARED and value is not None:
            yield f"  {name}: {value}"
    for line in str(record.get("fit_error") or "").splitlines():
        yield f"  {line}".rstrip()


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")


def _short(value: Any) -> str:
    text = " ".join(str(value if value is not None else "").split())
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 3]}..."


def _bytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{size / 1e3:,.1f} kB"
