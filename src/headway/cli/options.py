"""What the commands share: their options, and what is read from them."""

from __future__ import annotations

import getpass
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from headway.errors import ConfigError

Histories = Annotated[list[Path], typer.Argument(metavar="HISTORY...", help="History files.")]
Format = Annotated[
    str,
    typer.Option(help="swf, sacct, pbs, nextflow, wfformat or table; default: seen from content."),
]
Columns = Annotated[
    str, typer.Option("--map", metavar="COLUMN=FIELD,..", help="What a table's columns mean.")
]
Procs = Annotated[int, typer.Option(help="Processors of the cluster; default: what the file says.")]
Cluster = Annotated[
    str, typer.Option(help="Name of the cluster all files belong to; default: each file's name.")
]
Home = Annotated[Path, typer.Option(help="Folder of the log and the models.")]
By = Annotated[str, typer.Option(help="Who decides; default: who is logged in.")]
Mlflow = Annotated[
    str, typer.Option(help="Mirror models there; default: in the home; none: nowhere.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of everything random.")]
HOME = Path(".headway")
MOST_PROCS = 1_000_000_000


def open_histories(paths: list[Path], format: str, map: str, procs: int, cluster: str) -> list[Any]:
    """The history files of a command, opened."""
    from headway.history import open_traces

    if not 0 <= procs <= MOST_PROCS:
        raise ConfigError(
            f"procs must be in 1..{MOST_PROCS:,}, or 0 for what the file says, got {procs}"
        )
    return open_traces(
        paths, format=format, column_map=columns(map), total_cpus=procs or None, cluster=cluster
    )


def columns(text: str) -> dict[str, str]:
    """'COLUMN=FIELD,..' as a dictionary; ConfigError if it is not of that form."""
    pairs = [pair.split("=") for pair in text.split(",") if pair]
    if any(len(pair) != 2 or not all(pair) for pair in pairs):
        raise ConfigError(f"map must be COLUMN=FIELD,COLUMN=FIELD.., got {text!r}")
    columns = {column.strip(): field.strip() for column, field in pairs}
    if len(columns) < len(pairs):
        raise ConfigError(f"map names a column twice; a column means one field, got {text!r}")
    return columns


def numbers_of(option: str, text: str) -> dict[str, float]:
    """'NAME=NUMBER,..' of an option as a dictionary; ConfigError if it is not of that form."""
    pairs = [pair.split("=") for pair in text.split(",") if pair]
    try:
        found = {name.strip(): float(number) for name, number in pairs}
    except ValueError:
        raise ConfigError(f"{option} must be NAME=NUMBER,.., got {text!r}") from None
    if len(found) < len(pairs):
        raise ConfigError(f"{option} names something twice, got {text!r}")
    return found


def periods_of(option: str, text: str) -> list[int]:
    """'24,168' of an option as numbers of at least 2; ConfigError if it is not of that form."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if any(not part.isdecimal() or int(part) < 2 for part in parts):
        raise ConfigError(f"{option} must be whole numbers of at least 2 and commas, got {text!r}")
    return [int(part) for part in parts]


def names(text: str) -> list[str]:
    """'a,b' as a list; ConfigError if it is empty."""
    found = [name.strip() for name in text.split(",") if name.strip()]
    if not found:
        raise ConfigError("a list of names is empty; give names joined by commas")
    return found


def who() -> str:
    """Who is logged in, '' where the system does not say."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def mirror_models(home: Path, mlflow: str) -> None:
    """Tell MLflow of the models of a home, if it is installed or asked for."""
    from headway.serve.mirror import mirror_if_possible

    mirror_if_possible(home, mlflow)


def store_of(home: Path) -> Any:
    """The log in a home folder."""
    from headway.store import DeltaStore

    return DeltaStore(str(home / "log"))


def make_writable(folder: Path, what: str = "report") -> None:
    """Make a folder to write to before the work begins; ConfigError if that cannot be done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(f"{what} cannot be written to {folder}: {error.strerror}") from error


def make_file_writable(path: Path) -> None:
    """Make the folder of a file that training will write; ConfigError if it cannot be written."""
    if path.is_dir():
        raise ConfigError(f"out must be a file, {path} is a folder")
    make_writable(path.parent, "out")


def models_of(home: Path) -> Any:
    """The models in a home folder."""
    from headway.store import ModelStore

    return ModelStore(home)


def prices_of(
    home: Path, core_hour: float | None, gb_hour: float | None, currency: str
) -> tuple[Any, float]:
    """Prices and the coverage asked for: the command line over config.toml over defaults."""
    from dataclasses import replace

    from headway.config import load_config
    from headway.optimize import Prices

    config = load_config(home)
    if core_hour is not None:
        config = replace(config, price_core_hour=core_hour)
    if gb_hour is not None:
        config = replace(config, price_gb_hour=gb_hour)
    prices = Prices(
        core_hour=config.price_core_hour,
        gb_hour=config.price_gb_hour,
        currency=currency or config.currency,
    )
    return prices, config.coverage
