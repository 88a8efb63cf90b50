"""What a user may set once for a home folder, in its config.toml; the command line overrides it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from headway.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Settings with their defaults; config.toml in the home folder may hold any of them."""

    price_core_hour: float = 0.04  # currency per core-hour: roughly on-demand cloud, set your own
    price_gb_hour: float = 0.005  # currency per GB-hour of reserved memory
    currency: str = "USD"
    coverage: float = 0.95  # share of first allocations that must suffice, in (0, 1)

    def __post_init__(self) -> None:
        for name in ("price_core_hour", "price_gb_hour"):
            if not 0.0 <= getattr(self, name) < 1e6:
                raise ConfigError(f"{name} must be in [0, 1000000), got {getattr(self, name)}")
        if not 0.5 <= self.coverage < 1.0:
            raise ConfigError(f"coverage must be in [0.5, 1), got {self.coverage}")


def load_config(home: Path) -> Config:
    """The settings of a home folder; defaults where there is no config.toml.

    ConfigError names the setting that is unknown or of the wrong type.
    """
    path = home / "config.toml"
    if not path.exists():
        return Config()
    try:
        settings = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    known = {field.name: field for field in fields(Config)}
    for name, value in settings.items():
        if name not in known:
            raise ConfigError(f"unknown setting {name!r} in {path}; known are {', '.join(known)}")
        is_text = known[name].type == "str"
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if isinstance(value, str) != is_text or is_number == is_text:
            raise ConfigError(f"{name} in {path} must be a {known[name].type}, got {value!r}")
    return Config(**settings)
