from pathlib import Path

import pytest


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new database for each test."""
    path = tmp_path / "shop.db"
    monkeypatch.setenv("SHOP_DATABASE", str(path))
    return path
