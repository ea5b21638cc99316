"""What a provider is told of a payment: stored values, so that every try says the same, and no person without need."""

from collections.abc import Mapping

from gateway.domain.order import Order, Payment
from gateway.domain.provider import Method, PaymentRequest
from gateway.services.deps import Deps
from gateway.services.views import FIELDS_PURPOSE, premium_subject


def payment_request(deps: Deps, order: Order, payment: Payment, brought: Mapping[str, str]) -> PaymentRequest:
    """
    What the adapter puts on the wire.

    Args:
        brought: The fields of the app's request. Only those for single use are taken, which are not stored; they are
            the same on every try, because the idempotency key holds the keyed digest of the whole request.
    """
    method = deps.providers[payment.account].methods.get(payment.method)
    fields = method.fields if method is not None else {}
    single_use = {name: value for name, value in brought.items() if name in fields and fields[name].single_use}
    stored = deps.vault.unseal_json(payment.fields_sealed, FIELDS_PURPOSE) if payment.fields_sealed else {}
    return PaymentRequest(
        out_trade_no=payment.out_trade_no,
        amount_fen=payment.amount_fen,
        method=payment.method,
        description=order.description,
        created_at=payment.created_at,
        expires_at=payment.expires_at,
        notify_url=deps.notify_url(payment.account),
        fields=stored | single_use,
        subject=premium_subject(deps, order) if method is not None and method.needs_subject else None,
    )


def seal_fields(deps: Deps, method: Method, fields: Mapping[str, str]) -> bytes | None:
    """A method's own fields as they are stored: encrypted, and those for single use not at all."""
    kept = {name: value for name, value in fields.items() if not method.fields[name].single_use}
    return deps.vault.seal_json(kept, FIELDS_PURPOSE) if kept else None
