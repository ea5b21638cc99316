"""
The bank as a client of the gateway. It follows the bank rule: the payer's money goes back on A, V, P2 and P30003 alone;
whatever is not known is asked three times and then left to the day's file; nothing is reversed on a bare time-out.
"""

import base64
import itertools
import threading
from collections.abc import Callable, Mapping
from functools import partial
from hashlib import sha256
from typing import Final
from urllib.parse import urlsplit

import requests

from sandbox.bank_biller import bbp, ebpp
from sandbox.bank_biller.bbp import AnswerUnproven
from sandbox.bank_biller.keys import BankBillerKeys
from sandbox.bank_biller.transfers import Held, Transfer, day_file
from sandbox.clock import rfc3339
from sandbox.frame import Surroundings
from sandbox.simulator import Simulator
from sandbox.wire import Json, PayRefused, SandboxFull

LOOK_SECONDS: Final = (5, 30, 300)
"""When an unknown payment is asked about. Source: docs/providers/bank_bbp.md, the bank rule."""

_ANSWER_SECONDS: Final = 10
_DELIVERIES_MAX: Final = 1000
_DONE: Final = "000000"
_BUSY: Final = frozenset({"S99001", "S99002"})

Exchange = Callable[[str, Mapping[str, str], bytes], tuple[int, Mapping[str, str], bytes]]
"""Post to a URL; returns code, headers and body, raises OSError when there is no answer."""


def exchange_over_http(url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str], bytes]:
    """Post once, without following redirects."""
    answer = requests.post(url, data=body, headers=dict(headers), timeout=_ANSWER_SECONDS, allow_redirects=False)
    return answer.status_code, answer.headers, answer.content


def money_goes_back(code: str, *, tries: int = 1) -> bool:
    """
    The bank rule's first half: a definite failure, nothing was written at the other side. A and V speak of one message
    alone: after an earlier one without a definite answer they say nothing of the payment.
    """
    return (code[:1] in ("A", "V") and tries == 1) or code.startswith("P2") or code == "P30003"


class BankBillerSimulator(Simulator):
    """
    Args:
        ebpp_account: The name of the gateway's account for EBPP, which is part of its address.
        exchange: How it calls the gateway.
    """

    def __init__(
        self,
        keys: BankBillerKeys,
        surroundings: Surroundings,
        *,
        ebpp_account: str = "bank_abchina_ebpp",
        exchange: Exchange = exchange_over_http,
    ) -> None:
        self._keys = keys
        self._surroundings = surroundings
        self._gateway_url = surroundings.gateway_url
        self._ebpp_account = ebpp_account
        self._exchange = exchange
        self._lock = threading.RLock()
        self._serials = itertools.count(1)
        self._transfers: dict[str, Transfer] = {}
        self._bills: dict[str, Json] = {}
        self._sent: list[Json] = []
        self._renewed = False

    # --- what the payer does ------------------------------------------------------------------------------------------

    def find_bills(self, number: str, *, year: str, name: str = "", way: str = "bbp") -> list[Json]:
        """
        The payer looks for bills by identity number.

        Raises:
            PayRefused: There are none, or no proven answer came.
        """
        if way == "ebpp":
            found = self._ask_ebpp(number, name, year)
        else:
            body = {"biller_id": self._keys.identity.biller_id, "id_type": "01", "id_no": number, "year": year}
            answer = self._call("BILLQRY", body | ({"name": name} if name else {}))
            if answer is None or answer["head"]["ret_code"] != _DONE:
                raise PayRefused(answer["head"]["ret_msg"] if answer else "缴费系统暂时没有应答")
            found = answer["body"]["bills"]
        with self._lock:
            self._bills |= {bill["bill_no"]: bill | {"way": way} for bill in found}
        return found

    def pay_bill(self, bill_no: str, *, amount_fen: int | None = None) -> Json:
        """
        The payer pays a bill that was found: the bank takes the money, then tells the gateway.

        Args:
            amount_fen: Another amount than the bill's, as a bank's mistake.

        Raises:
            PayRefused: Never found, or not payable when it was.
        """
        with self._lock:
            bill = self._bills.get(bill_no)
            if bill is None or not bill["can_pay"]:
                raise PayRefused("没有这张账单，或账单不可缴")
            transfer = self._new_transfer(bill["way"], bill_no, bill["amount"] if amount_fen is None else amount_fen)
        self.send(transfer.serial)
        return transfer.shown()

    def pay(self, out_trade_no: str) -> Json:
        """The control interface's word for it: the number is a bill's."""
        return self.pay_bill(out_trade_no)

    # --- what the bank does -------------------------------------------------------------------------------------------

    def send(self, serial: str) -> Json:
        """
        Tell the gateway of a payment, or tell it again: a new nonce, the same serial.

        Raises:
            PayRefused: There is no such payment.
        """
        transfer = self._known(serial)
        with self._lock:
            transfer.tries += 1
        if transfer.way == "ebpp":
            self._send_ebpp(transfer)
        else:
            self._send_bbp(transfer)
        return transfer.shown()

    def reverse(self, serial: str) -> Json:
        """
        Take a payment back (冲正).

        Raises:
            PayRefused: There is no such payment, or it came by EBPP, which has no reversal.
        """
        transfer = self._known(serial)
        if transfer.way != "bbp":
            raise PayRefused("该渠道没有冲正交易")
        with self._lock:
            reversal = transfer.reversal_serial or f"{transfer.serial}R"
            transfer.reversal_serial = reversal
        answer = self._call("PAYREV", self._key(reversal, transfer) | self._original(transfer))
        with self._lock:
            transfer.code = answer["head"]["ret_code"] if answer else ""
            if transfer.code == _DONE:
                transfer.held = Held.REVERSED
        return transfer.shown()

    def reverse_before_paying(self, bill_no: str, amount_fen: int) -> Json:
        """The messages overtake each other: the reversal arrives, and the payment after it."""
        with self._lock:
            transfer = self._new_transfer("bbp", bill_no, amount_fen)
        self.reverse(transfer.serial)
        return self.send(transfer.serial)

    def look(self, serial: str, looks: int = 0) -> Json:
        """Ask what became of a payment; a payment that the gateway does not know is told again."""
        transfer = self._known(serial)
        answer = self._call("PAYQRY", self._key(serial, transfer))
        status = answer["body"].get("status", "") if answer and answer["head"]["ret_code"] == _DONE else ""
        with self._lock:
            if status == "SUCCESS" and answer is not None:
                transfer.held, transfer.receipt_no = Held.PAID, answer["body"]["receipt_no"]
            elif status == "REVERSED":
                transfer.held = Held.RETURNED
        if transfer.held is Held.UNKNOWN and status == "NOT_FOUND":
            return self.send(serial)
        if transfer.held is Held.UNKNOWN:
            self._look_later(transfer, looks)
        return transfer.shown()

    def upload_day(self, number: int = 1) -> Json:
        """Send today's file of BBP/1 payments; returns the gateway's answer."""
        identity, now = self._keys.identity, self._surroundings.clock.now()
        with self._lock:
            today = [t for t in self._transfers.values() if t.way == "bbp" and t.paid_at.date() == now.date()]
            content, lines, net_fen = day_file(today)
        body = {
            "biller_id": identity.biller_id,
            "bank_date": f"{now:%Y%m%d}",
            "file_name": f"{identity.inst_id}_{identity.biller_id}_{now:%Y%m%d}_{number:02}.txt",
            "total_count": lines,
            "net_amount": net_fen,
            "sha256": sha256(content).hexdigest(),
            "mode": "INLINE",
            "content_base64": base64.b64encode(content).decode(),
        }
        return self._call("RECUPL", body) or {}

    def day_result(self) -> Json:
        """How the gateway compared today."""
        now = self._surroundings.clock.now()
        body = {"biller_id": self._keys.identity.biller_id, "bank_date": f"{now:%Y%m%d}"}
        return self._call("RECQRY", body) or {}

    def rotate_certificate(self) -> str:
        """From now on the renewed key signs; the gateway holds both."""
        with self._lock:
            self._renewed = True
        return self._keys.identity.renewed_key_id

    # --- what there is ------------------------------------------------------------------------------------------------

    def orders(self) -> list[Json]:
        with self._lock:
            named = {"provider": self._surroundings.provider}
            return [named | transfer.shown() for transfer in self._transfers.values()]

    def bills(self) -> list[Json]:
        """Every bill that was found, as it was then."""
        with self._lock:
            return list(self._bills.values())

    def books(self) -> dict[str, list[Json]]:
        with self._lock:
            transfers = list(self._transfers.values())
        back = (Held.RETURNED, Held.REVERSED)
        return {
            "payments": [self._booked(t) | {"paid_at": rfc3339(t.paid_at)} for t in transfers],
            "refunds": [self._booked(t) | {"outcome": t.held.value} for t in transfers if t.held in back],
        }

    def deliveries(self) -> list[Json]:
        with self._lock:
            return list(self._sent)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _new_transfer(self, way: str, bill_no: str, amount_fen: int) -> Transfer:
        if len(self._transfers) >= self._surroundings.orders_max:
            raise SandboxFull("the bank's books are full")
        now = self._surroundings.clock.now()
        transfer = Transfer(
            serial=f"{now:%Y%m%d}{next(self._serials):08}",
            way=way,
            bill_no=bill_no,
            amount_fen=amount_fen,
            paid_at=now,
        )
        self._transfers[transfer.serial] = transfer
        return transfer

    def _known(self, serial: str) -> Transfer:
        with self._lock:
            if serial not in self._transfers:
                raise PayRefused("没有这笔交易")
            return self._transfers[serial]

    def _key(self, serial: str, transfer: Transfer) -> Json:
        identity = self._keys.identity
        return {"biller_id": identity.biller_id, "bank_seq": serial, "bank_date": f"{transfer.paid_at:%Y%m%d}"}

    @staticmethod
    def _original(transfer: Transfer) -> Json:
        return {
            "orig_bank_seq": transfer.serial,
            "orig_bank_date": f"{transfer.paid_at:%Y%m%d}",
            "amount": transfer.amount_fen,
            "reason": "核心冲正",
        }

    def _send_bbp(self, transfer: Transfer) -> None:
        body = self._key(transfer.serial, transfer) | {
            "bank_time": f"{transfer.paid_at:%H%M%S}",
            "bill_no": transfer.bill_no,
            "amount": transfer.amount_fen,
            "channel": "APP",
        }
        answer = self._call("PAYNTF", body)
        code = str(answer["head"]["ret_code"]) if answer else ""
        with self._lock:
            transfer.code = code
            if code == _DONE and answer is not None:
                transfer.held, transfer.receipt_no = Held.PAID, answer["body"]["receipt_no"]
            elif money_goes_back(code, tries=transfer.tries):
                transfer.held = Held.REVERSED if transfer.held is Held.REVERSED else Held.RETURNED
            elif code == "P40001":
                transfer.held = Held.STUCK
        if code in _BUSY:
            self._later(LOOK_SECONDS[0], partial(self.send, transfer.serial), transfer)
        elif transfer.held is Held.UNKNOWN:
            self._look_later(transfer, 0)

    def _look_later(self, transfer: Transfer, looks: int) -> None:
        """After the last look nothing more is done: the day's file settles it."""
        if looks < len(LOOK_SECONDS):
            self._later(LOOK_SECONDS[looks], partial(self.look, transfer.serial, looks + 1), transfer)

    def _later(self, seconds: int, job: Callable[[], object], transfer: Transfer) -> None:
        if transfer.tries <= len(LOOK_SECONDS):
            self._surroundings.clock.call_later(seconds, job)

    def _ask_ebpp(self, number: str, name: str, year: str) -> list[Json]:
        code, _, body = self._posted(
            "QRequest", self._ebpp_path(), ebpp.HEADERS, ebpp.question(self._keys, number, name, year)
        )
        try:
            found = ebpp.bills(self._keys, body) if code == 200 else []  # noqa: PLR2004  the one code of an answer
        except AnswerUnproven:
            found = []
        if not found:
            raise PayRefused("没有查询到待缴账单")
        return found

    def _send_ebpp(self, transfer: Transfer) -> None:
        content = ebpp.payment(self._keys, transfer.serial, transfer.bill_no, transfer.amount_fen, transfer.paid_at)
        code, _, body = self._posted("EBPPPay", self._ebpp_path(), ebpp.HEADERS, content)
        taken = code == 200 and body.startswith(b"<URL>")  # noqa: PLR2004  the one code of an answer
        with self._lock:
            transfer.code = str(code)
            transfer.held = Held.PAID if taken else transfer.held
        if not taken and transfer.tries <= len(LOOK_SECONDS):
            self._later(LOOK_SECONDS[transfer.tries - 1], partial(self.send, transfer.serial), transfer)

    def _ebpp_path(self) -> str:
        return ebpp.PATH + self._ebpp_account

    def _call(self, tran_code: str, body: Json) -> Json | None:
        """One proven answer of BBP/1; None when what became of the call is unknown."""
        now, path = self._surroundings.clock.now(), bbp.PREFIX + bbp.PATHS[tran_code]
        content = bbp.message(self._keys, tran_code, body, now, next(self._serials))
        headers = bbp.signed_headers(self._keys, path, content, now, renewed=self._renewed)
        code, answered, raw = self._posted(tran_code, path, headers, content)
        try:
            return bbp.proven(self._keys, answered, raw) if code else None
        except AnswerUnproven:
            return None

    def _posted(
        self, event: str, path: str, headers: Mapping[str, str], content: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        try:
            code, answered, raw = self._exchange(self._gateway_url + path, headers, content)
        except OSError:
            code, answered, raw = 0, {}, b""
        with self._lock:
            self._sent.append(
                {
                    "at": rfc3339(self._surroundings.clock.now()),
                    "provider": self._surroundings.provider,
                    "event": event,
                    "url": urlsplit(path).path,
                    "code": code,
                }
            )
            del self._sent[:-_DELIVERIES_MAX]
        return code, answered, raw

    @staticmethod
    def _booked(transfer: Transfer) -> Json:
        return {
            "out_trade_no": transfer.serial,
            "provider_trade_no": transfer.receipt_no,
            "amount_fen": transfer.amount_fen,
        }
