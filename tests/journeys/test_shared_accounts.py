"""Out of a shared account: bound, charged once, revoked whole; refused where it must be, and never guessed."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from gateway.domain.statement import StatementKind, StatementLineKind
from gateway.domain.states import OrderState, PaymentState, RefundReason, RefundState
from gateway.store.tables import PAYMENTS
from sandbox.keyring import Keyring
from tests.journeys.accounts import settings_for
from tests.journeys.settled import assert_settled, rows
from tests.journeys.shared_accounts import (
    ACCOUNT,
    CHILD,
    MODES,
    OTHER_CHILD,
    OWNER,
    PROVIDER,
    Family,
    with_shared_account,
)
from tests.journeys.world import AMOUNT_FEN, START, Answer, World, no_waiting
from tests.support.databases import Database
from tests.support.invariants import assert_invariants

_HOUR = 3600
_DAY = 86_400
_POINTS_MAX = 40

LOST_BEFORE = ["timeout_before_commit", "error_5xx_before_commit", "rate_limited"]
LOST_AFTER = ["timeout_after_commit", "error_5xx_after_commit", "half_json", "html_answer", "answer_bad_signature"]
FAULTS = [*LOST_BEFORE, *LOST_AFTER, "signature_der"]
"""A channel in raw form cannot prove an answer in DER: it is as good as lost."""


@pytest.fixture
def make_world(ring: Keyring, database: Database) -> Iterator[Callable[..., World]]:
    """Builds a world whose channel signs in the named way, on both sides."""
    worlds: list[World] = []

    def make(mode: str = "raw-default", **values: object) -> World:
        world = World(ring, with_shared_account(ring, settings_for(ring, database.url), mode, **values))
        platform = world.sandbox.simulators[PROVIDER]._world
        user_id = platform.envelope.app_secret.encode() if "app_secret" in mode else platform.envelope.user_id
        platform.envelope = replace(platform.envelope, signature_form=mode.partition("-")[0], user_id=user_id)
        worlds.append(world)
        return world

    with no_waiting():
        yield make
        for world in worlds:
            world.end()


@pytest.fixture
def family(world: World) -> Family:
    return Family(world)


def refusal(answer: Answer) -> tuple[int, str, str]:
    return answer.status, answer.body["code"], answer.body.get("provider_code", "")


def states(world: World, order_id: str) -> list[PaymentState]:
    return [payment.state for payment in world.payments(order_id)]


# --- the journey of a family (domain E12) ---


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.parametrize("mode", MODES)
def test_family_binds_pays_unbinds_and_stays_paid(
    make_world: Callable[..., World], database: Database, mode: str
) -> None:
    """Not bound: refused. Bound: paid. Unbound again: the premium stays paid, and can still be given back."""
    world = make_world(mode)
    family = Family(world)
    order_id = family.order()
    unbound = family.start(order_id, "B0000000001")
    bind_id = family.bound()
    payment = family.pay(order_id, bind_id)
    world.advance(20)
    removed = family.unbind(bind_id)
    shown = world.call("GET", f"/v1/orders/{order_id}").body

    assert refusal(unbound) == (422, "provider_refused", "SA2004")
    assert payment["instruction"] == {"kind": "none", "payload": {}, "expires_at": None}
    assert (removed.status, removed.body["state"], family.check().body["state"]) == (200, "none", "none")
    assert (shown["state"], shown["amount_paid_fen"]) == ("paid", AMOUNT_FEN)
    assert [item["state"] for item in shown["payments"]] == ["failed", "paid"]
    assert family.balance_fen() == 1_000_000 - AMOUNT_FEN
    world.refund(order_id)
    world.advance(_DAY)
    assert world.order(order_id).amount_refunded_fen == AMOUNT_FEN
    assert family.balance_fen() == 1_000_000
    assert_settled(world, database)


def test_holder_sees_whom_the_account_is_bound_to(family: Family) -> None:
    """Names as the platform tells them, numbers as it masks them."""
    family.bound()
    second = family.bound(OTHER_CHILD)
    family.unbind(second)

    assert [(item["member_name"], item["member_id_masked"], item["relation"]) for item in family.listed()] == [
        (CHILD["name"], "340104**********03", "child")
    ]


def test_binding_that_waits_for_review_pays_when_it_is_approved(world: World, family: Family) -> None:
    """Refused with its own code until then; no money moves."""
    world.sandbox.faults.add("binding_waits", times=1)
    waiting = family.bind()
    order_id = family.order()
    early = family.start(order_id, waiting.body["bind_id"])
    family.simulator.decide(waiting.body["bind_id"], "approve")
    family.pay(order_id, waiting.body["bind_id"])
    world.advance(20)

    assert (waiting.status, waiting.body["state"]) == (201, "in_review")
    assert refusal(early) == (422, "provider_refused", "SA2013")
    assert world.order(order_id).state is OrderState.PAID


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("change", ["bind", "unbind"])
def test_binding_changes_once_whatever_happens_to_the_answer(
    world: World, family: Family, change: str, fault: str
) -> None:
    """The same key is the same number there: one binding, and the truth about it."""
    bind_id = family.bound() if change == "unbind" else ""
    world.sandbox.faults.add(fault, operation=change, times=1)
    act = (lambda: family.bind(key="k")) if change == "bind" else (lambda: family.unbind(bind_id, key="k"))
    answers = [act() for _ in range(3)]

    expected = 503 if fault == "rate_limited" else 202
    assert answers[0].status == expected
    assert [answer.status for answer in answers[1:]] == [201 if change == "bind" else 200] * 2
    assert answers[1].body == answers[2].body
    assert answers[1].body["state"] == ("active" if change == "bind" else "none")
    assert len(family.simulator.bindings()) == 1
    assert len(family.listed()) == (1 if change == "bind" else 0)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("operation", ["bind_check", "bind_list", "balance"])
def test_question_without_answer_is_503(world: World, family: Family, operation: str, fault: str) -> None:
    """Retryable; nobody is told to be unbound or poor for it."""
    family.bound()
    world.sandbox.faults.add(fault, operation=operation, times=1)
    paths = {"bind_check": "bindings/check", "bind_list": "bindings/search", "balance": "balance"}
    body = {"region": "340104", "owner": OWNER} | ({"member": CHILD} if operation == "bind_check" else {})
    answers = [world.call("POST", f"/v1/shared-accounts/{paths[operation]}", body) for _ in range(2)]

    assert (answers[0].status, answers[0].body["code"]) == (503, "provider_unavailable")
    assert answers[1].status == 200


# --- charged once, or not at all ---


@pytest.mark.parametrize("patience", ["insists", "gives_up"])
@pytest.mark.parametrize("fault", FAULTS)
def test_charge_is_made_once_whatever_happens_to_the_answer(
    world: World, database: Database, family: Family, fault: str, patience: str
) -> None:
    """The app repeats its request, or never comes back: the query finds what there is."""
    world.watch_invariants()
    order_id, bind_id = family.order(), family.bound()
    world.sandbox.faults.add(fault, operation="create", times=1)
    if patience == "insists":
        family.pay(order_id, bind_id)
    else:
        answer = family.start(order_id, bind_id)
        assert answer.status == (503 if fault == "rate_limited" else 202), answer.body
    world.advance(_DAY)

    arrived = patience == "insists" or fault not in LOST_BEFORE
    assert len(family.debits()) == int(arrived)
    assert world.order(order_id).state is (OrderState.PAID if arrived else OrderState.CLOSED)
    assert family.balance_fen() == 1_000_000 - (AMOUNT_FEN if arrived else 0)
    assert_settled(world, database)


@pytest.mark.parametrize("callback", ["callback_comes", "callback_never_comes"])
@pytest.mark.parametrize("operation", ["bind_check", "query"])
@pytest.mark.parametrize("fault", FAULTS)
def test_charge_survives_faults_around_it(
    make_world: Callable[..., World], database: Database, fault: str, operation: str, callback: str
) -> None:
    """A check that is not answered moves nothing; a query that is not answered is asked again."""
    world = make_world()
    family = Family(world)
    if callback == "callback_never_comes":
        world.sandbox.faults.add("callback_never", operation="payment_callback")
    order_id, bind_id = family.order(), family.bound()
    world.sandbox.faults.add(fault, operation=operation, times=2)
    family.pay(order_id, bind_id)
    world.advance(_DAY)

    assert world.order(order_id).state is OrderState.PAID
    assert len(family.debits()) == 1
    assert_settled(world, database)


@pytest.mark.parametrize(
    "fault",
    [
        "callback_never",
        "callback_duplicate",
        "callback_delayed",
        "callback_wrong_key",
        "callback_bad_signature",
        "callback_amount_differs",
        "signature_der",
    ],
)
def test_charge_is_known_whatever_happens_to_its_callbacks(
    world: World, database: Database, family: Family, fault: str
) -> None:
    """What is not proven, or contradicts the order, changes nothing; the query tells."""
    world.sandbox.faults.add(fault, operation="payment_callback")
    order_id = family.order()
    family.pay(order_id, family.bound())
    world.advance(_DAY)

    assert world.order(order_id).state is OrderState.PAID
    assert_settled(world, database, quarantined=1 if fault == "callback_amount_differs" else 0)


@pytest.mark.parametrize("seconds", [30, 900])
def test_charge_that_settles_late_is_paid_late(world: World, database: Database, family: Family, seconds: int) -> None:
    """In progress is neither paid nor failed, however long it takes."""
    world.sandbox.faults.add("settled_late", operation="create", times=1, seconds=seconds)
    order_id = family.order()
    family.pay(order_id, family.bound())
    world.advance(seconds - 1)
    before = states(world, order_id), world.order(order_id).state
    world.advance(_DAY)

    assert before == ([PaymentState.PENDING], OrderState.OPEN)
    assert world.order(order_id).state is OrderState.PAID
    assert_settled(world, database)


def test_charge_that_never_settles_ends_with_its_order(world: World, database: Database, family: Family) -> None:
    """At its expireTime the platform closes it, and so do we, by its word."""
    world.sandbox.faults.add("settled_late", operation="create", times=1, seconds=_DAY)
    order_id = family.order()
    family.pay(order_id, family.bound())
    world.advance(2 * _DAY)

    assert (states(world, order_id), world.order(order_id).state) == ([PaymentState.CLOSED], OrderState.CLOSED)
    assert family.debits() == []
    assert_settled(world, database)


def _whole_journey(world: World, family: Family) -> str:
    """As a patient app walks it."""
    order_id = family.order()
    while (answer := family.bind(key="bind")).status != 201:
        world.advance(60)
    family.pay(order_id, answer.body["bind_id"])
    world.advance(60)
    while world.refund(order_id, no="R-1").status != 202:
        world.advance(60)
    world.advance(_DAY)
    return order_id


@pytest.mark.parametrize("point", range(1, _POINTS_MAX + 1))
def test_journey_in_which_the_gateway_dies_once_ends_as_without(
    world: World, database: Database, family: Family, point: int
) -> None:
    """At any call or commit: bound once, charged once, given back once."""
    world.fate.dies_at = point
    order_id = _whole_journey(world, family)

    assert len(family.simulator.bindings()) == 1
    assert len(family.debits()) == 1
    assert world.order(order_id).amount_refunded_fen == AMOUNT_FEN
    assert_settled(world, database)


def test_every_point_of_the_journey_is_one_at_which_the_gateway_dies(world: World, family: Family) -> None:
    """Otherwise _POINTS_MAX is too small."""
    _whole_journey(world, family)

    assert 20 <= len(world.fate.points) <= _POINTS_MAX


# --- refused ---


@pytest.mark.parametrize(
    ("held", "code"),
    [((AMOUNT_FEN - 1, "1"), "SA2001"), ((AMOUNT_FEN, "2"), "SA2002"), ((AMOUNT_FEN, "3"), "SA2002")],
    ids=["a_fen_short", "frozen", "closed"],
)
def test_account_that_cannot_pay_leaves_the_order_to_another_way(
    world: World, database: Database, family: Family, held: tuple[int, str], code: str
) -> None:
    """Whole or not at all: refused with the platform's code, nothing is debited, and WeChat pays it all."""
    bind_id = family.bound()
    family.holds(*held)
    order_id = family.order()
    refused = family.start(order_id, bind_id)
    world.pay(world.start(order_id, "wechatpay", "native"))
    world.advance(_DAY)

    assert refusal(refused) == (422, "provider_refused", code)
    assert family.balance_fen() == held[0]
    assert states(world, order_id) == [PaymentState.FAILED, PaymentState.PAID]
    assert_settled(world, database)


def test_balance_to_the_fen_is_enough(world: World, family: Family) -> None:
    """The last fen counts."""
    bind_id = family.bound()
    family.holds(AMOUNT_FEN)
    order_id = family.order()
    family.pay(order_id, bind_id)
    world.advance(20)

    assert (world.order(order_id).state, family.balance_fen()) == (OrderState.PAID, 0)


@pytest.mark.parametrize("seconds", [None, 20], ids=["before_the_charge", "while_it_settles"])
def test_binding_revoked_in_the_middle_of_a_payment_moves_no_money(
    world: World, database: Database, family: Family, seconds: int | None
) -> None:
    """Gone after our check: refused at once, or failed by the query; another way pays the order."""
    bind_id = family.bound()
    world.sandbox.faults.add("binding_revoked", operation="create", times=1, seconds=seconds)
    order_id = family.order()
    answer = family.start(order_id, bind_id)
    world.advance(60)
    between = states(world, order_id)
    world.pay(world.start(order_id, "wechatpay", "native"))
    world.advance(_DAY)

    if seconds is None:
        assert refusal(answer) == (422, "provider_refused", "SA2004")
    else:
        assert (answer.status, answer.body["state"]) == (201, "pending")
    assert between == [PaymentState.FAILED]
    assert family.debits() == []
    assert world.order(order_id).state is OrderState.PAID
    assert_settled(world, database)


def test_binding_removed_between_two_payments_is_seen(world: World, family: Family) -> None:
    """The check is made right before each charge, not remembered from the last."""
    bind_id = family.bound()
    family.pay(family.order(), bind_id)
    family.unbind(bind_id)
    again = family.start(family.order(year=2027), bind_id)

    assert refusal(again) == (422, "provider_refused", "SA2004")
    assert len(family.debits()) == 1


def test_authorisation_is_good_for_one_payment(world: World, family: Family) -> None:
    """Used again for another order it is refused, and nothing is debited."""
    bind_id = family.bound()
    content = family.content(bind_id)
    first, second = family.order(), family.order(year=2027)
    world.call("POST", f"/v1/orders/{first}/payments", content)
    again = world.call("POST", f"/v1/orders/{second}/payments", content)

    assert refusal(again) == (422, "provider_refused", "SA2012")
    assert len(family.debits()) == 1


def test_order_without_a_person_is_refused_before_anything_is_asked(world: World, family: Family) -> None:
    """Nobody could say whose premium it is."""
    order_id = world.open_order()
    answer = family.start(order_id, "B0000000001")

    assert (answer.status, answer.body["code"]) == (422, "subject_required")
    assert world.asked(PROVIDER, "") == 0


# --- twice ---


def test_premium_paid_by_two_ways_at_once_is_kept_once(world: World, database: Database, family: Family) -> None:
    """WeChat's money arrives while the charge settles: the later goes back whole, by a revoke."""
    world.sandbox.faults.add("settled_late", operation="create", times=1, seconds=60)
    order_id = family.order()
    family.pay(order_id, family.bound())
    world.pay(world.start(order_id, "wechatpay", "native"))
    world.advance(_DAY)

    assert [payment.kept for payment in world.payments(order_id)] == [False, True]
    assert [(RefundReason.SURPLUS, RefundState.SUCCEEDED, AMOUNT_FEN)] == [
        (refund.reason, refund.state, refund.amount_fen) for refund in world.refunds(order_id)
    ]
    assert family.balance_fen() == 1_000_000
    assert_settled(world, database)


def test_premium_paid_elsewhere_in_the_gateway_is_not_charged(world: World, family: Family) -> None:
    """Another app has collected it: refused before the platform hears of it."""
    bind_id = family.bound()
    first, second = family.order(), family.order(app="counter")
    family.pay(first, bind_id)
    world.advance(20)
    answer = world.call("POST", f"/v1/orders/{second}/payments", family.content(bind_id), app="counter")

    assert (answer.status, answer.body["code"]) == (409, "premium_already_paid")
    assert len(family.debits()) == 1


# --- given back ---


@pytest.mark.parametrize("fault", [*FAULTS, "revoke_unknown", "nothing"])
@pytest.mark.parametrize("operation", ["refund", "query"])
def test_payment_is_revoked_once_and_whole(
    world: World, database: Database, family: Family, operation: str, fault: str
) -> None:
    """To the account it came from, whatever happens to the answers."""
    order_id, _ = family.paid()
    if fault != "nothing":
        world.sandbox.faults.add(fault, operation="refund" if fault == "revoke_unknown" else operation, times=2)
    assert world.refund(order_id).status == 202
    world.advance(2 * _DAY)

    assert [(RefundReason.ASKED, RefundState.SUCCEEDED, AMOUNT_FEN)] == [
        (refund.reason, refund.state, refund.amount_fen) for refund in world.refunds(order_id)
    ]
    assert family.balance_fen() == 1_000_000
    assert_settled(world, database)


@pytest.mark.parametrize("amount_fen", [1, AMOUNT_FEN - 1])
def test_part_of_a_payment_is_not_given_back(world: World, database: Database, family: Family, amount_fen: int) -> None:
    """Said at once; the whole still can be."""
    order_id, _ = family.paid()
    part = world.refund(order_id, amount_fen)
    after_part = world.refunds(order_id)
    whole = world.refund(order_id, AMOUNT_FEN)
    world.advance(_DAY)

    assert (part.status, part.body["code"], part.body["refundable_fen"]) == (422, "refund_must_be_whole", AMOUNT_FEN)
    assert after_part == []
    assert whole.status == 202
    assert_settled(world, database)


def test_revoke_that_the_platform_fails_leaves_the_order_paid(world: World, family: Family) -> None:
    """FAIL is its last word for that number; a new refund has a new one."""
    world.sandbox.faults.add("revoke_failed", times=1)
    order_id, _ = family.paid()
    world.refund(order_id)
    world.advance(_DAY)
    failed = [refund.state for refund in world.refunds(order_id)], world.order(order_id).amount_refunded_fen
    world.refund(order_id)
    world.advance(_DAY)

    assert failed == ([RefundState.FAILED], 0)
    assert [refund.state for refund in world.refunds(order_id)] == [RefundState.FAILED, RefundState.SUCCEEDED]
    assert family.balance_fen() == 1_000_000
    assert_invariants(world.gateway.store)


def test_statement_of_the_day_is_our_books(world: World, family: Family) -> None:
    """One charge, one revoke; the platform names the payment in both."""
    order_id, payment = family.paid()
    world.refund(order_id)
    world.advance(_DAY)
    lines = list(world.gateway.providers[ACCOUNT].fetch_statement(START.date(), StatementKind.TRADES))

    assert [(line.kind, line.out_trade_no, line.amount_fen) for line in lines] == [
        (StatementLineKind.PAYMENT, payment["out_trade_no"], AMOUNT_FEN),
        (StatementLineKind.REFUND, payment["out_trade_no"], AMOUNT_FEN),
    ]


# --- what is kept of it ---


def test_nothing_of_the_family_lies_in_clear_in_the_database(world: World, database: Database, family: Family) -> None:
    """Numbers, names and authorisations, those in the platform's own messages included; control: our own number."""
    order_id, payment = family.paid()
    world.refund(order_id)
    world.advance(_DAY)
    everything = database.everything()
    people = [person[name] for person in (OWNER, CHILD) for name in ("name", "id_number")]

    assert [text for text in [*people, "AUTH00000001"] if text.encode() in everything] == []
    assert payment["out_trade_no"].encode() in everything
    assert [row["fields_sealed"] is None for row in rows(database, PAYMENTS)] == [False]
