"""Refunds that were made outside the gateway, put on record by operators over HTTP."""

from typing import Final

from gateway.domain.operator import Role
from gateway.services.idempotent import Reply
from gateway.services.offline_refund import OfflineRefund, record_offline_refund
from gateway.web.routes import Call, Route, json_reply
from gateway.web.shapes import change_shape
from schemas.offline_refund import OfflineRefundIn, OfflineRefundOut


def _record(call: Call) -> Reply:
    body = call.body
    wanted = OfflineRefund(
        payment_id=body["payment_id"],
        reference=body["reference"],
        amount_fen=body["amount_fen"],
        returned_on=body["returned_on"],
        who=call.caller.operator,
        why=body["why"],
    )
    done = record_offline_refund(call.deps, wanted, rehearse=body["dry_run"])
    members = {
        "payment_id": wanted.payment_id,
        "outcome": done.outcome,
        "amount_fen": done.amount_fen,
        "refund_id": done.refund_id,
        "who": wanted.who,
        "changes": [change_shape(change) for change in done.changes],
    }
    is_new = done.outcome == "recorded" and not body["dry_run"]
    return json_reply(201 if is_new else 200, members)


_OUT: Final = OfflineRefundOut()

ROUTES: Final = (
    Route(
        method="POST",
        rule="/ops/v1/offline-refunds",
        name="record_offline_refund",
        summary="Put on record that money went back where it was collected (线下退款); see beforehand what will change",
        view=_record,
        body=OfflineRefundIn(),
        refusals=(
            "not_found",
            "order_not_paid",
            "refund_through_provider",
            "refund_exceeds_payment",
            "refund_reference_reused",
        ),
        answers={200: _OUT, 201: _OUT},
        operator=Role.OPERATOR,
    ),
)
"""It carries no idempotency key: the paper's number keeps it single."""
