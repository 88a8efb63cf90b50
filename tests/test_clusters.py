import json

import numpy as np
import pytest

pytest.importorskip("torch")

from headway import clusters
from headway.clusters import DAY_S, best_standard, drawn, interval, part_of, parts, train_clusters
from headway.errors import ConfigError
from headway.history import open_traces
from headway.report.trained_clusters import trained_clusters_screen
from headway.schedule.routing_network import ROUTINGS, static_routing
from headway.schedule.routing_policy import load_routing
from headway.simulate.lublin import lublin
from headway.simulate.merged import LOCAL_RULES
from headway.train.team import log_slowdown
from tests.simulate.merges import crowded


def trace_file(path, seed, procs, jobs=1000):
    """An SWF file of a crowded cluster with five users who ask for three times what they need."""
    rng = np.random.default_rng(seed)
    workload = lublin(rng, jobs, procs, load=1.1)
    user = rng.integers(1, 6, jobs)
    lines = [f"; MaxProcs: {procs}", "; UnixStartTime: 1000000000"]
    for i in range(jobs):
        run, asked = int(workload.runtime_s[i]), int(workload.procs[i])
        lines.append(
            f"{i + 1} {int(workload.submit_s[i])} 0 {run} {asked} -1 -1 {asked} {3 * run + 60} -1 "
            f"1 {user[i]} 1 1 1 1 -1 -1"
        )
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def histories(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clusters")
    return [trace_file(folder / f"{procs}.swf", seed, procs) for seed, procs in ((0, 32), (1, 64))]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    for name in ("COMPARED", "CHOOSING", "JUDGING"):
        monkeypatch.setattr(clusters, name, 3)
    monkeypatch.setattr("headway.train.multi_agent.WINDOWS", 2)
    monkeypatch.setattr("headway.train.team_search.PLAYED", 1)
    monkeypatch.setattr("headway.train.team_rollouts.TRIED", 3)


def nothing(what, share):
    pass


def train(paths, out, **options):
    settings = {"clock": lambda: 0.0, "decisions": 3000, "progress": nothing}
    return train_clusters(open_traces(paths), out, **settings | options)


def test_training_writes_a_policy_and_says_what_it_brought(histories, tmp_path):
    document = train(histories, tmp_path / "p.npz")
    assert document.keys() >= {"algo", "decisions", "seconds", "validation", "policy"}
    assert document["algo"] == "multi-agent"
    assert json.dumps(document)
    policy = load_routing(tmp_path / "p.npz")
    assert policy.trained_on == "32.swf, 64.swf"
    assert policy.decisions == document["decisions"] >= 3000
    proof = document["proof"]
    assert proof["ratio_low_95"] <= proof["ratio"] <= proof["ratio_high_95"]
    assert proof["is_proved"] == (proof["ratio_high_95"] < 1.0)
    assert proof["rule"] in trained_clusters_screen(document)


def test_one_history_is_refused(histories, tmp_path):
    with pytest.raises(ConfigError, match="two clusters or more, got one"):
        train(histories[:1], tmp_path / "p.npz")
    with pytest.raises(ConfigError, match="minutes and decisions"):
        train(histories, tmp_path / "p.npz", minutes=-1.0)


def test_what_teaches_chooses_and_judges_is_apart():
    courses = crowded(0)
    ends = []
    for low, high in parts():
        for part in part_of(courses, low, high, 0.05 * DAY_S):
            submit_s = part.jobs.submit_s
            first_s, last_s = submit_s[part.windows[[0, -1]]]
            share = (np.array([first_s, last_s + 0.05 * DAY_S]) - submit_s[0]) / np.ptp(submit_s)
            assert low <= share[0] <= share[1] <= high + 1e-9
            ends.append(share)
    assert len(ends) == 6


def test_spans_that_are_drawn_do_not_overlap_within_a_course():
    courses = part_of(crowded(0), 0.0, 1.0, 0.1 * DAY_S)
    windows = drawn(courses, 0.1 * DAY_S, 6, 0)
    assert len(windows) == 6
    seen = [tuple(part.jobs.key[part.home == 0]) for part in windows]  # moments in the history
    for i, one in enumerate(seen):
        for other in seen[:i]:
            assert one == other or not set(one) & set(other)


def test_the_standard_is_the_best_of_all():
    windows = drawn(part_of(crowded(0), 0.0, 1.0, 0.5 * DAY_S), 0.5 * DAY_S, 3, 0)
    best = best_standard(windows, nothing)

    def slowdown(routing, rule):
        weights = static_routing(routing)
        return np.mean([log_slowdown(part, weights, rule) for part in windows])

    values = [slowdown(routing, rule) for routing in ROUTINGS for rule in LOCAL_RULES]
    assert slowdown(best.routing, best.rule) == min(values)


def test_an_interval_holds_the_mean_and_shrinks_with_more_windows():
    rng = np.random.default_rng(0)
    few, many = rng.normal(-0.1, 0.3, 10), rng.normal(-0.1, 0.3, 1000)
    (low, high), (lower, higher) = interval(few), interval(many)
    assert low < np.exp(few.mean()) < high
    assert higher - lower < (high - low) / 3
