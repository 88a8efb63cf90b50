"""What the figures of an optimize document say in sentences, for the page as for the screen."""

from __future__ import annotations

from typing import Any, Final

from headway.report.numbers import (
    clean,
    count,
    day,
    digits,
    duration,
    entries,
    known,
    money,
    part,
    sentences,
    share,
    things,
)

POLICIES: Final = {
    "fcfs": "First come, first served",
    "sjf": "Shortest first (SJF)",
    "saf": "Smallest area first (SAF)",
    "areaxt": "Area x time (AREAxT)",
    "f1": "F1",
    "f2": "F2",
    "f3": "F3",
    "f4": "F4",
    "wfp3": "WFP3",
    "unicep": "UNICEP",
    "headway": "Headway",
    "learned:default": "Learned, as shipped",
}
RUNTIMES: Final = {
    "requested": "requested runtimes",
    "predicted": "predicted runtimes",
    "true": "true runtimes",
}
GLOSSARY: Final = (
    ("Bounded slowdown", "How many times longer a task took, waiting included, than it ran: "
     "(wait + runtime) / runtime, never below 1. Runtimes under 10 s (60 s for the p95 figure) "
     "count as that long, so that a task of one second that waits a minute does not weigh more "
     "than all others. 1 means: no waiting at all. Source: Feitelson and Rudolph (1998)."),
    ("EASY backfilling", "The usual practice of batch schedulers: the first task that does not "
     "fit gets a reservation, and later tasks may jump ahead only if they do not delay it. "
     "It judges this by believed runtimes, so better runtimes make better schedules."),
    ("First come, first served", "Tasks start in the order in which they were submitted. With "
     "EASY backfilling and requested runtimes it is what everything here is compared with."),
    ("Requested, predicted, true runtimes", "What a schedule believes about how long tasks will "
     "run: the user's limit, Headway's prediction made at submission, or the real runtime, which "
     "nobody can know beforehand."),
    ("SJF, SAF, AREAxT, F1 to F4, WFP3, UNICEP", "Standard rules that order the queue: by "
     "runtime, by runtime x processors (area), by area x runtime, by four published formulas of "
     "size and submission time, and by two that also count the time waited."),
    ("Clairvoyant", "AREAxT with EASY backfilling and true runtimes: a strong reference that "
     "nobody can reach, not a proven bound."),
    ("Share of the possible gain", "How much of the way from the usual practice (0%) to the "
     "clairvoyant reference (100%) was covered, in mean bounded slowdown."),
    ("Coverage", "The share of tasks whose outcome fell within what was promised. Of 95% "
     "intervals, 95% should hold; of first allocations, the share that was large enough."),
    ("Calibration", "Whether promises are kept at every level: a quantile promised for 80% of "
     "the tasks should turn out to be enough for 80%."),
    ("Wastage", "Memory reserved but not needed, times the time it was reserved, in GB-hours "
     "(GB = 1,000,000,000 bytes). A first allocation that is too small counts whole, and so does "
     "every retry."),
    ("Mean absolute error, median error", "How far predictions were off: on average, and for "
     "the task in the middle."),
    ("Min/max accuracy", "The smaller of prediction and outcome divided by the larger: 1 is "
     "exact, 0.5 is off by a factor of two."),
    ("90% interval", "From resampling whole weeks of the history 1,000 times: chance of the "
     "weeks alone would have put the figure in this range 9 times in 10."),
    ("PSI", "Population stability index: how much a column changed against the earlier history; "
     "above 0.25 is a jump. Source: Siddiqi (2006)."),
)  # fmt: skip


def policy_name(policy: object) -> str:
    """A policy as people call it."""
    named = clean(policy, 40)
    return POLICIES.get(named, named or "an unnamed policy")


def proof_said(document: dict[str, Any]) -> str:
    """What the shipped policy was worth against the plan that was chosen; '' = not judged."""
    proof = part(document, "learned")
    mine, other = known(proof.get("candidate")), known(proof.get("incumbent"))
    low, high = (known(proof.get(f"difference_{end}_95")) for end in ("low", "high"))
    if mine is None or other is None:
        return ""
    told = f"The learned policy that Headway ships: slowdown {digits(mine)} against {digits(other)}"
    if low is None or high is None:
        return f"{told}, over too few weeks to prove anything."
    sure = f"95% interval of the difference {low:+.1f} to {high:+.1f}, over weeks"
    offered = "so it is offered" if proof.get("is_proved") is True else "so it is not offered"
    return f"{told} ({sure}), {offered}."


def headline(document: dict[str, Any]) -> tuple[str, str]:
    """The most telling result in one sentence, and how certain it is ('' = not said)."""
    for told in (_waiting(document), _memory(document), _errors(document)):
        if told[0]:
            return told
    tasks = known(part(document, "history").get("tasks"))
    if tasks is None:
        return "This history does not show what could be saved", ""
    return f"{count(tasks)} tasks were read, but they do not show what could be saved", ""


def _waiting(document: dict[str, Any]) -> tuple[str, str]:
    gain = part(document, "gain")
    reduction = known(gain.get("reduction"))
    if reduction is None:
        return "", ""
    low, high = known(gain.get("reduction_low_90")), known(gain.get("reduction_high_90"))
    if reduction <= 0.0:
        return "A better order of the queue would have gained nothing here", ""
    fell = f"Waiting would have slowed tasks down {percent(reduction)} less"
    if low is None or high is None:
        return fell, ""
    if high - low < 1e-6:
        return fell, "(the history is too short to say how certain that is)"
    if low <= 0.0:
        fell = f"Waiting might have slowed tasks down {percent(reduction)} less, or it is chance"
    return fell, f"(90% interval: {percent(low)} to {percent(high)})"


def _memory(document: dict[str, Any]) -> tuple[str, str]:
    memory = part(document, "prediction", "memory")
    saved, covers = (
        known(memory.get(k)) for k in ("saved_gbh_against_request", "first_attempt_coverage")
    )
    if saved is None:
        return "", ""
    if saved <= 0.0:
        return "Reserving memory by prediction would have saved nothing here", ""
    held = "" if covers is None else f"({share(covers)} of first allocations would have held)"
    return f"{digits(saved)} GB-hours of memory need not have been reserved", held


def _errors(document: dict[str, Any]) -> tuple[str, str]:
    runtime = part(document, "prediction", "runtime")
    error, covers = known(runtime.get("median_error_s")), known(runtime.get("coverage_95"))
    if error is None:
        return "", ""
    half = f"Half of the runtimes would have been predicted to within {duration(error)}"
    return half, "" if covers is None else f"({share(covers)} of the 95% intervals held)"


def percent(x: float) -> str:
    """A share in whole percent, for headlines; more digits only where it is small.

    >>> percent(0.7175), percent(0.004)
    ('72%', '0.40%')
    """
    return f"{x:.0%}" if abs(x) >= 0.01 else share(x)


def slowdown_story(document: dict[str, Any]) -> str:
    """What the gain means for a task, in a sentence; empty where there is no gain to speak of."""
    gain = part(document, "gain")
    before, after = known(gain.get("incumbent")), known(gain.get("chosen"))
    if before is None or after is None:
        return ""
    return (
        f"From submission to end a task would on average have taken {digits(after)} times as "
        f"long as it ran; under first come, first served with backfilling, {digits(before)} times."
    )


def share_story(document: dict[str, Any]) -> str:
    """How much of what is possible was reached, in a sentence; empty where nothing was judged."""
    gain = part(document, "gain")
    best, reached = known(gain.get("clairvoyant")), known(gain.get("share_of_possible"))
    if best is None:
        return ""
    if reached is None:
        return (
            "Knowing every runtime beforehand would not have helped here either "
            f"({digits(best)} times), so there was nothing to gain."
        )
    return (
        f"Knowing every runtime beforehand would have given {digits(best)} times: "
        f"{share(reached)} of that possible gain was reached."
    )


def judged_story(document: dict[str, Any]) -> str:
    """On what the gain was judged, in a sentence; empty where it was not."""
    gain = part(document, "gain")
    if not gain:
        return ""
    tasks, judged_on = known(gain.get("tasks")), clean(gain.get("judged_on"))
    over = "" if tasks is None else f" over {count(tasks)} tasks that the choice never saw"
    when = f" Judged on {judged_on}." if judged_on else ""
    return f"A simulation of the recorded tasks{over}.{when}"


def chosen_story(document: dict[str, Any]) -> str:
    """What was chosen, with its settings."""
    gain = part(document, "gain")
    if not gain.get("policy"):
        return ""
    runtimes = clean(gain.get("runtimes"), 40)
    kind = RUNTIMES.get(runtimes, runtimes)
    detail = clean(gain.get("detail"), 200)
    by = f" with {kind}" if kind else ""
    return f"{policy_name(gain['policy'])}{by}" + (f" ({detail})" if detail else "")


def silence(document: dict[str, Any]) -> list[str]:
    """Everything that could not be judged and why, each once."""
    said = [clean(s) for s in sentences(document, "could_not_judge")]
    for where, names in (
        ("requests", ("time", "cores", "memory")),
        ("prediction", ("runtime", "memory")),
    ):
        for name in names:
            why = clean(part(document, where, name).get("why"))
            if why and not any(why in sentence for sentence in said):
                said.append(f"{where}, {name}: {why}")
    return said


def period(document: dict[str, Any]) -> str:
    """What the history is, in a line."""
    history = part(document, "history")
    said = []
    if known(history.get("tasks")) is not None:
        said.append(things(history["tasks"], "task"))
    if known(history.get("users")):
        said.append(things(history["users"], "user"))
    first, last = known(history.get("first_s")), known(history.get("last_s"))
    if first is not None and last is not None:
        days = f"{day(first)} to {day(last)}" if day(first) and day(last) else ""
        said.append(days or f"over {duration(last - first)}")
    cpus = known(part(document, "machine").get("total_cpus"))
    if cpus is not None:
        said.append(things(cpus, "processor"))
    return ", ".join(said)


def schedule_value(row: dict[str, Any]) -> float | None:
    """What schedules are compared by: mean bounded slowdown of the judged part, else of all."""
    judged = known(row.get("judged_mean_bounded_slowdown"))
    return judged if judged is not None else known(row.get("mean_bounded_slowdown"))


def sorted_schedules(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The schedules that have a value, best first."""
    rows = [r for r in entries(document, "schedules") if schedule_value(r) is not None]
    return sorted(rows, key=lambda r: schedule_value(r) or 0.0)


def advice_worth(one: dict[str, Any]) -> tuple[str, str]:
    """The worth of a recommendation, and of what with its range; empty where it has none."""
    worth, unit = known(one.get("worth")), clean(one.get("unit"), 40)
    if worth is None:
        return "", ""
    low, high = known(one.get("low")), known(one.get("high"))
    is_share = unit.startswith("share")

    def form(x: float) -> str:
        return share(x) if is_share else digits(x)

    ends = "" if low is None or high is None or high <= low else f"({form(low)} to {form(high)})"
    if is_share:
        return f"-{share(worth)}", f"{unit.removeprefix('share of ')} {ends}".strip()
    return money(worth, unit), ends


DEMO_KEYS: Final = (
    ("makespan_s", "All tasks done after", duration),
    ("mean_completion_s", "A task done on average after", duration),
    ("reserved_gb_s", "Memory reserved, GB-seconds", digits),
    ("used_gb_s", "Memory used, GB-seconds", digits),
    ("not_fitting", "Tasks that did not fit at first", count),
    ("failed", "Tasks that never succeeded", count),
)


def demo_rows(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """What was measured both ways: name, before, after, and the change."""
    found = []
    for key, name, form in DEMO_KEYS:
        old, new = known(before.get(key)), known(after.get(key))
        if old is None and new is None:
            continue
        shown = ["not known" if x is None else form(x) for x in (old, new)]
        change = ""
        if key.endswith("_s") and old and new is not None:
            change = f"{'+' if new > old else '-'}{share(abs(new - old) / old)}"
        found.append((name, shown[0], shown[1], change))
    return found


def demo_headline(document: dict[str, Any]) -> str:
    """What the demo gained in one sentence; says so if it gained nothing."""
    before, after = part(document, "before"), part(document, "after")
    gained, lost = [], []
    for key, less, more in (
        ("mean_completion_s", "tasks were done {} sooner on average", "tasks were done {} later"),
        ("makespan_s", "the batch took {} less", "the batch took {} longer"),
        ("reserved_gb_s", "{} less memory was reserved", "{} more memory was reserved"),
    ):
        old, new = known(before.get(key)), known(after.get(key))
        if not old or new is None:
            continue
        change = (old - new) / old
        if change > 0.02:
            gained.append(less.format(percent(change)))
        elif change < -0.02:
            lost.append(more.format(percent(-change)))
    if not gained and not lost:
        return "Nothing was gained and nothing lost on this machine, this time"
    if not gained:
        return _sentence("nothing was gained this time: " + _and(lost))
    return _sentence(_and(gained) + (", but " + _and(lost) if lost else ""))


def _and(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]
