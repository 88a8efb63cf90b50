"""What carries actions out: a cluster's own decisions, commands, models, a webhook."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Final

from headway.errors import ClusterError
from headway.records import Decision
from headway.respond.responder import Hand

if TYPE_CHECKING:
    from collections.abc import Callable

    from headway.protocols import Cluster
    from headway.records import Action, Task
    from headway.respond.rules import Rules
    from headway.store import ModelStore

COMMAND_S: Final = 60.0
"""How long a command may take."""


def cluster_hands(
    cluster: Cluster, task_of: Callable[[str], Task | None], size: Callable[[Task], int | None]
) -> dict[str, Hand]:
    """Retry, requeue, cancel, drain and hold as decisions of a cluster.

    task_of: the latest attempt of a task by its id, as it is known. size: bytes for the next
    attempt of a task that ran out of memory; None = it must not be retried.
    """

    def decide(action: Action, name: str, **given: object) -> Decision:
        known = task_of(action.subject) if action.about == "task" else None
        return Decision(
            decision_id=f"{action.action_id}/{name}",
            at_s=action.at_s,
            cluster=action.cluster,
            id=action.subject,
            attempt=1 if known is None else known.attempt,
            action=name,
            made_by=action.made_by,
            **given,  # type: ignore[arg-type]
        )

    def retry(action: Action) -> str:
        task = task_of(action.subject)
        given = None if task is None else size(task)
        if given is None:
            raise ClusterError(f"no larger allocation is known for task {action.subject}")
        cluster.apply(decide(action, "requeue", memory_bytes=given))
        return f"queued again with {given / 1e9:.3g} GB"

    def simply(name: str, said: str) -> Callable[[Action], str]:
        def do(action: Action) -> str:
            cluster.apply(decide(action, name))
            return said

        return do

    def of_node(name: str, said: str) -> Callable[[Action], str]:
        def do(action: Action) -> str:
            cluster.apply(decide(action, name, node=action.subject))
            return said

        return do

    def of_owner(name: str, said: str) -> Callable[[Action], str]:
        def do(action: Action) -> str:
            queued = [t for t in cluster.state().queued if action.subject in (t.user, t.workflow)]
            for task in queued:
                cluster.apply(
                    Decision(
                        decision_id=f"{action.action_id}/{task.id}",
                        at_s=action.at_s,
                        cluster=action.cluster,
                        id=task.id,
                        attempt=task.attempt,
                        action=name,
                        made_by=action.made_by,
                    )
                )
            return f"{len(queued)} tasks {said}"

        return do

    return {
        "retry_with_memory": Hand(retry),
        "requeue": Hand(simply("requeue", "queued again")),
        "cancel": Hand(simply("cancel", "ended")),
        "drain": Hand(of_node("drain", "out of service"), of_node("resume", "back in service")),
        "hold": Hand(of_owner("hold", "held"), of_owner("release", "released")),
    }


def queue_share(cluster: Cluster) -> Callable[[Action], float]:
    """The share of a cluster's tasks that an action touches."""

    def share(action: Action) -> float:
        state = cluster.state()
        tasks = [*state.queued, *state.running]
        if action.about == "task" or not tasks:
            return 0.0  # one at a time: the rate of actions bounds them
        names = [{t.user, t.workflow, t.queue} for t in state.queued]
        return sum(action.subject in known for known in names) / len(tasks)

    return share


def command_hands(rules: Rules) -> dict[str, Hand]:
    """Actions by the commands of a rule file, run without a shell.

    {subject}, {cluster}, {alert} and {action} in their words are filled in.
    """

    def runner(words: tuple[str, ...]) -> Callable[[Action], str]:
        def run(action: Action) -> str:
            filled = {
                "subject": action.subject, "cluster": action.cluster, "alert": action.alert_id,
                "action": action.action,
            }  # fmt: skip
            line = list(words)
            for name, value in filled.items():
                line = [word.replace("{" + name + "}", value) for word in line]
            try:
                done = subprocess.run(
                    line, capture_output=True, text=True, timeout=COMMAND_S, check=False
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                raise ClusterError(f"{line[0]} could not be run: {error}") from error
            if done.returncode:
                said = (done.stderr or done.stdout).strip()[:200]
                raise ClusterError(f"{line[0]} ended with {done.returncode}: {said}")
            return f"ran {' '.join(line)}"

        return run

    return {
        name: Hand(runner(words), runner(rules.undo[name]) if name in rules.undo else None)
        for name, words in rules.commands.items()
    }


def model_hands(models: ModelStore) -> dict[str, Hand]:
    """Roll a model back to the version before."""

    def back(action: Action) -> str:
        return f"{action.subject} is {models.rollback(action.subject)} again"

    return {"roll_back": Hand(back)}
