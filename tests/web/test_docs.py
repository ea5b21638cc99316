"""The page that shows the interface to people."""

import re

from gateway.web.problems import PROBLEMS
from tests.web.front import Front


def test_docs_page_shows_every_call_and_every_problem(front: Front) -> None:
    """Without a script, so that it can be read anywhere."""
    response = front.client.get("/docs")
    page = response.text

    assert (response.status_code, response.content_type) == (200, "text/html; charset=utf-8")
    assert all(
        f'id="{name}"' in page for name in ("open_order", "start_payment", "read_refund", "OrderIn", "ProblemOut")
    )
    assert all(f'<tr id="{code}">' in page for code in PROBLEMS)
    assert "<script" not in page


def test_docs_page_links_lead_somewhere(front: Front) -> None:
    """Every link within the page has its target in the page, and nothing is fetched from elsewhere."""
    page = front.client.get("/docs").text
    targets = set(re.findall(r'id="([^"]+)"', page))
    links = re.findall(r'(?:href|src)="([^"]+)"', page)

    assert {link for link in links if link.startswith("#") and link[1:] not in targets} == set()
    assert {link for link in links if not link.startswith("#")} == {"openapi.json"}
