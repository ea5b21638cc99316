"""A day's file (对账文件): whole or refused whole. Source: sheet section 8.6; vector biller_proposed_recon.json."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from hashlib import sha256
from typing import Final

from adapters.bank.bbp.tables import CHANNELS
from gateway.domain.biller import DayLine, Institution
from gateway.domain.biller_front import DayFileRefused

_NUMBER: Final = r"(0|[1-9][0-9]{0,15})"
_SUMMARY: Final = re.compile(r"\|".join((_NUMBER, f"(-?{_NUMBER})", _NUMBER, _NUMBER, _NUMBER, _NUMBER)))
_LINE: Final = re.compile(
    r"([0-9]{8})\|([0-9A-Za-z_\-]{1,64})\|([0-9]{6})\|([0-9A-Za-z_\-]{1,64})\|([0-9A-Za-z_\-]{0,64})"
    r"\|([1-9][0-9]{0,7})\|(P|R)\|([A-Z]{1,16})\|([0-9A-Za-z_\-]{0,64})"
)
_END: Final = re.compile(rb"END\|([0-9a-f]{64})\n")
_END_BYTES: Final = 4 + 64 + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The first line: numbers and sums of payments and reversals, in fen."""

    count: int
    net_fen: int
    payments: int
    paid_fen: int
    reversals: int
    reversed_fen: int


def file_name_pattern(inst_id: str, biller_id: str, bank_date: date) -> re.Pattern[str]:
    """What a day's file must be called; the last two digits count its versions."""
    return re.compile(rf"{re.escape(inst_id)}_{re.escape(biller_id)}_{bank_date:%Y%m%d}_[0-9]{{2}}\.txt")


def check_day_file(content: bytes, institution: Institution, bank_date: date) -> Totals:
    """
    Hold a file against its own summary and digest; every line is read.

    Raises:
        DayFileRefused: It does not hold as a whole; the text names the first fault and shows no value.
    """
    totals, _ = _open(content)
    counted = {"P": [0, 0], "R": [0, 0]}
    seen: set[str] = set()
    for line in day_lines(content, institution):
        if line.bank_date != bank_date:
            raise DayFileRefused("a line is of another date")
        if line.bank_seq in seen:
            raise DayFileRefused("a bank_seq is there twice")
        seen.add(line.bank_seq)
        sums = counted["R" if line.original_seq else "P"]
        sums[0] += 1
        sums[1] += line.amount_fen
    found = Totals(
        count=len(seen),
        net_fen=counted["P"][1] - counted["R"][1],
        payments=counted["P"][0],
        paid_fen=counted["P"][1],
        reversals=counted["R"][0],
        reversed_fen=counted["R"][1],
    )
    if found != totals:
        raise DayFileRefused("the summary does not agree with the lines")
    return totals


def day_lines(content: bytes, institution: Institution) -> Iterator[DayLine]:
    """
    The bookings, in the file's order.

    Raises:
        DayFileRefused: Digest or a line does not hold.
    """
    _, body = _open(content)
    start = 0
    while start < len(body):
        end = body.index(b"\n", start)
        yield _read_line(body[start:end], institution)
        start = end + 1


def _open(content: bytes) -> tuple[Totals, bytes]:
    """The summary, and the bytes of the lines, each ended by LF."""
    head, last = content[:-_END_BYTES], _END.fullmatch(content[-_END_BYTES:])
    if last is None or not head.endswith(b"\n"):
        raise DayFileRefused("there is no whole END line")
    if sha256(head).hexdigest().encode() != last[1]:
        raise DayFileRefused("the digest does not agree")
    summary, _, body = head.partition(b"\n")
    match = _SUMMARY.fullmatch(_text(summary))
    if match is None:
        raise DayFileRefused("the first line is no summary")
    count, net, _, payments, paid, reversals, reverted = (int(part) for part in match.groups())
    totals = Totals(
        count=count, net_fen=net, payments=payments, paid_fen=paid, reversals=reversals, reversed_fen=reverted
    )
    return totals, body


def _read_line(raw: bytes, institution: Institution) -> DayLine:
    match = _LINE.fullmatch(_text(raw))
    if match is None:
        raise DayFileRefused("a line has not the agreed form")
    day, bank_seq, clock_time, bill_no, _, amount, kind, channel, original_seq = match.groups()
    if (kind == "R") != bool(original_seq) or channel not in CHANNELS:
        raise DayFileRefused("a line has not the agreed form")
    try:
        bank_date = date(int(day[:4]), int(day[4:6]), int(day[6:]))
        booked = time(int(clock_time[:2]), int(clock_time[2:4]), int(clock_time[4:]))
        occurred_at: datetime = institution.booked_at(bank_date, booked)
    except (ValueError, OverflowError):
        raise DayFileRefused("a line has no such date or time") from None
    return DayLine(
        bank_date=bank_date,
        bank_seq=bank_seq,
        occurred_at=occurred_at,
        bill_no=bill_no,
        amount_fen=int(amount),
        channel=channel.lower(),
        original_seq=original_seq or None,
        raw=raw,
    )


def _text(raw: bytes) -> str:
    try:
        return raw.decode("ascii")
    except UnicodeDecodeError:
        raise DayFileRefused("a line is not plain ASCII") from None
