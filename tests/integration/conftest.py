"""The whole daemon in this process, between the simulated Kingdee and DingTalk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.company import Company


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    built = Company(tmp_path)
    for name, value in built.environ.items():
        monkeypatch.setenv(name, value)
    yield built
    built.close()
