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


def test_help_takes_little_more_cpu_than_that_of_an_empty_program():
    empty = "import typer; app = typer.Typer(); app.command()(lambda: None); app(['--help'])"

    def cpu_s(*arguments) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    cpu_s("-m", "headway.cli", "--help")  # the first run compiles
    pairs = [(cpu_s("-m", "headway.cli", "--help"), cpu_s("-c", empty)) for _ in range(5)]
    ours, plain = (min(times) for times in zip(*pairs, strict=True))
    assert ours < max(0.3, 1.6 * plain)


def test_every_name_of_the_door_can_be_had():
    import headway

    for name in headway.__all__:
        assert getattr(headway, name) is not None
