"""Alerts, rules and hands that tests of responses share."""

from headway.errors import ClusterError
from headway.records import Alert
from headway.respond import Hand, Limits, Responder, Rule, Rules

HOUR_S = 3600.0


def alert(kind="stuck", subject="7", about="task", number=0, **known):
    given = {
        "alert_id": f"{kind}-{subject}-{number}", "at_s": 0.0, "cluster": "c", "about": about,
        "subject": subject, "kind": kind, "since_s": 0.0,
        "dimensions": (subject,) if about == "task" else (),
    }  # fmt: skip
    return Alert(**(given | known))


class Recorder:
    """Hands that remember what they did, and a trail."""

    def __init__(self, broken=()):
        self.did, self.undid, self.trail, self._broken = [], [], [], broken

    def hand(self, name):
        def do(action):
            if name in self._broken:
                raise ClusterError("no")
            self.did.append((name, action.subject))
            return "did it"

        def undo(action):
            self.undid.append((name, action.subject))
            return "undid it"

        return Hand(do, undo)

    def responder(self, rules=None, limits=None, mode="act", names=("requeue", "drain"), **known):
        rules = rules or [Rule(name="r", kinds=("stuck", "slow_node"), actions=("requeue",))]
        made = Rules(tuple(rules), limits or Limits())
        hands = {name: self.hand(name) for name in names}
        return Responder(made, hands, self.trail.append, mode=mode, **known)


def node_rule(**known):
    return Rule(name="nodes", kinds=("slow_node",), actions=("drain",), **known)
