"""Every published sample of the protocol."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from adapters.bank.bbp.dayfile import check_day_file, file_name_pattern
from gateway.domain.biller import (
    BillerReason,
    BillQuestion,
    PaymentNotice,
    PaymentQuestion,
    ReversalNotice,
)
from gateway.domain.biller_front import BillerRequest, DayFileRefused, NotAdmitted
from tests.adapters.bank_bbp import peer

REQUESTS = json.loads((peer.VECTORS / "biller_proposed_request.json").read_text())["cases"]
FILES = json.loads((peer.VECTORS / "biller_proposed_recon.json").read_text())["cases"]
DAY = date(2026, 11, 21)
ASKS = {
    "bills/query": BillQuestion(
        biller_id="YB340000",
        id_type="resident_id",
        id_number="341200199001010011",
        insured_year=2027,
        region="341200",
    ),
    "payments/notify": PaymentNotice(
        biller_id="YB340000",
        bank_date=DAY,
        bank_seq="2026112100000001",
        occurred_at=peer.NOW,
        bill_no="JMB20270000000001",
        amount_fen=40000,
        channel="app",
    ),
    "payments/query": PaymentQuestion(biller_id="YB340000", bank_date=DAY, bank_seq="2026112100000001"),
    "payments/reverse": ReversalNotice(
        biller_id="YB340000",
        bank_date=DAY,
        bank_seq="2026112100000051",
        original_date=DAY,
        original_seq="2026112100000001",
        amount_fen=40000,
        note="核心冲正",
    ),
}


@pytest.mark.parametrize("vector", REQUESTS, ids=[vector["id"] for vector in REQUESTS])
def test_request_is_admitted_only_when_its_signature_is_good(vector: dict[str, Any]) -> None:
    """The clock stands at the sample's own time; what is admitted is read to its last field."""
    at = datetime.fromtimestamp(int(vector["headers"]["X-Bank-Timestamp"]), UTC)
    request = BillerRequest(
        path=vector["path"],
        headers={name.lower(): value for name, value in vector["headers"].items()},
        body=vector["body"].encode(),
        received_at=at,
    )
    front = peer.front(at)

    if not vector["valid"]:
        with pytest.raises(NotAdmitted) as refused:
            front.admit(request)
        assert refused.value.reason is BillerReason.SIGNATURE
        return
    admitted = front.admit(request)
    assert admitted.nonce == vector["headers"]["X-Bank-Nonce"]
    assert front.read(admitted) == ASKS[vector["path"].removeprefix(peer.PREFIX)]


@pytest.mark.parametrize("vector", REQUESTS, ids=[vector["id"] for vector in REQUESTS])
def test_string_to_verify_is_the_vectors(vector: dict[str, Any]) -> None:
    """The tests' own bank signs what the sample shows."""
    headers = vector["headers"]
    text = (
        f"POST\n{vector['path']}\n{headers['X-Bank-Timestamp']}\n{headers['X-Bank-Nonce']}\n{vector['body']}\n".encode()
    )

    assert vector["string_to_verify"].encode() == text


@pytest.mark.parametrize("vector", FILES, ids=[vector["id"] for vector in FILES])
def test_day_file_is_accepted_or_refused_whole(vector: dict[str, Any]) -> None:
    """Digest, counts, sums, serials, lines: all of them or nothing."""
    content = vector["content"].encode()
    institution = peer.front().institution
    assert file_name_pattern(peer.INST, peer.BILLER, DAY).fullmatch(vector["file_name"])

    if not vector["accept"]:
        with pytest.raises(DayFileRefused):
            check_day_file(content, institution, DAY)
        return
    totals = check_day_file(content, institution, DAY)
    assert vector["totals"] == {
        "count": totals.count,
        "net": totals.net_fen,
        "pay_count": totals.payments,
        "pay": totals.paid_fen,
        "rev_count": totals.reversals,
        "rev": totals.reversed_fen,
    }
