"""Jobs on the disk that are done once: leased to one worker at a time, taken over if it dies.

A lease ends unless it is renewed. Whoever takes over a job gets a higher token (a fencing token),
and what is done under a lower one is refused: a worker that slept through the end of its lease can
neither renew nor finish. So a job may be begun again, but what came of it is written down once;
what a job does outside must be named by the job's id, so that it is found when it was done already.
Source: Gray, Cheriton (1989), leases; the tokens as in Burrows (2006), Chubby, sequencers.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from headway.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FILE: Final = "jobs.sqlite"
ATTEMPTS: Final = 3  # times that a job may be begun: whoever kills its workers is given up
PATIENCE_S: Final = 30.0  # that another process may take to write a change
_TABLE: Final = """
create table if not exists jobs (
  id integer primary key, key text not null, kind text not null, body text not null,
  state text not null default 'waiting', worker text not null default '',
  token integer not null default 0, until_s real not null default 0,
  created_s real not null, ended_s real, result text not null default '{}'
) strict"""
_ONE_A_KEY: Final = """
create unique index if not exists one_a_key on jobs (key) where state != 'failed'"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as it is: waiting, running, done or failed; token is how often it was begun."""

    id: int
    key: str
    kind: str
    body: Mapping[str, Any]
    state: str
    worker: str
    token: int
    until_s: float  # end of the lease while it runs
    created_s: float
    ended_s: float | None
    result: Mapping[str, Any]


class Jobs:
    """The jobs of a home, in one file; any number of processes may use it at once."""

    def __init__(self, home: str | Path) -> None:
        """The folder must exist. StoreError where the file cannot be used."""
        self._path = Path(home) / FILE
        with self._changing() as database:
            database.execute(_TABLE)
            database.execute(_ONE_A_KEY)

    def submit(self, kind: str, key: str, body: Mapping[str, Any], now_s: float) -> Job:
        """The job of a key: a new one, unless there is one that waits, runs or is done."""
        with self._changing() as database:
            known = database.execute(
                "select * from jobs where key = ? and state != 'failed'", (key,)
            ).fetchone()
            if known is not None:
                return _job(known)
            done = database.execute(
                "insert into jobs (key, kind, body, created_s) values (?, ?, ?, ?)",
                (key, kind, json.dumps(dict(body)), now_s),
            )
            row = database.execute("select * from jobs where id = ?", (done.lastrowid,))
            return _job(row.fetchone())

    def lease(self, worker: str, seconds: float, now_s: float, *, job_id: int = 0) -> Job | None:
        """Take the oldest job that waits or whose lease has ended (job_id: that one); None = none.

        A job that was begun ATTEMPTS times fails instead.
        """
        with self._changing() as database:
            database.execute(
                "update jobs set state = 'failed', ended_s = ?, result = ? where state = 'running'"
                " and until_s <= ? and token >= ?",
                (now_s, json.dumps({"why": _given_up()}), now_s, ATTEMPTS),
            )
            row = database.execute(
                "select id from jobs where (state = 'waiting' or (state = 'running' and until_s"
                " <= ?)) and (? = 0 or id = ?) order by id limit 1",
                (now_s, job_id, job_id),
            ).fetchone()
            if row is None:
                return None
            database.execute(
                "update jobs set state = 'running', worker = ?, token = token + 1, until_s = ?"
                " where id = ?",
                (worker, now_s + seconds, row["id"]),
            )
            return _job(
                database.execute("select * from jobs where id = ?", (row["id"],)).fetchone()
            )

    def renew(self, job: Job, seconds: float, now_s: float) -> None:
        """Keep a job for so long from now; StoreError where another has taken it over."""
        self._write(job, "until_s = ?", (now_s + seconds,))

    def finish(self, job: Job, result: Mapping[str, Any], now_s: float) -> None:
        """Write down what came of a job; StoreError where another has taken it over."""
        said = (now_s, json.dumps(dict(result)))
        self._write(job, "state = 'done', ended_s = ?, result = ?", said)

    def fail(self, job: Job, why: str, now_s: float) -> None:
        """Write down that a job cannot be done; its key is free again."""
        said = (now_s, json.dumps({"why": why}))
        self._write(job, "state = 'failed', ended_s = ?, result = ?", said)

    def read(self) -> list[Job]:
        """All jobs, the oldest first."""
        with self._changing() as database:
            return [_job(row) for row in database.execute("select * from jobs order by id")]

    def _write(self, job: Job, what: str, values: tuple[Any, ...]) -> None:
        """Change a job that is still this worker's."""
        with self._changing() as database:
            done = database.execute(
                f"update jobs set {what} where id = ? and token = ? and state = 'running'",
                (*values, job.id, job.token),
            )
            if done.rowcount != 1:
                raise StoreError(
                    f"job {job.id} is no longer {job.worker}'s: its lease ended and another took it"
                )

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, which no other process is in."""
        try:
            database = sqlite3.connect(self._path, timeout=PATIENCE_S, isolation_level=None)
        except sqlite3.Error as error:
            raise StoreError(f"cannot use {self._path}: {error}") from error
        try:
            database.row_factory = sqlite3.Row
            database.execute("pragma synchronous = full")
            database.execute("begin immediate")
            yield database
            database.execute("commit")
        except sqlite3.Error as error:
            raise StoreError(f"cannot use {self._path}: {error}") from error
        finally:
            database.close()  # what was not committed is taken back


def _job(row: sqlite3.Row) -> Job:
    said = {name: row[name] for name in Job.__slots__}
    return Job(**said | {"body": json.loads(row["body"]), "result": json.loads(row["result"])})


def _given_up() -> str:
    return f"given up: it was begun {ATTEMPTS} times and each time whoever did it died"
