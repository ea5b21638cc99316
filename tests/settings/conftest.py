from pathlib import Path

import pytest

from tests.settings.configuration import Configuration


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    return Configuration(tmp_path)
