"""A request that is answered with an error."""

from __future__ import annotations


class Refused(Exception):
    """The status of the answer, and a sentence for who asked.

    allow: methods that the route takes, with 405.
    """

    def __init__(self, status: int, sentence: str, *, allow: str = "") -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.allow = status, sentence, allow
