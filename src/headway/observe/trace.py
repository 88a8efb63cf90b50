"""The history of a cluster from a file: its format is recognised, its tasks are streamed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from headway.errors import ConfigError, InputError
from headway.observe.check import check
from headway.observe.lotaru import MARKS, read_lotaru
from headway.observe.nextflow import read_nextflow
from headway.observe.pbs import read_pbs
from headway.observe.sacct import read_sacct
from headway.observe.source import Chunk, Claims, Progress, Source
from headway.observe.swf import read_swf
from headway.observe.table import read_table, separator_of
from headway.observe.wfformat import read_wfformat
from headway.records import ClusterFacts
from headway.tables import complete, frame

FORMATS: Final = ("swf", "sacct", "pbs", "nextflow", "wfformat", "lotaru", "table")


def recognise(path: str | Path) -> str:
    """The format of a history file, from its content; InputError if it is none of FORMATS."""
    source = Source(path)
    try:
        return _format_of(source)
    finally:
        source.close()


def read(
    path: str | Path,
    format: str = "",
    column_map: Mapping[str, str] | None = None,
    total_cpus: float | None = None,
    progress: Progress | None = None,
) -> Trace:
    """A trace that streams (tasks, quarantine) frames, and knows its cluster when it has ended.

    format '' = recognised; column_map {column of a table: field of a Task}; total_cpus overrules
    what the file says. InputError if the file cannot be opened, or while streaming.
    """
    if format and format not in FORMATS:
        raise ConfigError(f"format must be one of {', '.join(FORMATS)}, got {format!r}")
    if column_map:
        if format not in ("", "table"):
            raise ConfigError(f"columns can be mapped in a table only, not in format {format!r}")
        format = "table"
    return Trace(path, format or recognise(path), column_map or {}, total_cpus, progress)


class Trace:
    """Tasks of one file; each iteration reads it anew."""

    def __init__(
        self,
        path: str | Path,
        format: str,
        column_map: Mapping[str, str],
        total_cpus: float | None,
        progress: Progress | None,
    ) -> None:
        self.path, self.format, self.progress = Path(path), format, progress
        self.cluster = cluster_of(self.path)
        self._column_map, self._total_cpus = column_map, total_cpus
        self._facts: ClusterFacts | None = None

    @property
    def facts(self) -> ClusterFacts:
        """What is known of the cluster; the whole trace must have been read."""
        if self._facts is None:
            for _ in self:
                pass
        assert self._facts is not None
        return self._facts

    def __iter__(self) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        """(tasks, quarantine) a batch, with all columns of the kinds; at_s of quarantine is null.

        InputError in the middle means that nothing of the file should be kept.
        """
        self._facts = None
        source, claims = Source(self.path, self.progress), Claims()
        seen = Seen(is_peak_wanted=self._total_cpus is None)
        try:
            for chunk in self._chunks(source, claims):
                tasks = check(chunk.tasks.with_columns(cluster=pl.lit(self.cluster)))
                good = tasks.filter(pl.col("reason").is_null())
                seen.add(tasks, good)
                yield complete("task", good), self._quarantine(chunk, tasks)
        finally:
            source.close()
        if not seen.understood:
            raise InputError(self._nothing(seen))
        claims.doubts += source.doubts
        self._facts = seen.facts(self, claims, self._total_cpus)

    def _chunks(self, source: Source, claims: Claims) -> Iterator[Chunk]:
        if self.format == "table":
            return read_table(source, claims, self._column_map)
        if self.format == "nextflow":
            return read_nextflow(source, claims, self.cluster)
        readers = {
            "swf": read_swf, "sacct": read_sacct, "pbs": read_pbs, "wfformat": read_wfformat,
            "lotaru": read_lotaru,
        }  # fmt: skip
        return readers[self.format](source, claims)

    def _quarantine(self, chunk: Chunk, tasks: pl.DataFrame) -> pl.DataFrame:
        bad = tasks.filter(pl.col("reason").is_not_null()).select("line", "reason").sort("line")
        if not bad.height:
            return frame("quarantine")
        texts = pl.Series("text", chunk.texts(bad["line"].to_list()), pl.String)
        return complete("quarantine", bad.with_columns(texts, source=pl.lit(self.path.name)))

    def _nothing(self, seen: Seen) -> str:
        if not seen.read:
            return f"{self.path} holds no records, only a header; export the history again"
        why = f"none of its {seen.read:,} records is one (the first: {seen.first_reason})"
        try:
            found = recognise(self.path)
        except InputError:
            found = ""
        advice = f"it looks like {found}" if found not in ("", self.format) else "check the file"
        return f"{self.path} cannot be read as {self.format}: {why}; {advice}"


class Seen:
    """What the records themselves say of the cluster, to be held against the header."""

    def __init__(self, *, is_peak_wanted: bool) -> None:
        self.read = self.understood = self.descents = 0
        self.first_reason = ""
        self._first_s, self._last_s, self._latest_s = np.inf, -np.inf, -np.inf
        self._largest = self._core_s = self._jump_s = 0.0
        self._runs: list[pl.DataFrame] = []
        self._is_peak_wanted = is_peak_wanted

    def add(self, tasks: pl.DataFrame, good: pl.DataFrame) -> None:
        """Take in a batch: all rows that were read, and the believable ones."""
        self.read += tasks.height
        self.understood += int(tasks["submitted_s"].is_finite().sum())
        if not self.first_reason and tasks.height > good.height:
            self.first_reason = tasks["reason"].drop_nulls()[0]
        if not good.height:
            return
        submitted = good["submitted_s"].to_numpy()
        reached = np.maximum.accumulate(np.concatenate([[self._latest_s], submitted]))
        back = reached[:-1] - submitted
        self.descents += int((back > 0).sum())
        self._jump_s = max(self._jump_s, float(back.max()))
        self._latest_s = float(reached[-1])
        self._first_s = min(self._first_s, float(submitted.min()))
        runs = good.select(
            "started_s", "ended_s", cpus=pl.coalesce("cpus_allocated", "cpus_requested")
        ).drop_nulls()
        if runs.height:
            cpus, ran = runs["cpus"], runs["ended_s"] - runs["started_s"]
            self._largest = max(self._largest, float(cpus.max()))  # type: ignore[arg-type]
            self._core_s += float((cpus * ran).sum())
            self._last_s = max(self._last_s, float(runs["ended_s"].max()))  # type: ignore[arg-type]
            if self._is_peak_wanted:
                self._runs.append(runs)

    def facts(self, trace: Trace, claims: Claims, total_cpus: float | None) -> ClusterFacts:
        """The cluster as the source claims it, corrected and with a doubt where it cannot be."""
        doubts = list(claims.doubts)
        if claims.records is not None and claims.records != self.read:
            doubts.append(f"the file says {claims.records:,} records, the file has {self.read:,}")
        if self.descents:
            doubts.append(
                f"{self.descents:,} submissions are earlier than one on a line before, by up to"
                f" {self._jump_s:,.0f} s: they are sorted by time when read"
            )
        return ClusterFacts(
            cluster=trace.cluster,
            at_s=self._first_s if np.isfinite(self._first_s) else claims.zero_s,
            source=trace.path.name,
            format=trace.format,
            zero_s=claims.zero_s,
            total_cpus=total_cpus or self._total_cpus(claims, doubts),
            total_memory_bytes=claims.total_memory_bytes,
            nodes=claims.nodes,
            doubts=tuple(doubts),
        )

    def _total_cpus(self, claims: Claims, doubts: list[str]) -> float | None:
        claimed = claims.total_cpus
        if claimed is None:
            peak = max(self._largest, _peak(self._runs) if claims.is_timed else 0.0)
            what = "the most that were in use at once" if claims.is_timed else "the largest task's"
            if peak:
                doubts.append(
                    f"the file does not say how many processors there were: {peak:,.0f} is {what}"
                )
            return peak or None
        if self._largest > claimed:
            doubts.append(
                f"the file says {claimed:,.0f} processors, but a task ran on"
                f" {self._largest:,.0f}: that number is taken"
            )
            return self._largest
        span = self._last_s - self._first_s
        if claims.is_timed and span > 0 and self._core_s > claimed * span:
            doubts.append(
                f"the file says {claimed:,.0f} processors, but {self._core_s / span:,.0f} were in"
                " use on average: give the true number"
            )
        return claimed


def _peak(runs: list[pl.DataFrame]) -> float:
    """The most processors in use at one moment; an end frees before a start at its moment takes."""
    if not runs:
        return 0.0
    together = pl.concat(runs)
    starts, ends = together["started_s"].to_numpy(), together["ended_s"].to_numpy()
    cpus = together["cpus"].to_numpy()
    at = np.concatenate([ends, starts])
    change = np.concatenate([-cpus, cpus])[np.argsort(at, kind="stable")]
    return float(np.cumsum(change).max())


def cluster_of(path: Path) -> str:
    """The name of a file without folders and endings of format and compression.

    >>> cluster_of(Path("a/HPC2N-2002-2.2-cln.swf.gz"))
    'HPC2N-2002-2.2-cln'
    """
    endings = r"\.(gz|swf|csv|tsv|txt|json|parquet|pq|log|acct|sacct|trace|out|dat)$"
    name = path.name
    while (shorter := re.sub(endings, "", name, flags=re.IGNORECASE)) not in (name, ""):
        name = shorter
    return name


def _format_of(source: Source) -> str:
    head = source.head()
    if head.startswith(b"PAR1"):
        return "table"
    if b"\0" in head:
        raise InputError(f"{source.path} is binary, not a history: name a text or Parquet file")
    text = head.decode("utf-8", "replace").removeprefix("\ufeff")
    lines = [x for x in text.splitlines() if x.strip()]
    if text.lstrip()[:1] in ("{", "["):
        return "wfformat"
    if any(re.match(r"\d\d/\d\d/\d{4} \d\d:\d\d:\d\d;[A-Za-z]+;", x) for x in lines[:50]):
        return "pbs"
    records = [x.split() for x in lines if not x.lstrip().startswith(";")]
    if lines and (not records or any(_is_swf(x) for x in records[:50])):
        return "swf"
    return _kind_of_table(source, lines)


def _is_swf(words: list[str]) -> bool:
    return len(words) >= 18 and all(re.fullmatch(r"-?\d+(\.\d+)?", x) for x in words[:18])


def _kind_of_table(source: Source, lines: list[str]) -> str:
    """sacct, nextflow, lotaru or another table, from the names in its header."""
    separator = separator_of(lines[0]) if lines else ""
    names = (
        {x.strip().strip('"').lower() for x in lines[0].split(separator)} if separator else set()
    )
    if separator == "|" and {"jobid", "jobidraw"} & names and {"submit", "start"} & names:
        return "sacct"
    marks = {"task_id", "hash", "native_id", "process", "realtime", "peak_rss", "%cpu"}
    if len(marks & names) >= 3 and "submit" in names:
        return "nextflow"
    if separator == "," and names >= MARKS:
        return "lotaru"
    if separator and sum(bool(re.search("[A-Za-z]", x)) for x in names) * 2 > len(names):
        return "table"
    raise InputError(
        f"{source.path} is not a history that Headway knows ({', '.join(FORMATS)}):"
        " it needs a header line with the names of its columns"
    )
