import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.errors import ConfigError
from headway.schedule.elastic import SIZE, controller_of, thresholds
from headway.simulate.elastic import BOOT, RUN, SPARE, WAIT, Load, Terms, part_of, play

TERMS = Terms(boot_s=100.0, every_s=60.0, patience_s=600.0, least=0, most=8)


def load_with(rows):
    """A load of rows (submit, runtime, nodes), expected and limited by the true runtime."""
    submit, runtime, nodes = (np.array(v, dtype=float) for v in zip(*rows, strict=True))
    return Load(submit, runtime, nodes.astype(np.int64), runtime, runtime, np.zeros(len(rows)))


@st.composite
def loads(draw):
    many = draw(st.integers(1, 30))
    steps = st.floats(0.0, 200.0)
    submit = np.cumsum([draw(steps) for _ in range(many)])
    rows = [(at, draw(st.floats(1.0, 900.0)), draw(st.integers(1, 8))) for at in submit]
    load = load_with(rows)
    wrong = np.array([draw(st.floats(0.1, 10.0)) for _ in range(many)])
    return load._replace(expected_s=load.runtime_s * wrong, limit_s=load.runtime_s * wrong)


rules = st.builds(
    thresholds, st.floats(0.0, 900.0), share=st.floats(0.1, 1.0),
    horizon_s=st.floats(1.0, 3600.0), headroom=st.floats(0.0, 1.0),
)  # fmt: skip
weights = st.integers(0, 2**31).map(lambda seed: np.random.default_rng(seed).normal(size=SIZE))


@settings(max_examples=60, deadline=None)
@given(load=loads(), rule=rules | weights, least=st.integers(0, 3), boot_s=st.floats(1.0, 400.0))
def test_node_hours_add_up_and_no_task_starts_without_nodes(load, rule, least, boot_s):
    terms = TERMS._replace(least=least, boot_s=boot_s)
    span_s = 50_000.0
    start_s, spent, sizes = play(load, controller_of(rule), terms, span_s)
    end_s = start_s + load.runtime_s
    assert np.isfinite(start_s).all(), "patience answers every task in the end"
    assert (start_s >= load.submit_s).all()
    np.testing.assert_allclose(spent[-1, RUN], load.nodes @ load.runtime_s, rtol=1e-9)
    np.testing.assert_allclose(spent[-1, WAIT], (start_s - load.submit_s).sum(), atol=1e-6)
    assert (np.diff(spent, axis=0) >= -1e-6).all()
    # what is paid for in a step are the nodes that are up or booting after its decision
    paid = np.diff(spent[:, [RUN, SPARE, BOOT]], axis=0).sum(axis=1)
    np.testing.assert_allclose(paid, sizes * terms.every_s, rtol=1e-9, atol=1e-5)
    assert sizes.max() <= terms.most
    assert sizes.min() >= least
    # nodes that are up at any start or decision are as many as run tasks, or more
    added = np.diff(sizes, prepend=least).clip(0)
    decided_s = np.arange(len(sizes)) * terms.every_s
    for at_s in [*start_s, *decided_s[: int(end_s.max() / terms.every_s) + 2]]:
        step = max(int(np.ceil(at_s / terms.every_s)) - 1, 0)
        if at_s in decided_s and at_s not in start_s:
            step = int(at_s / terms.every_s)
        boots = added[: step + 1][decided_s[: step + 1] + boot_s > at_s].sum()
        running = (start_s <= at_s) & (at_s < end_s)
        assert load.nodes[running].sum() <= sizes[step] - boots


def test_a_task_waits_until_its_nodes_have_booted_and_they_go_when_idle():
    load = load_with([(10.0, 530.0, 3)])
    start_s, spent, sizes = play(load, controller_of(thresholds(0.0)), TERMS, 1200.0)
    assert start_s.tolist() == [160.0]  # the decision at 60 s and 100 s to boot
    assert spent[-1].tolist() == [1590.0, 3 * 30.0, 300.0, 150.0]
    assert sizes.tolist() == [0] + [3] * 11 + [0] * 8


def test_a_node_is_kept_for_as_long_as_the_timeout_says():
    load = load_with([(10.0, 500.0, 3), (900.0, 10.0, 2)])
    start_s, _, sizes = play(load, controller_of(thresholds(299.0)), TERMS, 1500.0)
    assert start_s.tolist() == [160.0, 900.0]
    assert sizes[15] == 3  # at 900 s: the task came before the decision
    assert sizes[16] == 2  # the third has been idle since 660 s
    assert sizes[-1] == 0


def test_tasks_may_go_first_on_nodes_that_boot_for_a_wide_one_but_not_beyond():
    load = load_with([(0.0, 10_000.0, 4), (200.0, 100.0, 6), (210.0, 1000.0, 1)])
    start_s, _, _ = play(load, controller_of(thresholds(0.0)), TERMS, 20_000.0)
    # both are answered at 240 s: three nodes, of a most of eight two for the wide one
    assert start_s[1] >= 10_000.0  # 8 nodes are too few for 4 + 6
    assert 210.0 < start_s[2] < 10_000.0


def test_a_fixed_cluster_is_one_whose_least_is_its_most():
    load = load_with([(0.0, 100.0, 2), (0.0, 100.0, 2)])
    terms = TERMS._replace(least=2, most=2)
    start_s, spent, sizes = play(load, controller_of(thresholds(0.0)), terms, 240.0)
    assert start_s.tolist() == [0.0, 100.0]
    assert set(sizes.tolist()) == {2}
    assert spent[-1].tolist() == [400.0, 80.0, 0.0, 100.0]


def test_a_part_begins_at_its_own_zero():
    load = load_with([(0.0, 1.0, 1), (100.0, 2.0, 2), (200.0, 3.0, 3)])
    part = part_of(load, 50.0, 200.0)
    assert part.submit_s.tolist() == [50.0]
    assert part.nodes.tolist() == [2]


def test_what_cannot_be_played_is_refused():
    load = load_with([(0.0, 1.0, 9)])
    with pytest.raises(ConfigError, match="as wide as the widest task"):
        play(load, controller_of(thresholds(0.0)), TERMS, 100.0)
    with pytest.raises(ConfigError, match=r"boot_s, every_s must be > 0"):
        play(load, controller_of(thresholds(0.0)), TERMS._replace(boot_s=0.0, most=9), 100.0)
    with pytest.raises(ConfigError, match="share in"):
        thresholds(0.0, share=2.0)
