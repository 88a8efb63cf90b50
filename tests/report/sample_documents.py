"""An invented document with every part, for tests of the page and the screens."""

from typing import Any

LEVELS = (0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975)
COVERAGES = {"50": 0.512, "80": 0.794, "90": 0.906, "95": 0.947, "99": 0.988}


def document() -> dict[str, Any]:
    """What `headway optimize` hands to the report; every number is made up."""
    return {
        "records": _records(),
        "history": {
            "files": ["cluster-2025.swf.gz"],
            "formats": ["swf"],
            "clusters": ["cluster-2025"],
            "tasks": 48211,
            "users": 131,
            "first_s": 1735689600.0,
            "last_s": 1756425600.0,
            "months": 8.0,
        },
        "requests": _requests(),
        "prediction": {"runtime": _runtime(), "memory": _memory()},
        "schedules": _schedules(),
        "gain": {
            "share_of_possible": 0.62,
            "incumbent": 81.3,
            "chosen": 34.4,
            "clairvoyant": 5.7,
            "reduction": 0.577,
            "reduction_low_90": 0.41,
            "reduction_high_90": 0.69,
            "tasks": 33700,
            "judged_on": "the last 70% of the time; chosen on the first 30%",
            "policy": "headway",
            "runtimes": "predicted",
            "detail": "width exponent 1, backfill by the 75% quantile",
        },
        "learned": {
            "policy": "learned:default",
            "rule": "headway, predicted runtimes",
            "tasks": 33700,
            "candidate": 30.1,
            "incumbent": 34.4,
            "difference": -4.3,
            "difference_low_95": -7.9,
            "difference_high_95": -1.2,
            "weeks": 24,
            "worst_week": 9.4,
            "weeks_no_worse": 0.71,
            "starved_s": 90431.0,
            "is_proved": True,
        },
        "machine": {
            "total_cpus": 240,
            "tasks_simulated": 48050,
            "without_runtime": 120,
            "without_cpus": 30,
            "too_wide": 11,
        },
        "prices": {"core_hour": 0.04, "gb_hour": 0.005, "currency": "EUR"},
        "recommendations": _recommendations(),
        "could_not_judge": ["only cluster-2025 was simulated of 2 clusters"],
        "models": {"runtime": "v000001", "memory": "v000001", "history": "v000001"},
        "home": ".headway",
        "report": "report/index.html",
        "seconds": 93.4,
    }


def _records() -> dict[str, Any]:
    return {
        "read": 48412,
        "stored": 48211,
        "duplicate": 180,
        "quarantined": 21,
        "reasons": {"negative runtime": 14, "ends before it starts": 7},
        "examples": {
            "negative runtime": ["cluster-2025.swf.gz, line 712: 703 81 -1 -44 16 -1"],
            "ends before it starts": ["cluster-2025.swf.gz, line 9: <script>alert(1)</script>"],
        },
        "warnings": ["cluster-2025.swf.gz: the file says 128 processors, tasks took 240"],
        "distribution": [
            {
                "column": "limit_s",
                "psi": 0.41,
                "missing_before": 0.0,
                "missing_now": 0.02,
                "flagged": True,
            }
        ],
    }


def _requests() -> dict[str, Any]:
    return {
        "time": {
            "known_tasks": 48000,
            "requested_core_h": 3.1e6,
            "used_core_h": 1.2e6,
            "median_used_share": 0.21,
            "share_under_a_tenth": 0.34,
            "share_over": 0.02,
            "over_requested_core_h": 1.9e6,
        },
        "cores": {
            "known_tasks": 47000,
            "held_core_h": 1.2e6,
            "used_core_h": 0.93e6,
            "median_used_share": 0.88,
            "wasted_core_h": 0.27e6,
            "cost": 10800.0,
        },
        "memory": {
            "known_tasks": 46000,
            "requested_gb_h": 5.5e6,
            "used_gb_h": 1.4e6,
            "wasted_gb_h": 4.1e6,
            "median_used_share": 0.18,
            "share_over": 0.004,
            "cost": 20500.0,
        },
    }


def _runtime() -> dict[str, Any]:
    months = [
        {
            "month": m,
            "tasks": 6000 + 17 * m,
            "coverage_95": 0.952 - 0.004 * (m % 3),
            "mae_s": 5100.0 - 240.0 * m,
            "request_mae_s": 14200.0 + 300.0 * (m % 4),
            "last_two_mae_s": 6200.0 + 120.0 * (m % 5),
        }
        for m in range(1, 9)
    ]
    return {
        "tasks": 47100,
        "refused_share": 0.013,
        **{f"coverage_{name}": value for name, value in COVERAGES.items()},
        "mae_s": 4100.0,
        "median_error_s": 610.0,
        "min_max_accuracy": 0.58,
        "methods": [
            {
                "method": "headway",
                "mae_s": 4100.0,
                "median_error_s": 610.0,
                "min_max_accuracy": 0.58,
            },
            {
                "method": "request",
                "mae_s": 14600.0,
                "median_error_s": 5200.0,
                "min_max_accuracy": 0.3,
            },
            {
                "method": "last two",
                "mae_s": 6400.0,
                "median_error_s": 700.0,
                "min_max_accuracy": 0.52,
            },
        ],
        "months": months,
        "calibration": _calibration(),
    }


def _memory() -> dict[str, Any]:
    months = [
        {
            "month": m,
            "tasks": 5800,
            "first_attempt_coverage": 0.95 + 0.003 * (m % 3),
            "wastage_gbh": 130000.0 - 9000.0 * m,
            "request_wastage_gbh": 500000.0 + 20000.0 * (m % 3),
        }
        for m in range(1, 9)
    ]
    return {
        "tasks": 46000,
        "refused_share": 0.0,
        **{f"coverage_{name}": value for name, value in COVERAGES.items()},
        "coverage_asked": 0.95,
        "first_attempt_coverage": 0.953,
        "wastage_gbh": 716000.0,
        "saved_gbh_against_request": 3.38e6,
        "saved_cost": 16900.0,
        "methods": [
            {"method": "headway", "first_attempt_coverage": 0.953, "wastage_gbh": 716000.0},
            {"method": "request", "first_attempt_coverage": 0.996, "wastage_gbh": 4.1e6},
            {"method": "running max", "first_attempt_coverage": 0.981, "wastage_gbh": 1.3e6},
        ],
        "months": months,
        "calibration": _calibration(),
    }


def _calibration() -> list[dict[str, float]]:
    return [{"promised": p, "came": min(1.0, p + 0.01)} for p in LEVELS]


def _schedules() -> list[dict[str, Any]]:
    slowdowns = {
        ("fcfs", "requested"): 81.3,
        ("sjf", "requested"): 66.1,
        ("saf", "requested"): 48.2,
        ("areaxt", "requested"): 52.0,
        ("f1", "requested"): 59.3,
        ("wfp3", "requested"): 104.0,
        ("fcfs", "predicted"): 70.0,
        ("sjf", "predicted"): 39.9,
        ("saf", "predicted"): 38.7,
        ("areaxt", "predicted"): 36.5,
        ("headway", "predicted"): 34.4,
        ("areaxt", "true"): 5.7,
    }
    return [
        {
            "policy": policy,
            "runtimes": runtimes,
            "mean_bounded_slowdown": 1.1 * slowdown,
            "p95_bounded_slowdown_60s": 0.6 * slowdown,
            "mean_wait_s": 130.0 * slowdown,
            "mean_turnaround_s": 130.0 * slowdown + 9000.0,
            "utilisation": 0.62,
            "makespan_s": 20736000.0,
            "core_hours": 1.2e6,
            "judged_mean_bounded_slowdown": slowdown,
            "judged_mean_wait_s": 125.0 * slowdown,
            "detail": "",
        }
        for (policy, runtimes), slowdown in slowdowns.items()
    ]


def _recommendations() -> list[dict[str, Any]]:
    return [
        {
            "what": "Order the queue by headway with predicted runtimes.",
            "why": "Mean bounded slowdown falls from 81.3 to 34.4.",
            "worth": 0.577,
            "unit": "share of slowdown",
            "low": 0.41,
            "high": 0.69,
        },
        {
            "what": "Reserve memory by prediction instead of by request.",
            "why": "3,380,000 GB-hours less are reserved in vain.",
            "worth": 16900.0,
            "unit": "EUR",
            "low": 15000.0,
            "high": 18800.0,
        },
    ]


def demo_document() -> dict[str, Any]:
    """What `headway demo` hands to its report; every number is made up."""
    attempts = [
        {
            "kind": ("sort", "digest", "<b>parse</b>")[i % 3],
            "id": f"t{i}",
            "attempt": 1,
            "input_bytes": 10_000_000,
            "runtime_s": 1.5,
            "peak_bytes": 120_000_000,
            "allocated_bytes": 1_000_000_000 if way == "user" else 150_000_000,
            "submitted_s": 0.0,
            "started_s": start,
            "ended_s": start + 1.5,
            "state": "completed" if i != 5 else "out_of_memory",
            "made_by": "given",
            "way": way,
            "half": half,
        }
        for way, together in (("learn", 1), ("user", 1), ("headway", 2))
        for half in (0, 1)
        for i in range(12)
        if (start := 1.5 * (i // together)) >= 0.0
    ]
    before = {
        "makespan_s": 36.0,
        "mean_completion_s": 9.7,
        "reserved_gb_s": 36.0,
        "used_gb_s": 4.3,
        "tasks": 24,
        "not_fitting": 0,
        "retries": 0,
        "failed": 0,
        "busy_s": 36.0,
    }
    after = before | {
        "makespan_s": 18.0,
        "mean_completion_s": 5.2,
        "reserved_gb_s": 5.4,
        "not_fitting": 2,
        "retries": 2,
    }
    kinds = [
        {"kind": kind, "guess_bytes": 1_000_000_000, "before": before, "after": after}
        for kind in ("sort", "digest", "<b>parse</b>")
    ]
    return {
        "before": before,
        "after": after,
        "learned_from": before,
        "kinds": kinds,
        "workers": 2,
        "budget_gb": 1.5,
        "size_scale": 1.0,
        "seconds": 88.0,
        "words": ["The whole batch took 36.0 s before, 18.0 s after: 50% less."],
        "attempts": attempts,
        "report": "report/index.html",
    }
