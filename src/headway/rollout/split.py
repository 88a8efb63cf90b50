"""Who gets the challenger: a sticky split of keys or of time slots.

A key's place in [0, 1) is a hash of the rollout and the key; it gets the challenger where the place
is below the share. So raising the share moves nobody back, and rollouts that run at the same time
split independently of each other.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from headway.errors import ConfigError

CHAMPION: Final = "champion"
CHALLENGER: Final = "challenger"


def place_of(rollout_id: str, key: str) -> float:
    """Where a key (task, user or workflow) lies in [0, 1) for one rollout.

    >>> place_of("r1", "ann") == place_of("r2", "ann")
    False
    """
    # The length keeps ("ab", "c") and ("a", "bc") apart.
    told = f"{len(rollout_id)}:{rollout_id}:{key}".encode()
    return int.from_bytes(blake2b(told, digest_size=8).digest()) / 2.0**64


def arm_of(rollout_id: str, key: str, share: float) -> tuple[str, float]:
    """The arm of a key, and the probability with which a key gets that arm.

    >>> arm_of("r1", "ann", 0.0)
    ('champion', 1.0)
    """
    _checked(share)
    is_challenger = place_of(rollout_id, key) < share
    return (CHALLENGER, share) if is_challenger else (CHAMPION, 1.0 - share)


def slot_arm(
    rollout_id: str, now_s: float, slot_s: float, share: float, *, washout: float = 0.25
) -> tuple[str, float, bool]:
    """The arm of the time slot that now_s lies in, its probability, and whether now is scored.

    For policies that steer a whole cluster: two of them at once would disturb each other. The first
    part (washout, a share) of each slot is not scored, as the slot before still acts in it.
    """
    _checked(share)
    if slot_s <= 0:
        raise ConfigError(f"slot_s must be above 0, got {slot_s}")
    number = int(now_s // slot_s)
    arm, propensity = arm_of(rollout_id, f"slot {number}", share)
    return arm, propensity, now_s / slot_s - number >= washout


def _checked(share: float) -> None:
    if not 0.0 <= share <= 1.0:
        raise ConfigError(f"a share of traffic must be in [0, 1], got {share}")
