import json
import random
import subprocess
import sys
import time

from tests.serve.served import ask, started, stopped
from tests.serve.test_advisor import a_task
from tests.serve.test_versions import make_trainings

from headway.serve.opinions import Opinions
from headway.serve.status import status_of
from headway.serve.tally import opinions, tally
from headway.serve.versions import roll_back

HOUR_S = 3600.0


def feedback(id_, at_s, user, rating=None, is_followed=None):
    return {"kind": "feedback", "decision_id": id_, "at_s": at_s, "user": user, "rating": rating,
            "is_followed": is_followed, "comment": ""}  # fmt: skip


def decision(id_, version, at_s=0.0):
    return {"kind": "decision", "decision_id": id_, "version": version, "at_s": at_s,
            "refused": "", "latency_s": 0.001}  # fmt: skip


def scripted_hour():
    """Seven answers of two versions in an hour and what four people thought, one of them twice."""
    return [
        decision("a", "v1", 0.0), decision("b", "v1", 600.0), decision("c", "v1", 1200.0),
        decision("d", "v2", 1800.0), decision("e", "v2", 2400.0), decision("f", "v2", 3000.0),
        decision("g", "v2", 3500.0),
        feedback("a", 10.0, "ann", 5, True), feedback("b", 610.0, "bob", 2, False),
        feedback("b", 620.0, "bob", 4, True),  # has changed its mind
        feedback("c", 1300.0, "cid", None, False), feedback("d", 1900.0, "ann", 3, None),
        feedback("e", 2500.0, "bob", None, True), feedback("f", 3100.0, "dan", 1, False),
        feedback("f", 3100.0, "ann", 2, True),  # two people, one of whom followed it
        feedback("z", 3200.0, "ann", 1, False),  # of an answer that is not known here
    ]  # fmt: skip


def test_a_scripted_hour_gives_these_shares_and_means_in_any_order():
    for seed in range(5):
        records = scripted_hour()
        random.Random(seed).shuffle(records)
        counted = {r["version"]: r for r in tally(records, HOUR_S)["by_version"]}
        found = {v: (r["adoption"], r["satisfaction"], r["ratings"]) for v, r in counted.items()}
        assert found == {"v1": (2 / 3, 4.5, 2), "v2": (1.0, 2.0, 3)}
        kept = Opinions()
        for record in records + records[:4]:
            kept.take(record)
        assert kept.gauges() == {
            'adoption{version="v1"}': 2 / 3, 'adoption{version="v2"}': 1.0,
            'satisfaction{version="v1"}': 4.5, 'satisfaction{version="v2"}': 2.0,
            'ratings{version="v1"}': 2.0, 'ratings{version="v2"}': 3.0,
        }  # fmt: skip


def test_nothing_known_is_no_share_and_no_mean():
    assert opinions([]) == {"adoption": None, "satisfaction": None, "ratings": 0}
    assert Opinions().gauges() == {}


def test_status_and_metrics_say_the_same_of_each_version_to_the_digit(tmp_path):
    """A server answers by one version, is rolled back, answers by the other; people say so."""
    home, _ = make_trainings(tmp_path, 2)
    server, port = started(home)
    try:
        script = {"v000002": [(5, True), (4, True), (2, False)], "v000001": [(3, False), (1, True)]}
        for version, said in script.items():
            if version == "v000001":
                roll_back(home, "", by="", why="", now_s=time.time())
            until = time.monotonic() + 20.0
            while version not in (now := sized(port))["version"]:
                assert time.monotonic() < until, now
                time.sleep(0.1)
            for rating, is_followed in said:
                body = {"decision_id": sized(port)["decision_id"], "user": "ann",
                        "rating": rating, "is_followed": is_followed}  # fmt: skip
                assert ask(port, "/v1/feedback", body)[2] == {"kept": 1}
        until = time.monotonic() + 20.0
        while len(found := labelled(ask(port, "/metrics")[2])) < 6:
            assert time.monotonic() < until, found
            time.sleep(0.1)
    finally:
        assert stopped(server) == 0
    command = [sys.executable, "-m", "headway.cli", "status", "--home", str(home), "--json"]
    status = json.loads(subprocess.run(command, capture_output=True, text=True).stdout)
    assert (
        status["decisions"]["by_version"] == status_of(home, time.time())["decisions"]["by_version"]
    )
    rows = {r["version"]: r for r in status["decisions"]["by_version"] if r["ratings"]}
    assert sorted(found) == sorted(
        (n, v) for v in rows for n in ("adoption", "satisfaction", "ratings")
    )
    for version, said in script.items():
        (name,) = [v for v in rows if f"history {version}" in v]
        for key, value in (
            ("adoption", sum(followed for _, followed in said) / len(said)),
            ("satisfaction", sum(rating for rating, _ in said) / len(said)),
            ("ratings", len(said)),
        ):
            assert rows[name][key] == value == found[key, name]


def sized(port):
    task = a_task()
    return ask(port, "/v1/size", {"task": {"user": task.user or "1", "cpus_requested": 4}})[2]


def labelled(text):
    """{(gauge, version): value} of what /metrics says by version."""
    found = {}
    for line in text.splitlines():
        if line.startswith("headway_") and '{version="' in line:
            name, _, rest = line.removeprefix("headway_").partition('{version="')
            version, _, value = rest.partition('"} ')
            found[name, version] = float(value)
    return found
