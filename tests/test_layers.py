"""The architecture: who may import whom. When the code disagrees, this fails."""

import ast
from pathlib import Path

import headway

ROOT = Path(headway.__file__).parent
LAYERS = [
    ["records", "errors"],
    ["archive", "protocols", "stats", "tables"],
    ["observe", "store", "features", "predict", "forecast", "anomaly", "schedule", "guard"],
    ["history", "simulate", "learn", "rollout", "respond"],
    ["train", "verify", "plan", "alerts"],
    [
        "engine",
        "cycle",
        "executor",
        "optimize",
        "months",
        "tuning",
        "training",
        "forecasting",
        "sizing",
        "detecting",
    ],
    ["configuration", "tradeoffs", "clusters", "capacity", "responding", "watching"],
    ["config", "demo", "report", "serve", "dashboard"],
    ["cli"],
]
LAYER = {part: level for level, parts in enumerate(LAYERS) for part in parts}


def imported_parts(tree: ast.AST) -> set[str]:
    """Every first-level part of headway that a file imports, at its top or inside a function."""
    parts = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the layer"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        parts |= {n.split(".")[1] for n in names if n.startswith("headway.")}
    return parts - {"__version__"}


def files() -> list[tuple[str, Path]]:
    """(part, file) of every source file below headway."""
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        part = path.relative_to(ROOT).parts[0].removesuffix(".py")
        if part not in ("__init__", "__main__"):
            found.append((part, path))
    return found


def test_every_part_has_a_layer():
    assert {part for part, _ in files()} <= set(LAYER)


def test_imports_point_down_only():
    wrong = []
    for part, path in files():
        for other in imported_parts(ast.parse(path.read_text())):
            if other != part and LAYER[other] >= LAYER[part]:
                wrong.append(f"{path.relative_to(ROOT)} imports {other}")
    assert wrong == []


def test_heavy_libraries_are_imported_inside_functions():
    heavy = {"torch", "sklearn", "lightgbm", "xgboost", "mlflow", "ray", "river", "optuna"}
    heavy |= {"pandas", "statsforecast", "prophet"}
    wrong = []
    for _, path in files():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                names = [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            wrong += [f"{path.name}: {name}" for name in names if name.split(".")[0] in heavy]
    assert wrong == []
