"""What everyone pays for: the door is light and the command answers at once."""

import json
import resource
import subprocess
import sys

HEAVY = ["torch", "sklearn", "lightgbm", "xgboost", "mlflow", "ray", "numba", "polars", "deltalake"]


def modules_after(statement: str) -> set[str]:
    """The names of all modules that a fresh interpreter holds after a statement."""
    code = f"{statement}; import sys, json; print(json.dumps(list(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in json.loads(run.stdout)}


def test_import_headway_loads_nothing_heavy():
    assert modules_after("import headway") & {*HEAVY, "numpy"} == set()


def test_the_command_line_loads_nothing_heavy():
    assert modules_after("import headway.cli") & set(HEAVY) == set()


def test_help_takes_under_300_ms_of_cpu():
    def cpu_s() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "headway.cli", "--help"]
        subprocess.run(command, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    cpu_s()  # the first run compiles
    assert min(cpu_s() for _ in range(5)) < 0.3


def test_every_name_of_the_door_can_be_had():
    import headway

    for name in headway.__all__:
        assert getattr(headway, name) is not None
