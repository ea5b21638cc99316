"""The mark of tests that run on every database."""

import pytest

BOTH = pytest.mark.parametrize("engine", ["sqlite", "postgresql"], indirect=True)
