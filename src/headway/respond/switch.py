"""The kill switch: a file in the home folder; while it is there nothing acts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAME: Final = "respond.stop"


def stop(home: Path, why: str) -> None:
    """Nothing acts from now on, in this process or another one."""
    home.mkdir(parents=True, exist_ok=True)
    (home / NAME).write_text(why + "\n")


def start(home: Path) -> None:
    """Actions are possible again."""
    (home / NAME).unlink(missing_ok=True)


def stopped(home: Path) -> Callable[[], str]:
    """A function that says why nothing may act; '' = the switch is not set.

    A file that is there and cannot be read is a switch that is set.
    """

    def why() -> str:
        try:
            text = (home / NAME).read_text(errors="replace").strip()
        except FileNotFoundError:
            return ""
        except OSError as error:
            return f"{home / NAME} cannot be read ({error.strerror})"
        return text or f"{home / NAME} is there"

    return why
