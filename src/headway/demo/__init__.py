"""The demonstration: real tasks on this machine, as a user would run them and with Headway."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """`run_demo`, loaded when asked for: worker processes import the tasks alone."""
    if name == "run_demo":
        from headway.demo.run import run_demo

        return run_demo
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
