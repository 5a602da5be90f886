"""The history over run folders and baselines: an SQLite index that can be thrown away at any time.

The stored reports are the truth, in a folder or at a store. The index holds each report's points, so that a thousand
runs are listed without reading a thousand reports; a report that is new, changed or gone since is read again or
forgotten at the next look.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import TypeAdapter, ValidationError

from harness.core.history import HistoryPoint, points_of
from harness.core.report import RunReport
from harness.errors import HarnessError, RunError
from harness.store.run_folder import read_report

INDEX_NAME = ".history.sqlite"
_FORMAT = 2
_PATIENCE_S = 30.0
_REPORTS = ("*/report.json", "*/devices/*/report.json", "baselines/*.json")
_READ_AT_ONCE = 64
_POINTS = TypeAdapter(tuple[HistoryPoint, ...])
_TABLE = """CREATE TABLE IF NOT EXISTS reports(
    path TEXT PRIMARY KEY, mark TEXT NOT NULL, points TEXT NOT NULL, problem TEXT)"""


@dataclass(frozen=True)
class UnreadReport:
    """A report that is there but cannot be read, and why."""

    path: str
    problem: str


@dataclass(frozen=True)
class History:
    """The points of every report in a place, and what could not be read."""

    points: tuple[HistoryPoint, ...]
    unread: tuple[UnreadReport, ...]


class StoredReports(Protocol):
    """Where reports and baselines are."""

    def marks(self) -> Mapping[str, str]:
        """The name of each, with what changes when it does."""

    def read(self, names: Sequence[str]) -> Iterator[RunReport | HarnessError]:
        """Each of them, or why it cannot be read."""


class ReportsInFolder:
    """Those of the runs and baselines in a folder of this machine."""

    def __init__(self, runs: Path) -> None:
        self._runs = runs

    def marks(self) -> dict[str, str]:
        found = {}
        for report in sorted(path for pattern in _REPORTS for path in self._runs.glob(pattern)):
            try:
                status = report.stat()
            except OSError:
                continue
            found[report.relative_to(self._runs).as_posix()] = f"{status.st_mtime_ns} {status.st_size}"
        return found

    def read(self, names: Sequence[str]) -> Iterator[RunReport | HarnessError]:
        for name in names:
            try:
                yield read_report(self._runs / name)
            except HarnessError as error:
                yield error


def read_history(runs: Path) -> History:
    """The history of the runs and baselines in ``runs``, brought up to date with the folders first.

    Several may read and write it at once. Where the folder cannot be written to, the index is kept in memory.

    Raises:
        RunError: ``runs`` is no folder, or the index is held by another program for too long.
    """
    if not runs.is_dir():
        raise RunError(
            "there is no such folder of runs", where=str(runs), next_step="Make a run: harness run SUITE."
        )
    return history_of(ReportsInFolder(runs), runs / INDEX_NAME)


def history_of(reports: StoredReports, index: Path) -> History:
    """The history of ``reports``, with what was read of them before kept in the file ``index``.

    Raises:
        RunError: the index is held by another program for too long.
        StoreError: the reports are at a store that cannot be reached.
    """
    try:
        return _updated(reports, index)
    except sqlite3.DatabaseError as problem:
        if "locked" in str(problem):
            raise RunError(
                f"the index of the history was held by another program for {_PATIENCE_S:g} s",
                where=str(index),
                next_step="Try again; if no other harness runs, remove the file: it is made anew.",
            ) from None
    # Damaged, of an old format, or in a folder that is not ours to write to: it holds nothing that is not elsewhere.
    try:
        index.unlink(missing_ok=True)
        return _updated(reports, index)
    except (OSError, sqlite3.DatabaseError):
        return _updated(reports, None)


def _updated(reports: StoredReports, index: Path | None) -> History:
    with closing(sqlite3.connect(index or ":memory:", timeout=_PATIENCE_S, isolation_level=None)) as database:
        with _transaction(database):
            _prepare(database)
        _refresh(database, reports)
        return _read(database)


@contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    """One writer at a time; the others wait for it."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def _prepare(database: sqlite3.Connection) -> None:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version != _FORMAT:
        database.execute("DROP TABLE IF EXISTS reports")
        database.execute(f"PRAGMA user_version = {_FORMAT}")
    database.execute(_TABLE)


def _refresh(database: sqlite3.Connection, reports: StoredReports) -> None:
    """Reports are read between the transactions: others wait for no disk and no network, and a first look that is cut
    off is not begun anew."""
    there = reports.marks()
    known = dict(database.execute("SELECT path, mark FROM reports"))
    changed = [name for name, mark in there.items() if known.get(name) != mark]
    for start in range(0, len(changed), _READ_AT_ONCE):
        names = changed[start : start + _READ_AT_ONCE]
        rows = [
            (name, there[name], *_points(report))
            for name, report in zip(names, reports.read(names), strict=True)
        ]
        with _transaction(database):
            database.executemany("INSERT OR REPLACE INTO reports VALUES (?, ?, ?, ?)", rows)
    with _transaction(database):
        database.executemany(
            "DELETE FROM reports WHERE path = ?", [(name,) for name in known.keys() - there.keys()]
        )


def _points(report: RunReport | HarnessError) -> tuple[str, str | None]:
    """The points as JSON, and why there are none."""
    if isinstance(report, HarnessError):
        return "[]", report.problem
    return _POINTS.dump_json(points_of(report)).decode(), None


def _read(database: sqlite3.Connection) -> History:
    points: list[HistoryPoint] = []
    unread = []
    rows = database.execute("SELECT path, points, problem FROM reports ORDER BY path")
    for path, text, problem in rows:
        try:
            points += _POINTS.validate_json(text)
        except ValidationError:
            raise sqlite3.DatabaseError("a row that is no point") from None
        if problem is not None:
            unread.append(UnreadReport(path, problem))
    return History(tuple(points), tuple(unread))
