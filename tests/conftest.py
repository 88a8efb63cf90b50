"""Fixtures that all tests share: the folder of real traces."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("headway", deadline=None)  # the first call of a kernel compiles it
settings.load_profile("headway")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real traces; without it a test skips, in CI it fails."""
    folder = Path(os.environ.get("HEADWAY_DATA", "../shared/data"))
    if not folder.is_dir():
        if os.environ.get("HEADWAY_REQUIRE_DATA"):
            pytest.fail(f"HEADWAY_DATA={folder} is not a folder")
        pytest.skip(f"no traces: set HEADWAY_DATA (looked in {folder})")
    return folder
