"""Agents for the services' world, and their records; every person and code is invented."""

from dataclasses import replace
from datetime import date
from typing import Any

from gateway.domain.collection import (
    Agent,
    CollectedRecord,
    Collection,
    CollectionMethod,
    LineResult,
    SubmittedLine,
)
from gateway.domain.order import PremiumSubject
from gateway.services.collect import Collector
from gateway.services.work import Worker
from gateway.store.families.collections import collection, collections_of_proof
from tests.support.world import AMOUNT_FEN, REGION, SETTINGS, World, subject

VILLAGE = Agent(
    name="first_village",
    code="0551-01",
    title="测试村代办点",
    kind="village",
    regions=frozenset({REGION}),
    apps=frozenset({"village"}),
    days_late_max=15,
)
TAX = Agent(
    name="tax_side", code="TAX", title="测试税务", kind="tax", regions=None, apps=frozenset({"village", "wallet"})
)
BATCH = "bat_" + "b" * 32
TODAY = date(2026, 3, 1)


def record(proof_no: str = "T-0001", **changes: Any) -> CollectedRecord:
    """A premium that the village's agent took in cash today."""
    members: dict[str, Any] = {
        "agent_code": VILLAGE.code,
        "proof_no": proof_no,
        "collected_on": TODAY,
        "method": CollectionMethod.CASH,
        "amount_fen": AMOUNT_FEN,
        "subject": subject(),
    }
    return CollectedRecord(**members | changes)


def person(number: int) -> PremiumSubject:
    """The premium of another invented person."""
    return subject(f"3401001900010{number:05d}")


def with_agents(world: World) -> World:
    """The same world, which knows the agents."""
    settings = replace(SETTINGS, agents={agent.name: agent for agent in (VILLAGE, TAX)})
    world.deps = replace(world.deps, settings=settings)
    world.worker = Worker(world.deps)
    return world


def take(
    world: World, given: CollectedRecord, *, app: str = "village", line_no: int = 1, batch_id: str = BATCH
) -> LineResult:
    collector = Collector(world.deps, app, batch_id=batch_id, actor=f"app:{app}")
    return collector.take(SubmittedLine(line_no=line_no, record=given))


def stored(world: World, result: LineResult) -> Collection:
    """The row of what a line became."""
    assert result.collection_id is not None
    found = collection(world.store.read(), result.collection_id)
    assert found is not None
    return found


def versions(world: World, given: CollectedRecord) -> list[Collection]:
    return collections_of_proof(world.store.read(), given.agent_code, given.proof_no)
