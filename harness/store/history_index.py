"""The history over run folders and baselines: an SQLite index that can be thrown away at any time.

The run folders are the truth. The index holds each report's points, so that a thousand runs are listed without reading
a thousand reports; a report that is new, changed or gone since is read again or forgotten at the next look.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from harness.core.history import HistoryPoint, points_of
from harness.errors import HarnessError, RunError
from harness.store.run_folder import read_report

INDEX_NAME = ".history.sqlite"
_FORMAT = 1
_PATIENCE_S = 30.0
_REPORTS = ("*/report.json", "*/devices/*/report.json", "baselines/*.json")
_POINTS = TypeAdapter(tuple[HistoryPoint, ...])
_TABLE = """CREATE TABLE IF NOT EXISTS reports(
    path TEXT PRIMARY KEY, modified_ns INTEGER NOT NULL, bytes INTEGER NOT NULL, points TEXT NOT NULL, problem TEXT)"""


@dataclass(frozen=True)
class UnreadReport:
    """A report that is there but cannot be read, and why."""

    path: str
    problem: str


@dataclass(frozen=True)
class History:
    """The points of every report below a runs folder, and what could not be read."""

    points: tuple[HistoryPoint, ...]
    unread: tuple[UnreadReport, ...]


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
    try:
        return _updated(runs, runs / INDEX_NAME)
    except sqlite3.DatabaseError as problem:
        if "locked" in str(problem):
            raise RunError(
                f"the index of the history was held by another program for {_PATIENCE_S:g} s",
                where=str(runs / INDEX_NAME),
                next_step="Try again; if no other harness runs, remove the file: it is made anew.",
            ) from None
    # Damaged, of an old format, or in a folder that is not ours to write to: it holds nothing that is not elsewhere.
    try:
        (runs / INDEX_NAME).unlink(missing_ok=True)
        return _updated(runs, runs / INDEX_NAME)
    except (OSError, sqlite3.DatabaseError):
        return _updated(runs, None)


def _updated(runs: Path, index: Path | None) -> History:
    with closing(sqlite3.connect(index or ":memory:", timeout=_PATIENCE_S, isolation_level=None)) as database:
        with _transaction(database):
            _prepare(database)
            _refresh(database, runs)
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


def _refresh(database: sqlite3.Connection, runs: Path) -> None:
    known = {
        path: (modified_ns, size)
        for path, modified_ns, size in database.execute("SELECT path, modified_ns, bytes FROM reports")
    }
    there = set()
    for report in sorted(path for pattern in _REPORTS for path in runs.glob(pattern)):
        try:
            status = report.stat()
        except OSError:
            continue
        name = report.relative_to(runs).as_posix()
        there.add(name)
        state = (status.st_mtime_ns, status.st_size)
        if known.get(name) == state:
            continue
        points, problem = _points(report)
        database.execute(
            "INSERT OR REPLACE INTO reports VALUES (?, ?, ?, ?, ?)",
            (name, *state, _POINTS.dump_json(points).decode(), problem),
        )
    database.executemany("DELETE FROM reports WHERE path = ?", [(name,) for name in known.keys() - there])


def _points(report: Path) -> tuple[tuple[HistoryPoint, ...], str | None]:
    try:
        return points_of(read_report(report)), None
    except HarnessError as error:
        return (), error.problem


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
