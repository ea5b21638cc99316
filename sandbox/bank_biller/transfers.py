"""The bank's own books: what its payers paid, what went back, and the day file of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from sandbox.wire import Json


class Held(StrEnum):
    """Whose the money is, as the bank sees it."""

    UNKNOWN = "UNKNOWN"  # taken from the payer; what the gateway made of it is not known
    PAID = "PAID"
    RETURNED = "RETURNED"  # refused for good: given back to the payer
    REVERSED = "REVERSED"
    STUCK = "STUCK"  # refused in a way that a person must look at


@dataclass(slots=True, kw_only=True)
class Transfer:
    """
    One payment of a payer.

    Attributes:
        serial: The bank's own (银行流水号), the same on every try.
        way: bbp | ebpp.
        receipt_no: The gateway's, once it has answered.
        code: The gateway's last word.
        reversal_serial: Of the reversal, if the bank has taken the payment back.
        tries: Messages sent for it.
    """

    serial: str
    way: str
    bill_no: str
    amount_fen: int
    paid_at: datetime
    held: Held = Held.UNKNOWN
    receipt_no: str = ""
    code: str = ""
    reversal_serial: str = ""
    tries: int = 0

    def shown(self) -> Json:
        """As the index and the control interface list it."""
        back = self.amount_fen if self.held in (Held.RETURNED, Held.REVERSED) else 0
        return {
            "out_trade_no": self.serial,
            "kind": self.way,
            "state": self.held.value,
            "amount_fen": self.amount_fen,
            "refunded_fen": back,
            "subject": self.bill_no,
            "provider_trade_no": self.receipt_no,
            "prepay": "",
            "created_at": self.paid_at.isoformat(),
            "code": self.code,
            "tries": self.tries,
        }


def day_file(transfers: Iterable[Transfer]) -> tuple[bytes, int, int]:
    """A day's file, its number of lines and its net sum; what was given back to the payer at once is not in it."""
    lines, paid, reverted = [], [], []
    for each in transfers:
        if each.held in (Held.RETURNED, Held.STUCK):
            continue
        head = f"{each.paid_at:%Y%m%d}|{{}}|{each.paid_at:%H%M%S}|{each.bill_no}||{each.amount_fen}"
        lines.append(head.format(each.serial) + "|P|APP|")
        paid.append(each.amount_fen)
        if each.held is Held.REVERSED:
            lines.append(head.format(each.reversal_serial) + f"|R|APP|{each.serial}")
            reverted.append(each.amount_fen)
    net = sum(paid) - sum(reverted)
    summary = f"{len(lines)}|{net}|{len(paid)}|{sum(paid)}|{len(reverted)}|{sum(reverted)}"
    content = "".join(f"{line}\n" for line in (summary, *lines)).encode("ascii")
    return content + f"END|{sha256(content).hexdigest()}\n".encode("ascii"), len(lines), net
