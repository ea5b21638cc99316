"""Day files: whole or nothing."""

import base64
import json
from datetime import date, datetime
from hashlib import sha256
from typing import Any

import pytest

from adapters.bank.bbp.dayfile import check_day_file
from gateway.domain.biller import BillerReason, BillerRefused, DayFile
from gateway.domain.biller_front import DayFileRefused
from gateway.domain.clock import CHINA
from tests.adapters.bank_bbp import peer

P1 = f"20261121|S1|100111|{peer.BILL_NO}||38001|P|APP|"
P2 = f"20261121|S2|100112|{peer.BILL_NO}|JM1|40000|P|COUNTER|"
R2 = f"20261121|R2|100113|{peer.BILL_NO}||40000|R|APP|S2"
GOOD = "3|38001|2|78001|1|40000"


def sealed(summary: str, *lines: str) -> bytes:
    head = "".join(f"{line}\n" for line in (summary, *lines)).encode()
    return head + f"END|{sha256(head).hexdigest()}\n".encode()


def upload(content: bytes, **changes: Any) -> Any:
    said = {
        "biller_id": peer.BILLER,
        "bank_date": "20261121",
        "file_name": f"{peer.INST}_{peer.BILLER}_20261121_01.txt",
        "total_count": 3,
        "net_amount": 38001,
        "sha256": sha256(content).hexdigest(),
        "mode": "INLINE",
        "content_base64": base64.b64encode(content).decode(),
    } | changes
    front = peer.front()
    return front.read(front.admit(peer.request("recon/files", peer.envelope("RECUPL", said))))


def test_whole_file_is_read_with_its_lines() -> None:
    content = sealed(GOOD, P1, P2, R2)
    day_file = upload(content)
    lines = list(peer.front().day_lines(content))

    assert day_file == DayFile(
        biller_id=peer.BILLER,
        bank_date=date(2026, 11, 21),
        file_name=f"{peer.INST}_{peer.BILLER}_20261121_01.txt",
        content=content,
        lines=3,
        fault="",
    )
    assert [(line.bank_seq, line.amount_fen, line.original_seq, line.channel) for line in lines] == [
        ("S1", 38001, None, "app"),
        ("S2", 40000, None, "counter"),
        ("R2", 40000, "S2", "app"),
    ]
    assert (lines[0].raw, lines[0].bill_no) == (P1.encode(), peer.BILL_NO)
    assert lines[0].occurred_at == datetime(2026, 11, 21, 10, 1, 11, tzinfo=CHINA)


def test_every_flipped_byte_of_a_file_refuses_it() -> None:
    """Summary, line, digest or line end."""
    content, institution = sealed(GOOD, P1, P2, R2), peer.front().institution
    for at in range(len(content)):
        changed = bytearray(content)
        changed[at] ^= 1
        with pytest.raises(DayFileRefused):
            check_day_file(bytes(changed), institution, date(2026, 11, 21))


FAULTY = {
    "no-end": sealed(GOOD, P1, P2, R2)[:-70],
    "two-ends": sealed(GOOD, P1, P2, R2) + b"END|" + b"0" * 64 + b"\n",
    "no-last-line-end": sealed(GOOD, P1, P2, R2)[:-1],
    "upper-case-digest": sealed(GOOD, P1, P2, R2)[:-65] + sealed(GOOD, P1, P2, R2)[-65:].upper(),
    "cr": sealed(GOOD, P1 + "\r", P2, R2),
    "cr-in-the-summary": sealed(GOOD + "\r", P1, P2, R2),
    "blank-line": sealed(GOOD, P1, "", P2, R2),
    "utf-8-text": sealed(GOOD, P1.replace("APP", "应用"), P2, R2),
    "summary-short": sealed("3|38001|2|78001|1", P1, P2, R2),
    "summary-text": sealed("3|380.01|2|78001|1|40000", P1, P2, R2),
    "count": sealed("4|38001|2|78001|1|40000", P1, P2, R2),
    "net": sealed("3|38002|2|78001|1|40000", P1, P2, R2),
    "payments": sealed("3|38001|1|78001|1|40000", P1, P2, R2),
    "paid": sealed("3|38001|2|78002|1|40000", P1, P2, R2),
    "reversals": sealed("3|38001|2|78001|0|40000", P1, P2, R2),
    "reversed": sealed("3|38001|2|78001|1|40001", P1, P2, R2),
    "serial-twice": sealed("2|76002|2|76002|0|0", P1, P1),
    "serial-twice-counted-once": sealed("1|76002|2|76002|0|0", P1, P1),
    "serial-of-a-reversal": sealed("2|0|1|38001|1|38001", P1, P1.replace("|P|APP|", "|R|APP|S0")),
    "other-date": sealed("1|38001|1|38001|0|0", P1.replace("20261121", "20261120")),
    "no-such-date": sealed("1|38001|1|38001|0|0", P1.replace("20261121", "20261131")),
    "no-such-time": sealed("1|38001|1|38001|0|0", P1.replace("100111", "250111")),
    "amount-zero": sealed("1|0|1|0|0|0", P1.replace("38001", "0")),
    "amount-signed": sealed("1|1|1|1|0|0", P1.replace("38001", "+1")),
    "amount-leading-zero": sealed("1|38001|1|38001|0|0", P1.replace("38001", "038001")),
    "amount-too-long": sealed("1|100000000|1|100000000|0|0", P1.replace("38001", "100000000")),
    "full-width": sealed("1|38001|1|38001|0|0", P1.replace("38001", "３８００１")),
    "type": sealed("1|38001|1|38001|0|0", P1.replace("|P|", "|X|")),
    "channel": sealed("1|38001|1|38001|0|0", P1.replace("|APP|", "|PHONE|")),
    "payment-with-original": sealed("1|38001|1|38001|0|0", P1 + "S0"),
    "reversal-without-original": sealed("1|-40000|0|0|1|40000", R2[:-2]),
    "field-more": sealed("1|38001|1|38001|0|0", P1 + "|"),
}


@pytest.mark.parametrize("content", FAULTY.values(), ids=FAULTY)
def test_file_that_does_not_hold_is_a_fault_and_no_error(content: bytes) -> None:
    """Proven to be the bank's, so it is remembered as refused; nothing of it is applied."""
    day_file = upload(content, total_count=3)

    assert day_file.fault
    assert not day_file.fault.startswith("total_count"), "the file itself held"


@pytest.mark.parametrize(
    "changes",
    [{"total_count": 2}, {"net_amount": 38000}, {"sha256": "0" * 64}],
    ids=["count", "net", "digest"],
)
def test_message_that_does_not_agree_with_its_file_refuses_it(changes: dict[str, Any]) -> None:
    assert upload(sealed(GOOD, P1, P2, R2), **changes).fault


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"file_name": "x.txt"}, BillerReason.FORMAT),
        ({"file_name": f"PSB340_{peer.BILLER}_20261121_01.txt"}, BillerReason.FORMAT),
        ({"file_name": f"{peer.INST}_{peer.BILLER}_20261120_01.txt"}, BillerReason.FORMAT),
        ({"file_name": f"{peer.INST}_{peer.BILLER}_20261121_1.txt"}, BillerReason.FORMAT),
        ({"mode": "SFTP"}, BillerReason.FORMAT),
        ({"content_base64": "a"}, BillerReason.FORMAT),
        ({"content_base64": "a b="}, BillerReason.FORMAT),
        ({"content_base64": "A" * ((5 << 20) + 4)}, BillerReason.FORMAT),
        ({"content_base64": None}, BillerReason.FIELD_MISSING),
        ({"total_count": "3"}, BillerReason.FORMAT),
        ({"bank_date": "20261122"}, BillerReason.FORMAT),
    ],
    ids=lambda value: str(value)[:32],
)
def test_upload_of_another_form_is_refused(changes: dict[str, Any], reason: BillerReason) -> None:
    with pytest.raises(BillerRefused) as caught:
        upload(sealed(GOOD, P1, P2, R2), **changes)

    assert caught.value.reason is reason


def test_lines_of_a_file_that_changed_in_the_store_are_refused() -> None:
    """The worker reads it anew, and trusts nothing."""
    with pytest.raises(DayFileRefused):
        list(peer.front().day_lines(sealed(GOOD, P1, P2, R2).replace(b"38001", b"38002")))


def test_empty_day_is_whole() -> None:
    assert upload(sealed("0|0|0|0|0|0"), total_count=0, net_amount=0).fault == ""


def test_question_for_a_result_is_read() -> None:
    front = peer.front()
    body = peer.envelope("RECQRY", {"biller_id": peer.BILLER, "bank_date": "20261120"})
    asked = front.read(front.admit(peer.request("recon/result", body)))

    assert (asked.biller_id, asked.bank_date) == (peer.BILLER, date(2026, 11, 20))
    assert json.loads(body)["head"]["tran_code"] == "RECQRY"
