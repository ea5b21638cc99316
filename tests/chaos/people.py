"""The load: front ends and payers over plain HTTP, who write down what was acknowledged to them before they go on."""

import itertools
import json
import random
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import requests

from tests.chaos.installation import Installation
from tests.web.front import resident_id

AMOUNT_FEN: Final = 38001
_CALL_SECONDS: Final = 8.0
_PATIENCE: Final = 24
_PAUSE_SECONDS: Final = 0.4
_TRY_AGAIN: Final = frozenset({"provider_unavailable", "idempotency_in_flight", "store_unavailable"})
_NOT_KEPT: Final = frozenset({"invalid_request", "not_found", "idempotency_key_reused", "rate_limited"})
_FIELDS: Final = {"return_url": "https://front.example/paid"}
_WEIGHTS: Final = (14, 10, 10, 6, 10, 16, 8, 14)
_REGION: Final = "340104"
_TWICE: Final = 0.25
_DAY_FILES: Final = itertools.count(1)

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A way to pay; `opens` where the trade comes to be only when the payer's browser opens the cashier."""

    provider: str
    method: str
    fields: Mapping[str, str] = field(default_factory=dict)
    opens: bool = False


CHANNELS: Final = (
    Channel(provider="wechatpay", method="native"),
    Channel(provider="wechatpay", method="jsapi", fields={"openid": "oTest-not-a-person-000000001"}),
    Channel(provider="alipay", method="qr"),
    Channel(provider="alipay", method="wap", opens=True),
    Channel(provider="unionpay", method="app"),
    Channel(provider="unionpay", method="wap", fields=_FIELDS, opens=True),
    Channel(provider="bank_icbc", method="showpay", opens=True),
    Channel(provider="bank_abchina", method="h5"),
    Channel(provider="bank_ccb", method="qr"),
    Channel(provider="bank_ccb", method="h5", opens=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A request under a key, and every answer that settled it: there may be one alone."""

    path: str
    asked: Any
    answers: set[tuple[int, str]] = field(default_factory=set)


class Journal:
    """
    Every answer 2xx that somebody was given, on disk before they go on.

    Attributes:
        entries: Key, path, status and body of each.
        oddities: Answers that no documented interface gives.
        told: By key, the request and the answers, byte for byte, that settled it.
        unfinished: Requests, by their keys, whose outcome their senders did not live to see.
        reversals: The collecting bank's, by the payment's number there, that had no answer yet.
    """

    def __init__(self, path: Path) -> None:
        self.entries: list[Json] = []
        self.oddities: list[str] = []
        self.told: dict[str, Told] = {}
        self.unfinished: dict[str, Json] = {}
        self.reversals: set[str] = set()
        self._file = path.open("a", encoding="utf-8")
        self._mutex = threading.Lock()

    def write(self, entry: Json) -> None:
        with self._mutex:
            self.entries.append(entry)
            self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")
            self._file.flush()

    def tell(self, key: str, path: str, asked: Any, answer: "Answer") -> None:
        """A request's outcome, as somebody was given it."""
        with self._mutex:
            self.told.setdefault(key, Told(path=path, asked=asked)).answers.add((answer.status, answer.content))

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back; status 0 is nothing."""

    status: int
    body: Json
    content: str = ""

    @property
    def outcome_known(self) -> bool:
        """False while the same request under the same key has to be sent again."""
        waits = self.status == 202 and self.body.get("state") in ("created", "unknown")
        return not (self.status == 0 or waits or self.body.get("code") in _TRY_AGAIN)

    @property
    def is_kept(self) -> bool:
        """True for one that is given again, byte for byte, whenever the key is sent again."""
        return self.outcome_known and self.body.get("code") not in _NOT_KEPT


class Front:
    """One front end's calls, with a session of its own."""

    def __init__(self, installation: Installation, journal: Journal, chance: random.Random, name: str) -> None:
        self.installation = installation
        self.chance = chance
        self.stopping = threading.Event()
        self.patience = threading.Event()
        self._journal = journal
        self._name = name
        self._count = 0
        self._http = requests.Session()
        self._http.trust_env = False
        self._headers = {"Authorization": f"Bearer {installation.api_key}"}

    def name(self) -> str:
        """A name that was not used before."""
        self._count += 1
        return f"{self._name}-{self._count}"

    def get(self, path: str) -> Answer:
        return self._send("GET", path, None, {})

    def post(self, path: str, body: Any, key: str) -> Answer:
        """Send once."""
        answer = self._send("POST", path, body, {"Idempotency-Key": key})
        if 200 <= answer.status < 300:
            self._journal.write({"key": key, "path": path, "status": answer.status, "body": answer.body})
        if answer.is_kept:
            self._journal.tell(key, path, body, answer)
        return answer

    def _send(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Answer:
        try:
            answer = self._http.request(
                method,
                self.installation.url + path,
                json=body,
                headers={**self._headers, **headers},
                timeout=_CALL_SECONDS,
            )
            content = answer.json()
        except (requests.RequestException, ValueError):  # refused, reset, cut off
            return Answer(status=0, body={})
        if answer.status_code >= 500 and content.get("code") not in _TRY_AGAIN:
            self._journal.oddities.append(f"{method} {path}: {answer.status_code} {content}")
        return Answer(status=answer.status_code, body=content, content=answer.text)

    def insist(self, path: str, body: Any) -> Answer:
        """The same request under the same key until the outcome is known; some press twice, and both wait for it."""
        key = self.name()
        self._journal.unfinished[key] = {"path": path, "body": body}
        fingers = 2 if self.chance.random() < _TWICE else 1
        with ThreadPoolExecutor(fingers) as pool:
            answers = list(pool.map(lambda _: self._press(path, body, key), range(fingers)))
        known = next((answer for answer in answers if answer.outcome_known), None)
        if known is None:
            return Answer(status=0, body={})
        del self._journal.unfinished[key]
        return known

    def _press(self, path: str, body: Any, key: str) -> Answer:
        for _ in range(_PATIENCE):
            answer = self.post(path, body, key)
            if answer.outcome_known or self.stopping.wait(_PAUSE_SECONDS):
                break
        return answer

    # --- what people do ---

    def open_order(self, *, seconds: int = 0, **more: Any) -> str:
        """Open an order, on demand one that lives only so long; its id, or "" when there was no answer."""
        body: Json = more | {
            "client_order_no": self.name(),
            "amount_fen": AMOUNT_FEN,
            "description": "城乡居民医保缴费（测试）",
        }
        if seconds:
            ends = self.installation.now() + timedelta(seconds=seconds)
            body["expires_at"] = ends.isoformat(timespec="seconds")
        return str(self.insist("/v1/orders", body).body.get("order_id", ""))

    def start(self, order_id: str, channel: Channel) -> Json:
        """Ask for a payment until there is an instruction; {} when there is none."""
        body = {"provider": channel.provider, "method": channel.method, "fields": dict(channel.fields)}
        answer = self.insist(f"/v1/orders/{order_id}/payments", body)
        return answer.body if answer.status == 201 else {}

    def pay(self, payment: Mapping[str, Any], channel: Channel) -> bool:
        """The payer opens the cashier and pays, if they still can."""
        try:
            if channel.opens and payment:
                self._open_cashier(payment["instruction"])
            if payment:
                asked = {"provider": channel.provider, "out_trade_no": payment["out_trade_no"]}
                self.installation.control("POST", "/pay", asked)
        except requests.RequestException:
            return False
        return bool(payment)

    def _open_cashier(self, instruction: Mapping[str, Any]) -> None:
        payload = instruction["payload"]
        method = "POST" if instruction["kind"] == "form" else "GET"
        self._http.request(method, payload["url"], data=payload.get("fields"), timeout=_CALL_SECONDS)

    def paid_order(self) -> str:
        """An order, paid and seen to be paid; "" when it came to nothing."""
        order_id, channel = self.open_order(), self.channel()
        if not order_id or not self.pay(self.start(order_id, channel), channel):
            return ""
        for _ in range(_PATIENCE):
            answer = self.get(f"/v1/orders/{order_id}")
            if answer.status == 200 and answer.body["state"] == "paid":
                self._journal.write({"key": "", "path": "read", "status": 200, "body": answer.body})
                return order_id
            if self.stopping.wait(_PAUSE_SECONDS):
                break
        return ""

    def reverse(self, serial: str) -> None:
        """The bank takes a payment back; what it does not hear the end of is in the journal."""
        self._journal.reversals.add(serial)
        if self.installation.control("POST", "/biller/reversals", {"serial": serial})["state"] == "REVERSED":
            self._journal.reversals.discard(serial)

    def channel(self) -> Channel:
        return self.chance.choice(CHANNELS)


def _pay(front: Front) -> None:
    front.paid_order()


def _refund_whole(front: Front) -> None:
    order_id = front.paid_order()
    if order_id:
        front.insist(f"/v1/orders/{order_id}/refunds", {"client_refund_no": front.name()})


def _refund_in_parts(front: Front) -> None:
    order_id = front.paid_order()
    for amount_fen in (101, 9901):
        if order_id:
            refund = {"client_refund_no": front.name(), "amount_fen": amount_fen}
            front.insist(f"/v1/orders/{order_id}/refunds", refund)


def _pay_two_ways(front: Front) -> None:
    order_id = front.open_order()
    started = [(front.start(order_id, channel), channel) for channel in front.chance.sample(CHANNELS, 2) if order_id]
    for payment, channel in started:
        front.pay(payment, channel)


def _close(front: Front) -> None:
    order_id, channel = front.open_order(), front.channel()
    payment = front.start(order_id, channel) if order_id else {}
    if front.chance.random() < 0.3:
        front.pay(payment, channel)
    if order_id:
        front.insist(f"/v1/orders/{order_id}/close", None)


def _abandon(front: Front) -> None:
    order_id = front.open_order(seconds=130)
    if order_id and front.chance.random() < 0.8:
        front.start(order_id, front.channel())


def _insured(front: Front) -> Json:
    """A premium of somebody who does not exist; the number's check digit is right, as the interface asks."""
    draw = front.chance.randint
    born = f"{draw(1940, 2009)}{draw(1, 12):02}{draw(1, 28):02}"
    return {
        "region": _REGION,
        "insured_year": 2026,
        "insurance_kind": "resident_medical",
        "insured": {
            "name": "测试甲",
            "id_type": "resident_id",
            "id_number": resident_id(f"{_REGION}{born}{draw(0, 999):03}"),
        },
    }


def _collect(front: Front) -> None:
    record = {
        "agent_code": "CHAOS-01",
        "proof_no": front.name(),
        "collected_on": (front.installation.now() + timedelta(hours=8)).date().isoformat(),
        "method": "cash",
        "amount_fen": AMOUNT_FEN,
    }
    front.insist("/v1/collections", {"preview": False, "records": [record | _insured(front)]})


def _pay_in_the_banks_app(front: Front) -> None:
    """The bank finds the bill and tells us that it was paid, again and again until it knows; some it takes back."""
    premium = _insured(front)
    if not front.open_order(subject=premium):
        return
    try:
        asked = {"id_no": premium["insured"]["id_number"], "year": "2026"}
        bills = front.installation.control("POST", "/biller/bills", asked)["bills"]
        bill_no = {"bill_no": bills[0]["bill_no"]}
        paid = front.installation.control("POST", "/biller/payments", bill_no)
        if paid["state"] == "PAID" and front.chance.random() < 0.3:
            front.reverse(paid["out_trade_no"])
        if front.chance.random() < 0.6:
            front.installation.control("POST", "/biller/day-file", {"number": next(_DAY_FILES)})
    except requests.RequestException:  # the bank had no answer, or found no bill
        return


_SCRIPTS: Final[tuple[Callable[[Front], None], ...]] = (
    _pay,
    _refund_whole,
    _refund_in_parts,
    _pay_two_ways,
    _close,
    _abandon,
    _collect,
    _pay_in_the_banks_app,
)


class Crowd:
    """So many front ends at once, each with its own chance from the seed."""

    def __init__(self, installation: Installation, journal: Journal, *, seed: int, people: int) -> None:
        self._journal = journal
        self._fronts = [
            Front(installation, journal, random.Random(f"people/{seed}/{number}"), f"{seed}-{number}")
            for number in range(people)
        ]
        self._threads = [threading.Thread(target=self._live, args=(front,)) for front in self._fronts]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wait(self, *, long: bool) -> None:
        """Nobody begins anything new while the workers have fallen behind."""
        for front in self._fronts:
            (front.patience.set if long else front.patience.clear)()

    def stop(self) -> None:
        """Everybody leaves; what they did not see the end of is in the journal."""
        for front in self._fronts:
            front.stopping.set()
        for thread in self._threads:
            thread.join()

    def _live(self, front: Front) -> None:
        while not front.stopping.wait(front.chance.uniform(0.2, 0.8)):
            if front.patience.is_set():
                continue
            try:
                front.chance.choices(_SCRIPTS, _WEIGHTS)[0](front)
            except Exception as exc:  # the edge of a thread: what a script stumbled over is a finding
                self._journal.oddities.append(f"{type(exc).__name__}: {exc}")
