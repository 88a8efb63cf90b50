"""What does each member bring to the ensemble, how often does it lead, what does it cost?

`ablation.py [--served] [DATASET ..]`: every member follows a history by itself, causally; what it
said of each task at its submission is then the guess of an ensemble of all, of all but one, of the
trees alone and of the history alone. Settings were looked for on the first 12,000 tasks (40 % of
smaller histories), so the second half of each is judged. Pinball loss of log(1 + target) is the
mean over the levels 5, 25, 50, 75 and 95 % and in thousandths; where a member refuses, the nearest
history answers in its place. Intervals are of 95 %, from resampling days of submission. Leads: how
often it has the largest share of the mixture; share: of the responsibility for the latest outcomes.
With --served instead: what is served, calibrated, by default and with members of input sizes.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl

from headway.features import History
from headway.history import open_traces, tasks_of
from headway.predict import Boosted, Ensemble, Nearest, predictor_for
from headway.predict.boosted import LEVELS
from headway.predict.members import EXTRAS, extra_members
from headway.protocols import Features
from headway.records import Estimate
from headway.tables import complete
from headway.verify.replay import _order, _outcome
from headway.verify.score import scores

DATA = Path(os.environ.get("HEADWAY_DATA", "../shared/data"))
FAMILIES = {
    "runtime_s": ("user_shape", "name_shape", "user", "name", "all"),
    "memory_bytes": ("name_shape", "user_shape", "user_name", "name", "user", "all"),
}
SINGLES, RESAMPLES = 50, 400


def trace(path, rows):
    """The first rows of a history file."""
    tasks, _ = tasks_of(open_traces([DATA / path]), lambda what, share: None)
    return tasks.sort("submitted_s", maintain_order=True).head(rows or tasks.height)


def galaxy():
    """4,000 runs each of three tools, in order of time; the log has no runtimes, 1 s is put in."""
    parts = []
    for name in ("bwa_mem-0.7.17.1", "fastp-0.20.1+galaxy0", "lofreq_call-2.1.5+galaxy0"):
        path = DATA / f"prediction/galaxy-eu/{name}_20000_samples_seed_0.txt.gz"
        columns = ["tool", "input_bytes", "files", "cpus_requested", "memory_peak_bytes", "at"]
        part = pl.read_csv(path, has_header=False, new_columns=columns)
        parts.append(part.with_columns(name=pl.lit(name)).sort("at").head(4_000))
    at_s = pl.col("at").str.to_datetime(strict=False).dt.epoch("us") / 1e6
    known = pl.concat(parts).with_columns(submitted_s=at_s).drop_nulls("submitted_s")
    return complete(
        "task",
        known.sort("submitted_s").with_columns(
            cluster=pl.lit("galaxy"), id=pl.int_range(pl.len()).cast(pl.String), attempt=1,
            started_s="submitted_s", ended_s=pl.col("submitted_s") + 1.0,
            memory_peak_bytes=pl.col("memory_peak_bytes").cast(pl.Float64),
            state=pl.lit("completed"),
        ),
    )  # fmt: skip


def lotaru():
    """Five workflows on seven machines (their queues), small inputs first, one by one."""
    parts = [
        pl.read_csv(path, infer_schema_length=None, schema_overrides={"Realtime": pl.Float64})
        for path in sorted(DATA.glob("prediction/lotaru/execution_reports/*/*/*.csv"))
    ]
    chosen = pl.concat(
        part.select(
            "Label", cluster=pl.lit("lotaru"), attempt=1, name="Task", workflow="Workflow",
            queue="Machine", cpus_requested=pl.col("cpus").cast(pl.Float64),
            runtime_s=pl.col("Realtime") / 1000.0, memory_peak_bytes="peak_rss",
            memory_requested_bytes="memory", state=pl.lit("completed"),
            input_bytes=pl.col("TaskInputSizeUncompressed").cast(pl.Float64),
        )
        for part in parts
    )  # fmt: skip
    stage = pl.col("Label").replace_strict({"train-1": 0, "train-2": 1, "test": 2})
    ordered = chosen.sort(stage, maintain_order=True).with_row_index("row")
    begun = pl.col("row") * 10_000.0
    return complete(
        "task",
        ordered.with_columns(
            id=pl.col("row").cast(pl.String), submitted_s=begun, started_s=begun,
            ended_s=begun + pl.col("runtime_s"),
        ),
    )  # fmt: skip


HISTORIES = {
    "lotaru": (lotaru, ("runtime_s", "memory_bytes")),
    "IU PBS": (
        lambda: trace("prediction/iu-mason-pbs/jobs.csv.gz", None),
        ("runtime_s", "memory_bytes"),
    ),
    "chipseq": (
        lambda: trace("prediction/sizey/trace_chipseq.csv.gz", None),
        ("runtime_s", "memory_bytes"),
    ),
    "methylseq": (
        lambda: trace("prediction/sizey/trace_methylseq.csv.gz", None),
        ("runtime_s", "memory_bytes"),
    ),
    "galaxy-eu": (galaxy, ("memory_bytes",)),
    "CTC-SP2": (
        lambda: trace("scheduling/swf/CTC-SP2-1996-3.1-cln.swf.gz", 24_000),
        ("runtime_s",),
    ),
    "HPC2N": (
        lambda: trace("scheduling/swf/HPC2N-2002-2.2-cln.swf.gz", 24_000),
        ("runtime_s", "memory_bytes"),
    ),
}


class Said:
    """A member that says again what was said of each task (a column `row` of the features)."""

    def __init__(self, name, quantiles):
        self.levels, self._name, self._quantiles = np.array(LEVELS), name, quantiles

    def predict(self, x):
        """What was said; NaN = it refused."""
        said = self._quantiles[x.column("row").astype(int)]
        return Estimate(
            value=said[:, 2], levels=self.levels, quantiles=said,
            made_by=np.full(len(x), self._name), refused=np.full(len(x), ""),
        )  # fmt: skip

    def learn(self, x, y, censored):
        """Nothing."""

    def rows_to_refit(self):
        """Never changes."""
        return 2**62


def follow(member, x, kinds, rows, y):
    """Quantiles (n, q) as served, seconds a prediction in batches, seconds of learning in all."""
    said = np.full((len(x), len(LEVELS)), np.nan)
    learns, begin, done = np.flatnonzero(kinds == 1), 0, 0
    predicting = learning = 0.0
    while begin < len(kinds):
        done += member.rows_to_refit()
        end = int(learns[done - 1]) + 1 if done <= len(learns) else len(kinds)
        served, ended = (rows[begin:end][kinds[begin:end] == kind] for kind in (0, 1))
        start = time.process_time()
        if len(served):
            said[served] = member.predict(x.take(served)).quantiles
        middle = time.process_time()
        member.learn(x.take(ended), y[ended], np.zeros(len(ended), dtype=bool))
        predicting, learning = predicting + middle - start, learning + time.process_time() - middle
        begin = end
    return said, predicting / len(x), learning


def single_us(member, x):
    """Median microseconds of processor time for one row by itself."""
    took = []
    for i in range(len(x) - SINGLES, len(x)):
        one = x.take(slice(i, i + 1))
        start = time.process_time()
        member.predict(one)
        took.append(time.process_time() - start)
    return 1e6 * float(np.median(took))


def together(said, names, x, kinds, rows, y, is_memory):
    """What an ensemble of these members says: quantiles (n, q) at LEVELS, value and signs (n,).

    Last the share of each in the latest 1,000 or so outcomes: how responsible its guesses were.
    """
    members = [(name, Said(name, said[name])) for name in names]
    ensemble = Ensemble(members, x.names, is_memory=is_memory)
    estimate, _ = ensemble.follow(x, kinds, rows, y, np.zeros(len(y), dtype=bool))
    at = [int(np.argmin(np.abs(ensemble.levels - level))) for level in LEVELS]
    of_all = ensemble._sums[ensemble._past.of(x.take(slice(0, 1)), len(ensemble._owners))[1][0, 0]]
    earned = np.bincount(ensemble._owners, of_all)
    shares = dict(zip(("history", *names), earned / earned.sum(), strict=True))
    return estimate.quantiles[:, at], estimate.value, estimate.made_by, shares


def losses(quantiles, y):
    """Pinball loss of the log of each task (n,), mean over the levels."""
    error, levels = np.log1p(y)[:, None] - np.log1p(quantiles), np.array(LEVELS)
    return 1e3 * np.maximum(levels * error, (levels - 1.0) * error).mean(axis=1)


def interval(gain, day):
    """A 95 % interval of the mean of gain (n,) when whole days are drawn anew."""
    rng, days = np.random.default_rng(0), np.unique(day, return_inverse=True)[1]
    sums, counts = np.bincount(days, gain), np.bincount(days)
    drawn = rng.integers(0, len(sums), (RESAMPLES, len(sums)))
    return np.quantile(sums[drawn].sum(1) / counts[drawn].sum(1), [0.025, 0.975])


def measure(name, tasks, x, target):
    """Print the table of one history and target."""
    is_memory, y = target == "memory_bytes", _outcome(tasks, target)
    kinds, rows = _order(x.at_s, tasks, y)
    columns = [n for n in x.names if (is_memory or ".memory_" not in n) and "tag_" not in n]
    statistic = "memory_mean_log" if is_memory else "ewma_log"
    anchors = [f"{family}.{statistic}" for family in FAMILIES[target]]
    cap = "" if is_memory else "limit_s"
    members = [
        ("nearest", Nearest(FAMILIES[target], is_memory=is_memory, levels=LEVELS)),
        ("boosted", Boosted(columns, anchors=anchors, cap=cap, rounds=50 if is_memory else 30)),
        *extra_members(EXTRAS, x.names, is_memory=is_memory),
    ]
    numbered = Features(
        (*x.names, "row"), np.column_stack([x.values, np.arange(len(x))]), x.keys, x.at_s, x.version
    )
    said, costs = {}, {}
    for own, member in members:
        said[own], batch_s, learning_s = follow(member, x, kinds, rows, y)
        costs[own] = (1e6 * batch_s, single_us(member, x), learning_s)
        print(f"  {name} {target} {own} {costs[own]}", file=sys.stderr, flush=True)
    filled = {k: np.where(np.isnan(q), said["nearest"], q) for k, q in said.items()}
    judged = np.isfinite(y) & np.isfinite(filled["nearest"][:, 0])
    judged &= np.arange(len(y)) * 2 > len(y)
    day, unit = x.at_s[judged] // 86400.0, 1e6 if is_memory else 60.0
    best = [own for own in said if own != "nearest"]
    everybody, value, signs, shares = together(said, best, numbered, kinds, rows, y, is_memory)
    lead = np.char.partition(signs[judged].astype("U64"), "-")[:, 0]
    whole = losses(everybody[judged], y[judged])
    print(f"\n{name}, {target}, {judged.sum():,} tasks judged, MAE in "
          f"{'MB' if is_memory else 'min'}\n")  # fmt: skip
    print("| what | answered | pinball, log | 95 % interval of the difference to all | MAE |"
          " leads, share | us a row in batch | us one row | s learning in all |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|")

    def row(what, quantiles, middle, more):
        loss = losses(quantiles[judged], y[judged])
        low, high = interval(loss - whole, day)
        error = np.abs(middle[judged] - y[judged]).mean() / unit
        print(f"| {what[0]} | {what[1]} | {loss.mean():.1f} | {low:+.1f} to {high:+.1f} |"
              f" {error:,.1f} | {more}", flush=True)  # fmt: skip

    for own in said:
        batch, single, learning = costs[own]
        share = np.mean(np.isfinite(said[own][judged, 0]))
        led = f"{np.mean(lead == own):.0%}, {shares[own]:.0%}" if own in shares else ""
        more = f"{led} | {batch:.1f} | {single:.0f} | {learning:.1f} |"
        row((f"{own} alone", f"{share:.0%}"), filled[own], filled[own][:, 2], more)
    rest = " | | | |"
    sets = {"history alone": [], "history and boosted": ["boosted"]}
    sets |= {f"all but {own}": [o for o in best if o != own] for own in best}
    led = f"history {np.mean(lead == 'history'):.0%}, {shares['history']:.0%}"
    row(("all", "100%"), everybody, value, led + rest)
    for what, chosen in sets.items():
        quantiles, middle, *_ = together(said, chosen, numbered, kinds, rows, y, is_memory)
        row((what, "100%"), quantiles, middle, rest)


def served(name, tasks, x, target):
    """Print what the whole predictor says by default and with members more, after 1,000 tasks."""
    y, later = _outcome(tasks, target), np.arange(len(x)) >= 1_000
    kinds, rows = _order(x.at_s, tasks, y)
    for extras in ((), ("online",), ("online", "gaussian")):
        start = time.process_time()
        predictor = predictor_for(target, x.names, extras=extras)
        said = predictor.follow(x, kinds, rows, y, np.zeros(len(y), dtype=bool))
        took, found = time.process_time() - start, scores(y, said, later)
        unit = 1e6 if target == "memory_bytes" else 60.0
        covered = " / ".join(f"{100 * c:.1f}" for c in found["interval_coverage"].values())
        who = ", ".join(extras) or "default"
        print(f"| {name} | {target} | {who} | {found['mae_s'] / unit:,.1f} |"
              f" {found['min_max_accuracy']:.3f} | {covered} | {found['winkler_log']['95']:.2f} |"
              f" {took:.0f} |", flush=True)  # fmt: skip


def main():
    """Measure the histories named, or all."""
    names = [name for name in sys.argv[1:] if name != "--served"]
    for name in names or HISTORIES:
        make, targets = HISTORIES[name]
        tasks = make()
        x = History().replay(tasks)
        for target in targets:
            (served if "--served" in sys.argv else measure)(name, tasks, x, target)


if __name__ == "__main__":
    main()
