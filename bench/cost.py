"""P4, P7, P15: processor time of one callback and one create, in process, through the whole WSGI callable."""

import gc
import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench.board import Row, at_most, median, median_ratio, microseconds
from bench.effort import Effort
from bench.floors import body_only_app, create_crypto, decrypt, open_sqlite, verify
from bench.ground import APIV3_KEY, Ground
from bench.inprocess import Gateway, call_environ, gateway_on
from bench.provider_stub import stub_provider
from bench.recording import Unit, recorded_units
from bench.seed import AMOUNT_FEN, store_rows, waiting_orders
from bench.wechat import Message, paid_callback, spoilt

PAYMENT: Final = json.dumps(
    {"provider": "wechatpay", "method": "mini_program", "fields": {"openid": "oBench-not-a-person-0000000a"}}
).encode()

Act = Callable[[Any], object]


def _each(act: Act, items: Sequence[Any]) -> float:
    """Processor seconds of one item, all threads of this process."""
    gc.collect()
    began = time.process_time()
    for item in items:
        act(item)
    return (time.process_time() - began) / len(items)


def measure(ground: Ground, effort: Effort, wanted: frozenset[str]) -> Iterator[Row]:
    """P4 and P15 share their deliveries."""
    if wanted & {"P4", "P15"}:
        yield from (row for row in _callbacks(ground, effort) if row.id in wanted)
    if "P7" in wanted:
        yield _create(ground, effort)


def _callbacks(ground: Ground, effort: Effort) -> Iterator[Row]:
    figures: list[tuple[float, float, float, float]] = []
    with gateway_on(ground, "sqlite", "cost") as gateway:
        parts = _Parts(ground, gateway)
        for turn in range(effort.pairs + 1):
            messages = _messages(ground, gateway, effort.calls)
            bad = [spoilt(message) for message in messages]
            found = (
                parts.total(messages),
                _each(gateway.deliver, messages),
                _each(gateway.deliver, messages),
                _each(lambda message: gateway.deliver(message, expect="401"), bad),
            )
            if turn:
                figures.append(found)
    sums, firsts, duplicates, refusals = zip(*figures, strict=True)
    yield _row("P4", "CPU of a first callback, against F2 (its parts apart)", 2.0, firsts, sums)
    yield _row("P15", "CPU of a duplicate, against a first callback", 0.55, duplicates, firsts)
    yield _row("P15", "CPU of a bad signature, against a first callback", 0.33, refusals, firsts)


def _messages(ground: Ground, gateway: Gateway, count: int) -> list[Message]:
    waiting = waiting_orders(count)
    store_rows(gateway.database_url, waiting)
    return [paid_callback(ground.keys.platform, one.out_trade_no, AMOUNT_FEN) for one in waiting]


def _row(id_: str, what: str, limit: float, ours: Sequence[float], floor: Sequence[float]) -> Row:
    return Row(
        id=id_,
        what=what,
        goal=at_most(limit),
        ratio=median_ratio(ours, floor),
        ours=microseconds(median(ours)),
        floor=microseconds(median(floor)),
    )


class _Parts:
    """F2: Flask's route and body, the signature, AES, JSON, and the statements of the storage transaction, apart."""

    def __init__(self, ground: Ground, gateway: Gateway) -> None:
        self._ground = ground
        self._gateway = gateway
        self._key = ground.keys.platform.public_key()
        self._cipher = AESGCM(APIV3_KEY)
        self._flask = Gateway(wsgi=body_only_app().wsgi_app, world=gateway.world, database_url="")

    def total(self, messages: Sequence[Message]) -> float:
        """Processor seconds of one callback's parts, each run for all messages before the next."""
        parts = (self._flask.deliver, self._verify, self._decrypt, self._json)
        crypto_and_web = sum(_each(part, messages) for part in parts)
        return crypto_and_web + self._storage(len(messages))

    def _verify(self, message: Message) -> None:
        headers = message.headers
        timestamp, nonce = headers["Wechatpay-Timestamp"], headers["Wechatpay-Nonce"]
        verify(self._key, timestamp, nonce, message.body, headers["Wechatpay-Signature"])

    def _decrypt(self, message: Message) -> None:
        decrypt(self._cipher, json.loads(message.body)["resource"])

    @staticmethod
    def _json(message: Message) -> None:
        json.loads(message.body)  # the envelope is also read by _decrypt: two documents, as in a callback

    def _storage(self, count: int) -> float:
        """The gateway's own statements with their own values, on a bare connection: read, begin, write, commit."""
        units = recorded_units(self._gateway, _messages(self._ground, self._gateway, count))
        connection = open_sqlite(self._gateway.database_url.removeprefix("sqlite:///"))

        def transact(unit: Unit) -> None:
            connection.execute(unit.select, unit.values).fetchall()
            connection.execute("BEGIN IMMEDIATE")
            for write, row in unit.batch:
                connection.execute(write.sql, row)
            connection.execute("COMMIT")

        figure = _each(transact, units)
        connection.close()
        return figure


def _create(ground: Ground, effort: Effort) -> Row:
    """P7: an order that is open, a payment started for it; the provider answers at once from another process."""
    creates, floors = [], []
    with (
        stub_provider(ground, delay_seconds=0.0) as port,
        gateway_on(ground, "sqlite", "create", provider_port=port) as gateway,
    ):
        for turn in range(effort.pairs + 1):
            waiting = waiting_orders(effort.calls, with_payment=False)
            store_rows(gateway.database_url, waiting)
            calls = [call_environ(f"/v1/orders/{one.order_id}/payments", PAYMENT, uuid.uuid4().hex) for one in waiting]
            floor = create_crypto(ground.keys.merchant, ground.keys.platform)
            figure = _each(lambda call: gateway.call(call, "201"), calls)
            if turn:
                floors.append(floor)
                creates.append(figure)
    return _row("P7", "CPU of a create through Flask, against F3 (2 signs, 1 verify)", 4.0, creates, floors)
