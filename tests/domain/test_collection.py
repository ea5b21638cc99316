"""Who collects outside the gateway, and how far a record is believed."""

import re

import pytest

from gateway.domain.collection import AGENT_KINDS, COLLECTOR_PROVIDERS, Agent, LineOutcome, LineResult


def agent(kind: str) -> Agent:
    return Agent(name="first", code="V-01", title="", kind=kind, regions=None, apps=frozenset())


@pytest.mark.parametrize("kind", ["village", "street", "school", "veterans", "door_to_door"])
def test_agents_payments_have_the_provider_agent(kind: str) -> None:
    """Whoever collected, no provider of ours moved the money."""
    assert ("agent", True) == (agent(kind).provider, agent(kind).provider in COLLECTOR_PROVIDERS)


def test_payments_of_the_tax_side_have_a_provider_of_their_own() -> None:
    """The ledger keeps both apart, and can send neither back."""
    assert "tax" == agent("tax").provider
    assert {"agent", "tax"} == COLLECTOR_PROVIDERS


def test_kinds_are_those_of_the_notices_with_their_chinese_titles() -> None:
    """In the language of the people who read them."""
    assert ["village", "street", "school", "veterans", "door_to_door", "tax"] == list(AGENT_KINDS)
    assert all(re.fullmatch(r"[\u4e00-\u9fff（）、]+", title) for title in AGENT_KINDS.values())


def test_agent_that_names_no_limits_has_those_of_any_personal_premium() -> None:
    """10,000 yuan, and twice the usual half month."""
    assert (1_000_000, 31) == (agent("school").amount_fen_max, agent("school").days_late_max)


def test_line_without_a_reason_has_a_blank_one() -> None:
    """Nothing is made up for the answer."""
    line = LineResult(line_no=1, outcome=LineOutcome.ACCEPTED)

    assert ("", {}) == (line.reason, line.errors)
