"""Windows as judges: what whole simulations say of the weights of a scheduler."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from headway.errors import NotEnoughData
from headway.schedule.network import SIZE, network_of, smallest_area_first
from headway.schedule.objectives import Schedule, slowdown
from headway.simulate.lookahead import play_ahead
from headway.simulate.play import play

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from headway.schedule.siblings import Siblings
    from headway.simulate.batch import Course
    from headway.simulate.structures import Jobs

    Floats = NDArray[np.float64]

DULL: Final = 5.0
"""Mean slowdown under smallest area first below which a window teaches nothing."""


class Window(NamedTuple):
    """Tasks that are simulated together, and the log slowdown that smallest area first has."""

    jobs: Jobs
    siblings: Siblings
    total_procs: int
    usual: float


@dataclass(frozen=True, slots=True)
class Judge:
    """Plays windows with a kind of backfilling (modes of `episode`); users: how many codes.

    tried: how many are tried out before one goes next, by weights that hold a price (SIZE + 1,).
    """

    mode: int
    users: int
    tried: int = 0

    def window(self, course: Course, first: int, jobs: int) -> tuple[Window, int]:
        """A window of a course, and the decisions that it took to know what is usual there."""
        part, siblings = course.window(first, jobs)
        window = Window(part, siblings, course.total_procs, 0.0)
        usual, made = self.play(smallest_area_first(), window)
        return window._replace(usual=usual), made

    def lively(self, courses: Sequence[Course], jobs: int) -> list[Course]:
        """The courses with those of their windows alone in which something has to wait."""
        kept = []
        for course in courses:
            usual = [self.window(course, int(first), jobs)[0].usual for first in course.windows]
            is_lively = np.array(usual) > np.log(DULL)
            if is_lively.any():
                kept.append(replace(course, windows=course.windows[is_lively]))
        if not kept:
            raise NotEnoughData(f"in no window is the mean slowdown above {DULL}: nothing to learn")
        return kept

    def windows(self, courses: Sequence[Course], jobs: int) -> list[Window]:
        """Every window of some courses."""
        drawn = [(course, int(first)) for course in courses for first in course.windows]
        return [self.window(course, first, jobs)[0] for course, first in drawn]

    def play(self, weights: Floats, window: Window) -> tuple[float, int]:
        """Log of the mean bounded slowdown of a window under some weights, decisions made."""
        schedule, made = self.schedule(weights, window)
        return float(np.log(slowdown(schedule))), made

    def schedule(self, weights: Floats, window: Window) -> tuple[Schedule, int]:
        """When each task of a window starts under some weights, decisions made."""
        jobs, user = window.jobs, window.siblings.user
        played = jobs, window.siblings, self.users, window.total_procs, self.mode
        if len(weights) > SIZE:
            network, price = network_of(weights[:SIZE]), float(weights[SIZE])
            start_s, made = play_ahead(*played, network, self.tried, price)
        else:
            start_s, made = play(*played, network_of(weights))
        return Schedule(
            jobs.submit_s, jobs.runtime_s, jobs.limit_s, jobs.procs, user, start_s,
            window.total_procs,
        ), made  # fmt: skip

    def ratio(self, weights: Floats, windows: Sequence[Window]) -> float:
        """Geometric mean over windows of the slowdown over the usual one; below 1 is better."""
        logs = [self.play(weights, window)[0] - window.usual for window in windows]
        return float(np.exp(np.mean(logs)))


class Windows:
    """Windows to learn from, drawn again and again; what is usual in each is found once."""

    def __init__(self, judge: Judge, courses: Sequence[Course], jobs: int) -> None:
        """Windows of `jobs` tasks of some courses."""
        self._judge, self._courses, self._jobs = judge, list(courses), jobs
        self._known: dict[tuple[int, int], tuple[Window, int]] = {}

    def draw(self, rng: np.random.Generator, many: int) -> tuple[list[tuple[int, int]], int]:
        """Places of windows (course, first task), the courses by turns; dull ones only where many
        draws found no other. The decisions that it takes to tell, counted at each draw.
        """
        found: list[tuple[int, int]] = []
        first, decisions = int(rng.integers(len(self._courses))), 0
        for tries in range(10 * many):
            number = (first + tries) % len(self._courses)
            place = number, int(rng.choice(self._courses[number].windows))
            window = self.at(place)
            decisions += self._known[place][1]
            if window.usual > np.log(DULL) or tries >= 9 * many:
                found.append(place)
            if len(found) == many:
                break
        return found, decisions

    def at(self, place: tuple[int, int]) -> Window:
        """The window of a place."""
        if place not in self._known:
            course = self._courses[place[0]]
            self._known[place] = self._judge.window(course, place[1], self._jobs)
        return self._known[place][0]


def judge_of(mode: int, *courses: Sequence[Course], tried: int = 0) -> Judge:
    """A judge for some courses."""
    codes = [int(one.siblings.user.max(initial=0)) for some in courses for one in some]
    return Judge(mode, 1 + max(codes), tried)
