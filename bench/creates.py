"""P8: payments started over HTTP by 16 threads while the provider takes 50 ms for each."""

import uuid
from collections.abc import Iterator
from typing import Final

from bench.board import Row, at_least, at_most, median, median_ratio, milliseconds, per_second
from bench.cost import PAYMENT
from bench.effort import Effort
from bench.ground import API_KEY, Ground
from bench.load import run_load
from bench.provider_stub import stub_provider
from bench.seed import Waiting, store_rows, waiting_orders
from bench.serve import Plan, served

THREADS: Final = 16
LATENCY_SECONDS: Final = 0.05


def _request(order: Waiting) -> bytes:
    return (
        f"POST /v1/orders/{order.order_id}/payments HTTP/1.1\r\nHost: pay.bench.test\r\n"
        f"Authorization: Bearer {API_KEY}\r\nIdempotency-Key: {uuid.uuid4().hex}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(PAYMENT)}\r\n\r\n"
    ).encode() + PAYMENT


def measure(ground: Ground, effort: Effort, wanted: frozenset[str]) -> Iterator[Row]:
    """Rate and tail."""
    if "P8" not in wanted:
        return
    ideal = THREADS / LATENCY_SECONDS
    url = ground.gateway_database("sqlite", "creates")
    loads = []
    with stub_provider(ground, delay_seconds=LATENCY_SECONDS) as provider_port:
        plan = Plan(
            app="gateway",
            keys=str(ground.keys.folder),
            database_url=url,
            threads=THREADS,
            provider_port=provider_port,
        )
        with served(ground, plan) as port:
            for turn in range(effort.pairs + 1):
                waiting = waiting_orders(effort.creates if turn else effort.warm_up, with_payment=False)
                store_rows(url, waiting)
                load = run_load(port, [_request(one) for one in waiting], connections=THREADS, expect=201)
                if turn:
                    loads.append(load)
    rates, tails = [load.rate for load in loads], [load.p99 for load in loads]
    yield Row(
        id="P8",
        what="creates, 16 threads, provider 50 ms, against threads/latency",
        goal=at_least(0.9),
        ratio=median_ratio(rates, [ideal] * len(rates)),
        ours=per_second(median(rates)),
        floor=per_second(ideal),
    )
    yield Row(
        id="P8",
        what="their p99, against the provider's latency",
        goal=at_most(1.6),
        ratio=median_ratio(tails, [LATENCY_SECONDS] * len(tails)),
        ours=milliseconds(median(tails)),
        floor=milliseconds(LATENCY_SECONDS),
    )
