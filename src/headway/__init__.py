"""Headway learns from the history of batch tasks and steers the next ones."""

__version__ = "0.1.0"
