"""Traffic split between two versions: raised by stages, judged while it runs, taken back."""

from headway.rollout.experiment import Metric, Moments, Verdict, judge
from headway.rollout.split import arm_of, slot_arm
from headway.rollout.stages import (
    SHARES,
    Plan,
    Rollout,
    advance,
    begin,
    pause,
    promote,
    resume,
    roll_back,
)

__all__ = [
    "SHARES",
    "Metric",
    "Moments",
    "Plan",
    "Rollout",
    "Verdict",
    "advance",
    "arm_of",
    "begin",
    "judge",
    "pause",
    "promote",
    "resume",
    "roll_back",
    "slot_arm",
]
