import pytest
from tests.serve.made_home import CREATED_S, make_home
from tests.serve.test_advisor import NOW_S, a_task

from headway.errors import ConfigError
from headway.serve import connect
from headway.store import ModelStore


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return make_home(tmp_path_factory.mktemp("client"))[0]


def test_the_shortest_area_goes_first_and_ties_go_by_arrival(home):
    client = connect(home, clock=lambda: NOW_S)
    queue = [
        a_task(id=str(i), user=str(i % 5), submitted_s=NOW_S - i, cpus_requested=2.0 ** (i % 3))
        for i in range(30)
    ]
    said = {t.id: client.size(t).runtime_s.value for t in queue}
    ordered = client.order(queue)
    areas = [
        (said[t.id] * t.cpus_requested * max(said[t.id], 10.0), t.submitted_s) for t in ordered
    ]
    assert areas == sorted(areas)
    assert len({t.id for t in ordered}) == 30
    assert client.order(queue, rule="fcfs") == sorted(queue, key=lambda t: t.submitted_s)
    assert client.order([]) == []


def test_an_unknown_rule_is_named(home):
    with pytest.raises(ConfigError, match="areaxt"):
        connect(home).order([a_task()], rule="f1")


def test_without_models_limits_order_and_what_has_none_goes_last(tmp_path):
    client = connect(tmp_path, clock=lambda: NOW_S)
    limits = [None, 50.0, 5000.0, 20.0]
    queue = [a_task(id=str(i), limit_s=limit) for i, limit in enumerate(limits)]
    assert [t.id for t in client.order(queue)] == ["3", "1", "2", "0"]


def test_other_versions_are_taken_up_within_a_second_without_being_told(tmp_path):
    home, _, _ = make_home(tmp_path)
    now = [NOW_S]
    client = connect(home, clock=lambda: now[0])
    before = client.size(a_task(user="1"))
    make_home(tmp_path, seed=1, created_s=CREATED_S + 10.0)
    now[0] += 1.0
    assert client.size(a_task(user="1")).version == before.version.replace("v000001", "v000002")
    models = ModelStore(home)
    models.rollback("history")
    now[0] += 1.0
    assert "v000002" in client.size(a_task(user="1")).version
    for name in ("runtime", "memory", "sizing"):
        models.rollback(name)
    now[0] += 1.0
    after = client.size(a_task(user="1"))
    assert after.version == before.version
