"""What goes back by other hands than ours: the cells about refunds that we owe, and about money collected outside."""

from collections.abc import Callable
from typing import Any, Final

from gateway.domain.order import Payment, Refund
from gateway.domain.provider import NoVerdict, ProviderUnavailable, RequestRefused
from gateway.domain.refusal import Refusal
from gateway.domain.report import RefundReport, ReportedRefundState
from gateway.services.offline_refund import OfflineRefund, record_offline_refund
from tests.states.cells import PART_FEN, Grid, message_word, moved
from tests.support.collecting import TODAY, record, take, with_agents
from tests.support.world import AMOUNT_FEN, World

# --- what is owed back ------------------------------------------------------------------------------------------------


def _owed(state: str) -> Callable[[World], Refund]:
    """The refund of a payment too many."""

    def reach(world: World) -> Refund:
        order = world.open()
        first, second = world.start(order), world.start(order, "beta")
        world.pay(first)
        world.pay(second)
        steps: dict[str, list[Any]] = {
            "never begun": [],
            "begun": [ProviderUnavailable("x")],
            "unknown": [NoVerdict("x")],
            "failed, issued again": [RequestRefused("no", code="NO")],
        }
        world.beta.script("refund", *steps.get(state, []))
        if state != "never begun":
            world.work()
        if state == "abnormal":
            refund = world.refunds(order)[0]
            world.beta.refunds[refund.out_refund_no].state = ReportedRefundState.ABNORMAL
            world.deliver(second, world.beta.refund_callback(refund.out_refund_no))
        return world.refunds(order)[-1]

    return reach


def _given_back(amount_fen: int) -> Callable[[World, Refund], str]:
    """Somebody gave it back in the provider's console."""

    def happen(world: World, refund: Refund) -> str:
        payment = world.payment(refund.payment_id)
        said = RefundReport(out_refund_no="console-1", state=ReportedRefundState.SUCCEEDED, amount_fen=amount_fen)
        accepted = world.deliver(payment, world.beta.callback(payment.out_trade_no, refund=said))
        return _owed_now(world, refund, message_word(world, accepted.outcome))

    return happen


def _given_back_and_ours(said: ReportedRefundState) -> Callable[[World, Refund], str]:
    """The whole was given back in the console, and then ours has its end."""

    def happen(world: World, refund: Refund) -> str:
        _given_back(refund.amount_fen)(world, refund)
        payment = world.payment(refund.payment_id)
        report = RefundReport(out_refund_no=refund.out_refund_no, state=said, amount_fen=refund.amount_fen)
        accepted = world.deliver(payment, world.beta.callback(payment.out_trade_no, refund=report))
        return _owed_now(world, refund, accepted.outcome)

    return happen


def _owed_now(world: World, refund: Refund, word: str) -> str:
    words = [moved(refund.state.value, world.refund_row(refund.id).state.value, word)]
    rows = world.store.read().refunds_of_payment(refund.payment_id)
    words += [f"{row.amount_fen} counted as outside" for row in rows if row.reason.value == "outside"]
    words += [f"{row.amount_fen} issued" for row in rows if row.state.value == "requested" and row.id != refund.id]
    return ", ".join(words)


OWED: Final = Grid(
    title="Refunds that we owe",
    says=(
        f"What becomes of the refund of a payment too many ({AMOUNT_FEN} fen) when money of it was given back in the "
        "provider's console. Begun is one that a worker has claimed: it may have reached the provider."
    ),
    reach={
        name: _owed(name)
        for name in ("never begun", "begun", "submitted", "unknown", "abnormal", "failed, issued again")
    },
    happen={
        "the whole given back": _given_back(AMOUNT_FEN),
        f"{PART_FEN} fen given back": _given_back(PART_FEN),
        "more than was paid given back": _given_back(AMOUNT_FEN + 1),
        "the whole given back, then ours failed": _given_back_and_ours(ReportedRefundState.FAILED),
        "the whole given back, then ours succeeded": _given_back_and_ours(ReportedRefundState.SUCCEEDED),
    },
)


# --- collected outside ------------------------------------------------------------------------------------------------


def _collected(*returned: int) -> Callable[[World], Payment]:
    """A premium that an agent took in cash, of which so much has gone back."""

    def reach(world: World) -> Payment:
        payment = world.payment(take(with_agents(world), record()).payment_id or "")
        for number, amount_fen in enumerate(returned):
            record_offline_refund(world.deps, _paper(payment, amount_fen, f"R-{number}"))
        return world.payment(payment.id)

    return reach


def _paper(payment: Payment, amount_fen: int | None, reference: str) -> OfflineRefund:
    return OfflineRefund(
        payment_id=payment.id, reference=reference, amount_fen=amount_fen, returned_on=TODAY, who="operator-1", why="x"
    )


def _paper_comes(amount_fen: int | None, reference: str) -> Callable[[World, Payment], str]:
    def happen(world: World, payment: Payment) -> str:
        order = world.order(payment.order_id)
        try:
            done = record_offline_refund(world.deps, _paper(payment, amount_fen, reference))
        except Refusal as refusal:
            return f"refused: {refusal.code}"
        held = world.store.read().slot_holder(order.slot or "") == order.id
        words = [f"{done.amount_fen} {done.outcome}", "premium stays paid" if held else "premium is free"]
        return ", ".join(words)

    return happen


COLLECTED: Final = Grid(
    title="Collected outside",
    says=f"What a paper about money given back does to a premium of {AMOUNT_FEN} fen that an agent has collected.",
    reach={
        "paid": _collected(),
        "partly returned": _collected(PART_FEN),
        "wholly returned": _collected(PART_FEN, AMOUNT_FEN - PART_FEN),
    },
    happen={
        "the whole rest": _paper_comes(None, "R-9"),
        f"{PART_FEN} fen": _paper_comes(PART_FEN, "R-9"),
        "more than is left": _paper_comes(AMOUNT_FEN + 1, "R-9"),
        "the first paper again": _paper_comes(PART_FEN, "R-0"),
        "the first paper, another sum": _paper_comes(PART_FEN + 1, "R-0"),
    },
)
