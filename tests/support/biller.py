"""A gateway with two banks that collect, without an edge: what a bank says is put to the core as values."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time
from typing import Any

from adapters.bank.collector import Collector
from gateway.domain.biller import (
    BillerAsk,
    BillerOutcome,
    BillQuestion,
    DayFile,
    DayLine,
    DayResult,
    FileReceipt,
    Institution,
    PaymentNotice,
    PaymentQuestion,
    PaymentStanding,
    ResultQuestion,
    ReversalNotice,
    bill_no_of,
)
from gateway.domain.biller_front import Admitted, BillerAnswer, BillerRequest, DayFileRefused
from gateway.domain.biller_rows import BillerEntry, EntryKind
from gateway.domain.clock import CHINA
from gateway.domain.order import Order
from gateway.services.biller import serve_biller
from gateway.services.work import Worker
from gateway.store import Store
from gateway.store.families import biller as rows
from tests.support.world import AMOUNT_FEN, REGION, SETTINGS, World, account, subject

BILLER = "YB340000"
COUNTY = "YB340100"
RURAL = "rural"
POSTAL = "postal"
DAY = date(2026, 3, 1)
"""The accounting day of `tests.support.clock.START` in Beijing."""


class FakeBank(Collector):
    """A front whose day files are JSON; nothing else of it is asked in these tests."""

    def __init__(self, name: str, institution: Institution) -> None:
        self.name = name
        self.institution = institution

    def speaks(self, path: str) -> bool:
        return False

    def is_addressed(self, request: BillerRequest) -> bool:
        return False

    def body_bytes_max(self, path: str) -> int:
        return 0

    def admit(self, request: BillerRequest) -> Admitted:
        raise NotImplementedError

    def read(self, admitted: Admitted) -> BillerAsk:
        raise NotImplementedError

    def day_lines(self, content: bytes) -> Iterator[DayLine]:
        try:
            lines = json.loads(content)
        except ValueError:
            raise DayFileRefused("not what it was") from None
        for seq, bill_no, amount_fen, original_seq in lines:
            yield DayLine(
                bank_date=DAY,
                bank_seq=seq,
                occurred_at=datetime.combine(DAY, time(9, 0), CHINA),
                bill_no=bill_no,
                amount_fen=amount_fen,
                channel="app",
                original_seq=original_seq,
                raw=f"{seq}|{bill_no}|{amount_fen}|{original_seq}".encode(),
            )

    def answer(self, admitted: Admitted, outcome: BillerOutcome, *, answer_no: str) -> BillerAnswer:
        raise NotImplementedError

    def turn_away(self, request: BillerRequest, reason: Any, *, answer_no: str) -> BillerAnswer:
        raise NotImplementedError


def institution(name: str, **changes: Any) -> Institution:
    members: dict[str, Any] = {
        "id": name,
        "billers": {BILLER: frozenset({REGION, "340200"}), COUNTY: frozenset({"340300"})},
        "apps": None,
        "questions_per_minute": 600,
    }
    return Institution(**members | changes)


class BillerWorld(World):
    """
    Attributes:
        bank: The front of account `rural`; `postal` is another bank's.
    """

    def __init__(self, store: Store, *, seed: int = 1, sister: "BillerWorld | None" = None) -> None:
        super().__init__(store, seed=seed, sister=sister)
        self.bank = sister.bank if sister else FakeBank("bank_one", institution("RCB"))
        self.postal = sister.postal if sister else FakeBank("bank_one", institution("PSB"))
        accounts = {name: account(name, "bank_one") for name in (RURAL, POSTAL)}
        self.deps = replace(
            self.deps,
            settings=replace(SETTINGS, accounts={**SETTINGS.accounts, **accounts}),
            providers={**self.deps.providers, RURAL: self.bank, POSTAL: self.postal},
        )
        self.worker = Worker(self.deps)

    # --- what a bank says ---

    def ask(self, ask: BillerAsk, *, account: str = RURAL) -> BillerOutcome:
        request = BillerRequest(
            path="/bank", headers={"x-proof": "genuine"}, body=repr(ask).encode(), received_at=self.clock.now()
        )
        return serve_biller(self.deps, account, Admitted(request=request, nonce=None, message=None), ask)

    def bills(self, number: str = "34010019000101001X", **changes: Any) -> Any:
        members: dict[str, Any] = {
            "biller_id": BILLER,
            "id_type": "resident_id",
            "id_number": number,
            "insured_year": 2026,
        }
        account = changes.pop("account", RURAL)
        return self.ask(BillQuestion(**members | changes), account=account)

    def notice(self, order: Order, seq: str = "S1", **changes: Any) -> PaymentNotice:
        members: dict[str, Any] = {
            "biller_id": BILLER,
            "bank_date": DAY,
            "bank_seq": seq,
            "occurred_at": self.clock.now(),
            "bill_no": bill_no_of(order.id),
            "amount_fen": order.amount_fen,
            "channel": "app",
        }
        return PaymentNotice(**members | changes)

    def bank_pays(self, order: Order, seq: str = "S1", *, account: str = RURAL, **changes: Any) -> Any:
        return self.ask(self.notice(order, seq, **changes), account=account)

    def bank_reverses(self, seq: str = "R1", original: str = "S1", *, account: str = RURAL, **changes: Any) -> Any:
        members: dict[str, Any] = {
            "biller_id": BILLER,
            "bank_date": DAY,
            "bank_seq": seq,
            "original_date": DAY,
            "original_seq": original,
            "amount_fen": AMOUNT_FEN,
        }
        return self.ask(ReversalNotice(**members | changes), account=account)

    def standing(self, seq: str = "S1", **changes: Any) -> PaymentStanding:
        question = PaymentQuestion(**{"biller_id": BILLER, "bank_date": DAY, "bank_seq": seq} | changes)
        found = self.ask(question)
        assert isinstance(found, PaymentStanding)
        return found

    def uploads(self, *lines: tuple[str, str, int, str | None], number: int = 1, **changes: Any) -> Any:
        """A day file of (serial, bill, amount, serial of the original or None), and its comparison."""
        members: dict[str, Any] = {
            "biller_id": BILLER,
            "bank_date": DAY,
            "file_name": f"RCB_{BILLER}_20260301_{number:02}.txt",
            "content": json.dumps(lines).encode(),
            "lines": len(lines),
        }
        return self.ask(DayFile(**members | changes))

    def compared(self, *lines: tuple[str, str, int, str | None], number: int = 1) -> DayResult:
        receipt = self.uploads(*lines, number=number)
        assert isinstance(receipt, FileReceipt)
        self.work()
        return self.result()

    def result(self) -> DayResult:
        found = self.ask(ResultQuestion(biller_id=BILLER, bank_date=DAY))
        assert isinstance(found, DayResult)
        return found

    # --- rows ---

    def bill(self, client_order_no: str = "C-1", number: str = "34010019000101001X", **more: Any) -> Order:
        """A premium that can be paid at the bank."""
        region, year = more.pop("region", REGION), more.pop("year", 2026)
        return self.open(client_order_no, subject=subject(number, region=region, year=year), **more)

    def entry(self, seq: str, kind: EntryKind = EntryKind.PAYMENT, *, account: str = RURAL) -> BillerEntry | None:
        return rows.entry(self.store.read(), account, "20260301", seq, kind)
