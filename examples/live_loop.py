"""The live loop over a simulated cluster: observe, learn, predict, decide, guard, apply.

Three users submit tasks that ask for an hour and take two, ten or thirty minutes. The engine knows
nothing at first; it orders the queue by what it has seen and backfills by EASY.
"""

from headway import Engine, History, MemoryStore, Task
from headway.features.history import NAMES
from headway.guard import fits_cluster, is_advised
from headway.predict import predictor_for
from headway.schedule.easy import EasyPolicy
from headway.simulate.cluster import SimulatedCluster

RUNTIMES_S = {"ada": 120.0, "ben": 600.0, "eve": 1800.0}


def tasks() -> list[Task]:
    """Ninety tasks, one every two minutes, users in turn."""
    made = []
    for i in range(90):
        user = list(RUNTIMES_S)[i % 3]
        at_s = 120.0 * i
        made.append(
            Task(
                cluster="toy", id=str(i), user=user, name=f"{user}-job", submitted_s=at_s,
                started_s=at_s, ended_s=at_s + RUNTIMES_S[user], cpus_requested=4.0,
                limit_s=3600.0, state="completed",
            )
        )  # fmt: skip
    return made


def main() -> None:
    """Steer the cluster until all tasks have ended, then say what was believed and what was."""
    cluster, store = SimulatedCluster("toy", tasks(), total_cpus=16.0), MemoryStore()
    runtime = predictor_for("runtime_s", NAMES)
    engine = Engine(
        cluster, store, {"runtime_s": runtime}, EasyPolicy("sjf"),
        history=History(), guards=[is_advised, fits_cluster],
    )  # fmt: skip
    engine.step()
    while (at_s := cluster.next_event_s()) is not None:
        cluster.advance(at_s)
        engine.step()
    ended = store.read("task").sort("submitted_s")
    said = store.read("prediction").sort("at_s")
    print("tasks that ended:", ended["ended_s"].count())
    print("decisions in the log:", store.read("decision").height)
    for i, (user, truth_s) in enumerate(RUNTIMES_S.items()):
        mine = said.filter(said["id"].cast(int) % 3 == i)["value"].to_list()
        last = abs(mine[-1] - truth_s) < abs(mine[0] - truth_s)
        print(f"{user}: {truth_s:.0f} s, the last guess is nearer than the first: {last}")


if __name__ == "__main__":
    main()
