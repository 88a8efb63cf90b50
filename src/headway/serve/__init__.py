"""Answers from trained models, in process: how much, how long, and what goes first."""

from headway.serve.advisor import Advisor, Answer
from headway.serve.client import Client, connect

__all__ = ["Advisor", "Answer", "Client", "connect"]
