"""Which code a model was trained by."""

from __future__ import annotations

import subprocess
from functools import lru_cache
from pathlib import Path

import headway


@lru_cache(maxsize=1)
def revision() -> str:
    """The git revision of this code ('-dirty' where it was changed since), else its release.

    Of a checkout alone: a package that lies in some other project's repository is not of it.
    """
    package = Path(headway.__file__).resolve().parent
    root = package.parent.parent
    if package.parent.name == "src" and (root / ".git").exists():
        try:
            said = subprocess.run(
                ["git", "-C", str(root), "describe", "--always", "--dirty", "--exclude=*"],
                capture_output=True, text=True, timeout=10.0, check=True,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError):
            pass  # no git, or not its repository to read: the release says it
        else:
            return said.stdout.strip()
    return headway.__version__
