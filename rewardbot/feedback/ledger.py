"""The feedback ledger: an append-only SQLite file that loses no answer it has acknowledged, whatever is killed when.

One table of records; undo, amend and withdraw are records too. Any number of processes may read while one writes; writers wait
for each other. The file must be on a disk of this machine: SQLite's write-ahead log needs shared memory.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self
from urllib.parse import quote

from rewardbot.errors import DataError
from rewardbot.feedback.feedback import Feedback, Query, Response
from rewardbot.feedback.records import Amend, Entry, History, LedgerError, Record, Undo, Withdraw, dump, parse

SCHEMA_VERSION = 1
APPLICATION_ID = 0x52574C47  # "RWLG"; `file` and SQLite show it
WAIT_S = 10.0
"""How long a writer waits for another one."""

_POLL_S = 0.001

_SCHEMA = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
CREATE TABLE records (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('query', 'answer', 'undo', 'amend', 'withdraw')),
  time REAL NOT NULL,
  annotator TEXT NOT NULL,
  document TEXT NOT NULL CHECK (json_valid(document))
);
CREATE TRIGGER no_update BEFORE UPDATE ON records BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER no_delete BEFORE DELETE ON records BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER no_replace BEFORE INSERT ON records WHEN EXISTS (SELECT 1 FROM records WHERE id = NEW.id)
  BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
"""

_MENDS = {
    "SQLITE_BUSY": ("is locked by another process", "Wait for that process or end it, then try again."),
    "SQLITE_FULL": ("cannot grow: the disk is full", "Free some space and give the last answer again."),
    "SQLITE_READONLY": ("is read-only", "Mend the permissions of the file and its folder, or copy it elsewhere."),
    "SQLITE_CANTOPEN": ("cannot be opened", "Name a file on a disk of this machine, in a folder where you may write."),
    "SQLITE_CORRUPT": ("is damaged or cut off", "Leave it as it is. What is whole in it: sqlite3 FILE .recover | sqlite3 NEW"),
    "SQLITE_NOTADB": ("is no ledger", "Name another file."),
    "SQLITE_IOERR": ("cannot be read or written", "Look for a full or failing disk, then give the last answer again."),
}


class Ledger:
    """A ledger file. One object may be used by several threads, but not across a fork.

    Args:
        path: the file; made if there is none, unless `read_only`.
        read_only: for those who only look, also on a disk where nobody may write.
        wait_s: how long to wait for another writer [s].
        clock: tells the time of a record [s since 1970].

    Raises:
        LedgerError: it cannot be opened, is no ledger, or is of another version. Never changes such a file.
    """

    def __init__(
        self, path: Path, *, read_only: bool = False, wait_s: float = WAIT_S, clock: Callable[[], float] = time.time
    ) -> None:
        self.path = path
        self._wait_s, self._clock = wait_s, clock
        self._lock = threading.RLock()
        self._history = History()
        if path.is_dir():
            raise LedgerError(f"{path} is a folder.", next_step="Name the file of a ledger.")
        if not path.exists():
            if read_only:
                raise LedgerError(f"There is no ledger {path}.", next_step="Name one that is there.")
            _create(path)
        elif not read_only and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
            raise self._error("SQLITE_READONLY", "no permission to write")
        with self._explaining():
            self._connection = _connect(path, "ro" if read_only else "rw", wait_s)
            try:
                self._check_identity()
            except sqlite3.OperationalError:
                if not read_only or _size(path.with_name(f"{path.name}-wal")):
                    raise
                # On a read-only disk there is no room for shared memory; without a log nothing is missing from the file.
                self._connection = _connect(path, "ro&immutable=1", wait_s)
                self._check_identity()
            self._connection.execute("PRAGMA synchronous = FULL")

    def ask(self, *queries: Query) -> None:
        """Stores queries, all or none.

        Raises:
            LedgerError: an id is taken, or they cannot be stored.
        """
        self._append(*(("", query) for query in queries))

    def answer(self, response: Response) -> int:
        """Stores an answer; when this returns, it is on the disk.

        Returns:
            The id of its record.

        Raises:
            LedgerError: nobody asked that, it was answered by the same annotator already, or it cannot be stored.
            DataError: it is about something else than was asked.
        """
        return self._append((response.given.annotator, response))

    def undo(self, answer: int, annotator: str) -> int:
        """Records that `answer` counts no more; returns the id of the record.

        Raises:
            LedgerError: no such answer counts, or it cannot be stored.
        """
        return self._append((annotator, Undo(answer)))

    def amend(self, answer: int, response: Response) -> int:
        """Records that `answer`, of the same annotator to the same query, says `response` now; returns the id of the record.

        Raises:
            LedgerError, DataError: as for `answer`.
        """
        return self._append((response.given.annotator, Amend(answer, response)))

    def withdraw(self, annotator: str, by: str) -> int:
        """Records that nothing that `annotator` answered so far counts any more; returns the id of the record.

        Raises:
            LedgerError: they have no answers that count, or it cannot be stored.
        """
        return self._append((by, Withdraw(annotator)))

    def history(self) -> History:
        """What counts now, to be read only; the same object all the time, which later calls bring up to date."""
        with self._lock:
            self._catch_up()
            return self._history

    def active(self) -> dict[int, Feedback]:
        """What a reward learns from, by the id of the answer and in the order of these, see `History.active`."""
        with self._lock:
            return self.history().active()

    def waiting(self, annotator: str | None = None) -> list[Query]:
        """Queries that nobody has answered or skipped, see `History.waiting`."""
        with self._lock:
            return self.history().waiting(annotator)

    def records(self, after: int = 0) -> list[Record]:
        """All records with an id above `after`, in their order."""
        with self._lock, self._explaining():
            rows = self._connection.execute("SELECT id, time, annotator, kind, document FROM records WHERE id > ? ORDER BY id",
                                            (after,)).fetchall()
        return [self._record(*row) for row in rows]

    def verify(self) -> int:
        """Reads everything, also what SQLite keeps beside the records; returns how many records there are.

        Raises:
            LedgerError: it is damaged, with what is wrong.
        """
        with self._explaining():
            found = [str(row[0]) for row in self._connection.execute("PRAGMA integrity_check")]
        if found != ["ok"]:
            raise self._error("SQLITE_CORRUPT", "; ".join(found[:3]))
        return History(self.records()).last

    def close(self) -> None:
        """Closes the file; the object is of no use afterwards."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _append(self, *entries: tuple[str, Entry]) -> int:
        with self._lock, self._explaining():
            stored = self._history.last
            self._begin()
            try:
                self._catch_up()
                for annotator, entry in entries:
                    record = Record(self._history.last + 1, self._clock(), annotator, entry)
                    self._history.add(record)
                    self._connection.execute("INSERT INTO records (id, kind, time, annotator, document) VALUES (?, ?, ?, ?, ?)",
                                             (record.id, record.kind, record.time, annotator, dump(entry)))
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                if self._history.last > stored:
                    self._history = History()  # it knows what was not stored; read again what was
                raise
            return self._history.last

    def _begin(self) -> None:
        """Waits for other writers in short steps: SQLite's own steps grow, and seldom end between two writers in a hurry."""
        self._connection.execute("PRAGMA busy_timeout = 0")
        deadline = time.monotonic() + self._wait_s
        while True:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                break
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
            time.sleep(_POLL_S)
        self._connection.execute(f"PRAGMA busy_timeout = {round(1000 * self._wait_s)}")

    def _catch_up(self) -> None:
        for record in self.records(self._history.last):
            self._history.add(record)

    def _record(self, id: int, time: float, annotator: str, kind: str, document: str) -> Record:
        try:
            return Record(id, time, annotator, parse(kind, document))
        except DataError as error:
            raise LedgerError(f"Record {id} of {self.path} cannot be read: {error.what}", valid=error.valid,
                              next_step=error.next_step or _MENDS["SQLITE_CORRUPT"][1]) from None

    def _check_identity(self) -> None:
        ours, version = (self._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
        if ours != APPLICATION_ID:
            raise self._error("SQLITE_NOTADB", "not one of rewardbot's")
        if version != SCHEMA_VERSION:
            raise LedgerError(f"{self.path} is a ledger of version {version}.",
                              valid=f"This rewardbot reads version {SCHEMA_VERSION}.",
                              next_step="Use the rewardbot that wrote it, or a newer one.")

    @contextlib.contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._error(getattr(error, "sqlite_errorname", ""), str(error)) from error

    def _error(self, name: str, said: str) -> LedgerError:
        known = next((kind for kind in _MENDS if name.startswith(kind)), "SQLITE_IOERR")
        what, mend = _MENDS[known]
        return LedgerError(f"The ledger {self.path} {what} ({said}).", valid="What was acknowledged is still there.", next_step=mend)


def _connect(path: Path, mode: str, wait_s: float) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode={mode}", timeout=wait_s, isolation_level=None, uri=True,
                           check_same_thread=False)


def _create(path: Path) -> None:
    """Makes an empty ledger that is whole or not there, also when several processes try at once."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            if path.exists():
                return
            new = path.with_name(f".{path.name}.new")
            for left in (new, *(new.with_name(new.name + part) for part in ("-wal", "-shm", "-journal"))):
                left.unlink(missing_ok=True)  # of a process that was killed
            connection = sqlite3.connect(new, isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
            connection.close()
            new.replace(path)
            os.fsync(folder)
        finally:
            os.close(folder)
    except (OSError, sqlite3.Error) as error:
        raise LedgerError(f"Cannot make the ledger {path}: {getattr(error, 'strerror', None) or error}.",
                          next_step="Free some space, or name a file in a folder where you may write.") from None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
