"""Automated response: from alerts to actions, observed, proposed or carried out."""

from headway.respond.hands import cluster_hands, command_hands, model_hands, queue_share
from headway.respond.ranking import outcomes, ranked
from headway.respond.responder import Hand, Responder
from headway.respond.rules import DEFAULT, MODES, Limits, Rule, Rules, Webhook, load_rules
from headway.respond.switch import start, stop, stopped
from headway.respond.webhook import Sender, signature

__all__ = [
    "DEFAULT",
    "MODES",
    "Hand",
    "Limits",
    "Responder",
    "Rule",
    "Rules",
    "Sender",
    "Webhook",
    "cluster_hands",
    "command_hands",
    "load_rules",
    "model_hands",
    "outcomes",
    "queue_share",
    "ranked",
    "signature",
    "start",
    "stop",
    "stopped",
]
