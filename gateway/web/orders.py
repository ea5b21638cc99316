"""Calls about orders and their payments and refunds."""

from datetime import timedelta
from typing import Final

from gateway.domain.order import Order, PremiumSubject, Refund
from gateway.domain.refusal import Refusal
from gateway.domain.states import OrderState, PaymentState
from gateway.services.ask_provider import read_payment
from gateway.services.close_order import close_order
from gateway.services.idempotent import Reply
from gateway.services.open_order import OrderDraft, open_order
from gateway.services.refund_payment import RefundDraft, request_refund
from gateway.services.start_payment import PaymentDraft, start_payment
from gateway.services.views import (
    OrderView,
    PaymentView,
    events_of,
    find_order,
    find_payment,
    find_refund,
    order_by_client_no,
    orders_of,
    read_order,
)
from gateway.web.routes import Call, Route, json_reply
from gateway.web.shapes import event_shape, order_shape, payment_shape, person_from, refund_shape
from schemas.order import (
    EventListOut,
    EventQuery,
    OrderIn,
    OrderListOut,
    OrderOut,
    OrderQuery,
)
from schemas.payment import PaymentIn, PaymentOut, PaymentQuery
from schemas.refund import RefundIn, RefundOut

_TOKEN_AFTERLIFE: Final = timedelta(days=7)
_NEWEST: Final = "ord_g"  # sorts behind every order id


def _open_order(call: Call) -> Reply:
    body = call.body
    subject = body.get("subject")
    draft = OrderDraft(
        app=call.caller.app,
        client_order_no=body["client_order_no"],
        amount_fen=body["amount_fen"],
        description=body["description"],
        expires_at=body.get("expires_at"),
        subject=PremiumSubject(
            region=subject["region"],
            insured_year=subject["insured_year"],
            insurance_kind=subject["insurance_kind"],
            insured=person_from(subject["insured"]),
            payer=person_from(subject["payer"]) if "payer" in subject else None,
        )
        if subject
        else None,
    )

    def render(view: OrderView) -> Reply:
        token = _token(call, view.order)
        return json_reply(201, order_shape(view, order_token=token))

    return open_order(call.deps, draft, call.idempotency(), render)


def _token(call: Call, order: Order) -> str:
    # It outlives the order, so that a payer can still see that it is paid; paying has its own limits.
    return call.doorkeeper.issue_token(order.app, order.id, order.expires_at + _TOKEN_AFTERLIFE)


def _read_order(call: Call) -> Reply:
    order_id = call.path["order_id"]
    call.caller.may_touch(order_id)
    return json_reply(200, order_shape(read_order(call.deps, call.caller.app, order_id)))


def _list_orders(call: Call) -> Reply:
    query = call.query
    if "client_order_no" in query:
        view = order_by_client_no(call.deps, call.caller.app, query["client_order_no"])
        call.caller.may_touch(view.order.id)
        return json_reply(200, {"orders": [order_shape(view)], "next_cursor": None})
    if call.caller.order_id is not None:
        raise Refusal("forbidden", "with an order token, name the order by its client_order_no")
    state = OrderState(query["state"]) if "state" in query else None
    limit = query["limit"]
    views = orders_of(call.deps, call.caller.app, before=query.get("cursor", _NEWEST), limit=limit + 1, state=state)
    more = views[limit - 1].order.id if len(views) > limit else None
    return json_reply(200, {"orders": [order_shape(view) for view in views[:limit]], "next_cursor": more})


def _list_events(call: Call) -> Reply:
    limit = call.query["limit"]
    events = events_of(call.deps, call.caller.app, call.path["order_id"], after=call.query["cursor"], limit=limit + 1)
    more = events[limit - 1].seq if len(events) > limit else None
    return json_reply(200, {"events": [event_shape(event) for event in events[:limit]], "next_cursor": more})


def _close_order(call: Call) -> Reply:
    def render(view: OrderView) -> Reply:
        return json_reply(200 if view.order.state is OrderState.CLOSED else 202, order_shape(view))

    return close_order(call.deps, call.caller.app, call.path["order_id"], call.idempotency(), render)


def _start_payment(call: Call) -> Reply:
    order_id = call.path["order_id"]
    call.caller.may_touch(order_id)
    find_order(call.deps.store.read(), call.caller.app, order_id)
    fields = dict(call.body["fields_"])
    if call.caller.order_id is not None and _needs_address(call):
        fields["client_ip"] = call.address  # a browser does not know its own address, and must not choose it
    draft = PaymentDraft(
        app=call.caller.app,
        order_id=order_id,
        provider=call.body["provider"],
        method=call.body["method"],
        fields=fields,
    )
    return start_payment(call.deps, draft, call.idempotency(), _render_payment)


def _needs_address(call: Call) -> bool:
    providers = (p for p in call.deps.providers.values() if p.name == call.body["provider"])
    methods = (p.methods.get(call.body["method"]) for p in providers)
    return any(method is not None and "client_ip" in method.fields for method in methods)


def _render_payment(view: PaymentView) -> Reply:
    unknown = view.payment.state in (PaymentState.UNKNOWN, PaymentState.CREATED)
    return json_reply(202 if unknown else 201, payment_shape(view))


def _read_payment(call: Call) -> Reply:
    payment_id = call.path["payment_id"]
    order, _ = find_payment(call.deps.store.read(), call.caller.app, payment_id)
    call.caller.may_touch(order.id)
    view = read_payment(call.deps, call.gate, call.caller.app, payment_id, refresh=call.query["refresh"])
    return json_reply(200, payment_shape(view))


def _request_refund(call: Call) -> Reply:
    draft = RefundDraft(
        app=call.caller.app,
        order_id=call.path["order_id"],
        client_refund_no=call.body["client_refund_no"],
        amount_fen=call.body.get("amount_fen"),
        note=call.body["note"],
    )

    def render(refund: Refund) -> Reply:
        return json_reply(202, refund_shape(refund))

    return request_refund(call.deps, draft, call.idempotency(), render)


def _read_refund(call: Call) -> Reply:
    refund = find_refund(call.deps.store.read(), call.caller.app, call.path["refund_id"])
    return json_reply(200, refund_shape(refund))


_ORDER_OUT, _PAYMENT_OUT, _REFUND_OUT = OrderOut(), PaymentOut(), RefundOut()

_PAYMENT_REFUSALS: Final = (
    "method_not_available",
    "order_already_paid",
    "order_closed",
    "order_expired",
    "payment_expired",
    "premium_already_paid",
    "provider_refused",
    "provider_unavailable",
    "subject_required",
    "too_many_payments",
)

ROUTES: Final = (
    Route(
        method="POST",
        rule="/v1/orders",
        name="open_order",
        summary="Open an order (缴费订单)",
        view=_open_order,
        body=OrderIn(),
        refusals=("client_order_no_reused", "expiry_out_of_range", "premium_already_paid", "region_not_allowed"),
        answers={201: _ORDER_OUT},
        keyed=True,
    ),
    Route(
        method="GET",
        rule="/v1/orders",
        name="list_orders",
        summary="List orders, newest first, or find one by client_order_no",
        view=_list_orders,
        order_token=True,
        query=OrderQuery(),
        refusals=("not_found", "forbidden"),
        answers={200: OrderListOut()},
    ),
    Route(
        method="GET",
        rule="/v1/orders/<order_id>",
        name="read_order",
        summary="Read an order",
        view=_read_order,
        answers={200: _ORDER_OUT},
        order_token=True,
    ),
    Route(
        method="GET",
        rule="/v1/orders/<order_id>/events",
        name="list_events",
        summary="Read an order's history, oldest first",
        view=_list_events,
        query=EventQuery(),
        answers={200: EventListOut()},
    ),
    Route(
        method="POST",
        rule="/v1/orders/<order_id>/close",
        name="close_order",
        summary="Make an order unpayable (关单)",
        view=_close_order,
        refusals=("order_already_paid",),
        answers={200: _ORDER_OUT, 202: _ORDER_OUT},
        keyed=True,
    ),
    Route(
        method="POST",
        rule="/v1/orders/<order_id>/payments",
        name="start_payment",
        summary="Start a payment (支付单) and get its instruction",
        view=_start_payment,
        body=PaymentIn(),
        refusals=_PAYMENT_REFUSALS,
        answers={201: _PAYMENT_OUT, 202: _PAYMENT_OUT},
        order_token=True,
        keyed=True,
        volatile=("fields.client_ip",),
    ),
    Route(
        method="GET",
        rule="/v1/payments/<payment_id>",
        name="read_payment",
        summary="Read a payment",
        view=_read_payment,
        query=PaymentQuery(),
        refusals=("refresh_too_soon",),
        answers={200: _PAYMENT_OUT},
        order_token=True,
    ),
    Route(
        method="POST",
        rule="/v1/orders/<order_id>/refunds",
        name="request_refund",
        summary="Refund a paid order, whole or in part",
        view=_request_refund,
        body=RefundIn(),
        refusals=(
            "order_not_paid",
            "client_refund_no_reused",
            "refund_exceeds_payment",
            "refund_must_be_whole",
            "refund_offline_only",
        ),
        answers={202: _REFUND_OUT},
        keyed=True,
    ),
    Route(
        method="GET",
        rule="/v1/refunds/<refund_id>",
        name="read_refund",
        summary="Read a refund",
        view=_read_refund,
        answers={200: _REFUND_OUT},
    ),
)
"""The calls of apps and payers."""
