"""The page on alarms names every alarm, and no metric that is not there."""

import re
from pathlib import Path

from gateway.services.alarms import Alarm
from gateway.web.metrics import Metrics
from tests.support.world import World

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "alarms.md").read_text()
SOURCE = (ROOT / "gateway" / "web" / "metrics.py").read_text()


def test_every_alarm_stands_in_the_table() -> None:
    """And nothing else does."""
    said = (Alarm.__doc__ or "").partition("name:")[2].partition("subject:")[0]
    rows = re.findall(r"^\| `(\w+)` \| (?!meaning)\w", PAGE, re.MULTILINE)

    assert set(re.findall(r"\w+", said)) == set(rows)


def test_every_metric_of_the_page_is_there(world: World) -> None:
    """As a scrape shows it, or as the source names it."""
    scrape = Metrics(world.deps).text().decode()
    named = set(re.findall(r"jiaofei_\w+", PAGE))

    assert {name for name in named if f"# TYPE {name} " not in scrape and f'"{name}"' not in SOURCE} == set()
