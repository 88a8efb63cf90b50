import json

import numpy as np
import pytest

from headway.errors import ConfigError, NotEnoughData
from headway.history import open_traces
from headway.schedule.learned import load_learned
from headway.simulate.compare import rows
from headway.simulate.lublin import lublin
from headway.training import LEAST_TASKS, courses_of, known_of, train_scheduler


def trace_file(path, jobs=1000, seed=0):
    """An SWF file of a crowded machine with five users who ask for three times what they need."""
    rng = np.random.default_rng(seed)
    workload = lublin(rng, jobs, 32, load=1.1)
    user = rng.integers(1, 6, jobs)
    lines = ["; MaxProcs: 32", "; UnixStartTime: 1000000000"]
    for i in range(jobs):
        run, procs = int(workload.runtime_s[i]), int(workload.procs[i])
        lines.append(
            f"{i + 1} {int(workload.submit_s[i])} 0 {run} {procs} -1 -1 {procs} {3 * run + 60} -1 "
            f"1 {user[i]} 1 1 1 1 -1 -1"
        )
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    return trace_file(tmp_path_factory.mktemp("trace") / "crowded.swf")


def nothing(what, share):
    pass


def train(trace, out, **options):
    settings = {"algo": "search", "clock": lambda: 0.0, "decisions": 30_000, "progress": nothing}
    return train_scheduler(open_traces([trace]), out, **settings | options)


def test_training_writes_a_policy_and_says_what_it_brought(trace, tmp_path):
    out = tmp_path / "policy.npz"
    document = train(trace, out)
    assert document.keys() >= {"algo", "decisions", "seconds", "validation", "policy"}
    assert document["decisions"] >= 30_000
    assert document["validation"]["windows"] >= 1
    learned = load_learned(out)
    assert learned.trained_on == "crowded.swf"
    assert learned.decisions == document["decisions"]
    assert json.dumps(document)
    (proof,) = document["proof"]
    assert proof["history"] == "crowded.swf"
    assert proof["bound"]["starved_s"] <= 86400.0
    assert proof["tasks"] < 0.6 * 1000
    assert proof["difference"] == pytest.approx(proof["candidate"] - proof["incumbent"])


def test_the_same_seed_and_decisions_write_the_same_weights(trace, tmp_path):
    for name in ("a.npz", "b.npz"):
        train(trace, tmp_path / name, seed=7)
    first, again = (load_learned(tmp_path / name).weights for name in ("a.npz", "b.npz"))
    np.testing.assert_array_equal(first, again)


def test_the_last_part_of_a_history_changes_nothing(trace, tmp_path):
    lines = trace.read_text().splitlines()
    held_out = tmp_path / "changed.swf"
    last = float(lines[-1].split()[1])
    changed = [
        line.replace(" 1 1 1 1 -1 -1", " 2 2 2 2 -1 -1")
        if not line.startswith(";") and float(line.split()[1]) > 0.75 * last
        else line
        for line in lines
    ]
    held_out.write_text("\n".join(changed) + "\n")
    train(trace, tmp_path / "a.npz")
    train(held_out, tmp_path / "b.npz")
    first, again = (load_learned(tmp_path / name).weights for name in ("a.npz", "b.npz"))
    np.testing.assert_array_equal(first, again)


def test_what_teaches_comes_before_what_chooses(trace):
    known = known_of(open_traces([trace])[0], nothing)
    taught, chosen, jobs = courses_of([known])
    assert taught[0].windows.max() + jobs <= chosen[0].windows.min()
    assert chosen[0].windows.max() + jobs <= (~known.is_late).sum()


def test_minutes_end_it(trace, tmp_path):
    ticks = iter(range(0, 10_000, 25))
    document = train(
        trace, tmp_path / "p.npz", clock=lambda: float(next(ticks)), minutes=1.0, decisions=10**9
    )
    assert document["decisions"] < 10**7


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"algo": "magic"}, ConfigError, "algo must be one of"),
        ({"minutes": -1.0}, ConfigError, "minutes"),
    ],
)
def test_what_cannot_be_trained_is_refused(trace, tmp_path, options, error, said):
    with pytest.raises(error, match=said):
        train(trace, tmp_path / "p.npz", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_short_history_is_refused_with_what_it_needs(tmp_path):
    short = trace_file(tmp_path / "short.swf", jobs=300)
    with pytest.raises(NotEnoughData, match=str(LEAST_TASKS)):
        train(short, tmp_path / "p.npz")


def test_a_learned_policy_stands_beside_the_rules(trace, tmp_path):
    out = tmp_path / "policy.npz"
    train(trace, out)
    workload = lublin(np.random.default_rng(1), 300, 32, load=1.1)
    found = rows(
        workload, ["saf", f"learned:{out}"], ["requested", "true"], backfills=("easy", "none"),
        clock=iter(range(100)).__next__,
    )  # fmt: skip
    assert len(found) == 8
    assert {row["policy"] for row in found} == {"saf", f"learned:{out}"}
    assert all(row["mean_bounded_slowdown"] >= 1.0 for row in found)


@pytest.mark.parametrize("algo", ["constant-weights", "ppo-weights"])
def test_weights_that_follow_the_load_are_trained_and_played_by_name(
    trace, tmp_path, algo, monkeypatch
):
    monkeypatch.setattr("headway.train.ppo_weights.ITERATIONS", 1)
    monkeypatch.setattr("headway.train.ppo_weights.PLAYED", 2)
    monkeypatch.setattr("headway.train.ppo_weights.REPLICAS", 2)
    out = tmp_path / "policy.npz"
    document = train(trace, out, algo=algo, decisions=10_000)
    assert document["algo"] == load_learned(out).algo == algo
    assert len(load_learned(out).controller) > 0
    assert document["validation"]["ratio"] > 0.0
    (proof,) = document["proof"]
    assert proof["bound"]["starved_s"] <= 86400.0
    workload = lublin(np.random.default_rng(1), 200, 32, load=1.1)
    (row,) = rows(
        workload, [f"learned:{out}"], backfills=("easy",), clock=iter(range(100)).__next__
    )
    assert row["mean_bounded_slowdown"] >= 1.0
