"""Makes payments: each with its number before anybody outside hears of it."""

from gateway.domain.order import Order, Payment
from gateway.domain.states import PaymentState
from gateway.services.deps import Deps


def unstarted_payment(deps: Deps, order: Order, *, account: str, provider: str, method: str) -> Payment:
    """A payment of the order's whole amount and life, without a verdict; its number is ours and new."""
    no = deps.ids.new()
    now = deps.clock.now()
    return Payment(
        id=f"pay_{no}",
        order_id=order.id,
        account=account,
        provider=provider,
        method=method,
        out_trade_no=no,
        state=PaymentState.CREATED,
        amount_fen=order.amount_fen,
        fields_sealed=None,
        instruction_sealed=None,
        provider_trade_no=None,
        kept=False,
        amount_refunding_fen=0,
        amount_refunded_fen=0,
        evidence_id=None,
        paid_at=None,
        created_at=now,
        expires_at=order.expires_at,
        updated_at=now,
    )
