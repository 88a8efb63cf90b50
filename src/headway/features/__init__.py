"""What was known about a task at its moment of submission: fixed, named, versioned columns."""

from headway.features.history import NAMES, VERSION, History

__all__ = ["NAMES", "VERSION", "History"]
