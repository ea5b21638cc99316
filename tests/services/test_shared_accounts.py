"""The binding desk: one number for all tries, and no word about an outcome that nobody knows."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from gateway.domain.bindings import Binding, BindingState
from gateway.domain.order import Person
from gateway.domain.provider import AccountMisconfigured, NoVerdict, ProviderUnavailable, RequestRefused
from gateway.domain.refusal import Refusal
from gateway.services.idempotent import LEASE, Reply
from gateway.services.shared_accounts import (
    BindingDraft,
    Holder,
    bind,
    check_binding,
    list_bindings,
    read_balance,
    unbind,
)
from tests.support.databases import Database
from tests.support.desk import FakeDesk, give_desk
from tests.support.world import APP, REGION, SETTINGS, World

OWNER = Person(name="测试授权人", id_type="resident_id", id_number="34010019850615000X")
MEMBER = Person(name="测试使用人", id_type="resident_id", id_number="340100201809210000")
HOLDER = Holder(app=APP, region=REGION, owner=OWNER)
DRAFT = BindingDraft(holder=HOLDER, member=MEMBER, relation="child", phone="13800000000", notice_agreed=True, proofs=())


@pytest.fixture
def desk(world: World) -> FakeDesk:
    return give_desk(world)


def reply_of(binding: Binding) -> Reply:
    status = 202 if binding.state is BindingState.UNKNOWN else 200
    return Reply(status=status, body=json.dumps([binding.bind_id, binding.state]).encode())


def bound(world: World, key: str = "k", draft: BindingDraft = DRAFT) -> Reply:
    return bind(world.deps, draft, world.request(key), reply_of)


def unbound(world: World, bind_id: str, key: str = "u") -> Reply:
    return unbind(world.deps, HOLDER, bind_id, world.request(key), reply_of)


def content(reply: Reply) -> Any:
    return json.loads(reply.body)


# --- the good way ---


def test_binding_is_made_listed_checked_and_removed(world: World, desk: FakeDesk) -> None:
    """The whole life of one."""
    made = bound(world)
    listed = list_bindings(world.deps, HOLDER)
    checked = check_binding(world.deps, HOLDER, MEMBER)
    removed = unbound(world, "B1")

    assert (made.status, content(made)) == (200, ["B1", "active"])
    assert [binding.bind_id for binding in listed] == ["B1"]
    assert checked.state is BindingState.ACTIVE
    assert content(removed) == ["B1", "none"]
    assert list_bindings(world.deps, HOLDER) == ()
    assert check_binding(world.deps, HOLDER, MEMBER).state is BindingState.NONE


def test_balance_is_what_the_desk_says(world: World, desk: FakeDesk) -> None:
    """Advice, asked anew each time."""
    assert read_balance(world.deps, HOLDER).balance_fen == 123405
    assert desk.numbers("read_balance") == [REGION]


def test_binding_asked_twice_under_a_key_is_asked_once(world: World, desk: FakeDesk) -> None:
    """The stored answer, byte for byte, whatever became of the binding meanwhile."""
    first = bound(world)
    desk.bound.clear()
    again = bound(world)

    assert (again.body, again.replayed) == (first.body, True)
    assert desk.count("add_binding") == 1


def test_binding_in_review_is_the_last_word_of_its_request(world: World, desk: FakeDesk) -> None:
    """It was taken; the review has its own time."""
    desk.script("add_binding", Binding(state=BindingState.IN_REVIEW, bind_id="B7"))

    assert content(bound(world)) == content(bound(world)) == ["B7", "in_review"]
    assert desk.count("add_binding") == 1


# --- no verdict ---


@dataclass(frozen=True)
class Change:
    """One of the two things that are done at the desk, and how one looks whether it was done."""

    operation: str
    act: Callable[[World], Reply]
    outcome: list[str]
    look: str

    def prepare(self, world: World, desk: FakeDesk) -> None:
        """What is removed must first be made."""
        if self.operation == "remove_binding":
            bound(world, "earlier")
        desk.calls.clear()

    def lose(self, desk: FakeDesk, fault: BaseException) -> None:
        """The next call is done, and its answer never comes."""

        def done(request: Any) -> None:
            (desk.added if self.operation == "add_binding" else desk.removed)(request)
            raise fault

        desk.script(self.operation, done)


BIND = Change("add_binding", bound, ["B1", "active"], "check_binding")
UNBIND = Change("remove_binding", lambda world: unbound(world, "B1"), ["B1", "none"], "list_bindings")
BOTH_CHANGES = pytest.mark.parametrize("change", [BIND, UNBIND], ids=["bind", "unbind"])


@pytest.mark.parametrize("done", [True, False], ids=["done", "not_done"])
@BOTH_CHANGES
def test_change_without_verdict_is_unknown_and_goes_on_under_its_number(
    world: World, desk: FakeDesk, change: Change, done: bool
) -> None:
    """202, not stored; the same request is the same number at the platform, and its answer the last word."""
    change.prepare(world, desk)
    if done:
        change.lose(desk, NoVerdict("read time-out"))
    else:
        desk.script(change.operation, NoVerdict("read time-out"))
    first = change.act(world)
    second = change.act(world)

    assert (first.status, content(first)) == (202, ["", "unknown"])
    assert (second.status, content(second)) == (200, change.outcome)
    assert change.act(world).replayed
    assert len(set(desk.numbers(change.operation))) == 1


@BOTH_CHANGES
def test_number_is_stored_before_the_platform_hears_it(
    world: World, desk: FakeDesk, database: Database, change: Change
) -> None:
    """A crash right after the call leaves the number with the key; when the lease has run out the request goes on."""
    change.prepare(world, desk)
    change.lose(desk, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        change.act(world)
    stored = database.rows("SELECT subject_id FROM idempotency_keys WHERE state = 'running'")
    with pytest.raises(Refusal) as in_flight:
        change.act(world)
    world.clock.advance(seconds=LEASE.total_seconds())
    again = change.act(world)

    assert stored == [(desk.numbers(change.operation)[0],)]
    assert in_flight.value.code == "idempotency_in_flight"
    assert content(again) == change.outcome
    assert len(set(desk.numbers(change.operation))) == 1


@BOTH_CHANGES
def test_change_that_did_not_arrive_is_retryable_under_its_number(world: World, desk: FakeDesk, change: Change) -> None:
    """503, nothing stored, and the key is free at once."""
    change.prepare(world, desk)
    desk.script(change.operation, ProviderUnavailable("refused"))
    with pytest.raises(Refusal) as unavailable:
        change.act(world)

    assert (unavailable.value.code, unavailable.value.retry_after_seconds) == ("provider_unavailable", 5)
    assert content(change.act(world)) == change.outcome
    assert len(set(desk.numbers(change.operation))) == 1


def test_removal_that_left_the_binding_in_force_is_unknown(world: World, desk: FakeDesk) -> None:
    """Accepted is not removed."""
    bound(world)
    desk.script("remove_binding", Binding(state=BindingState.ACTIVE, bind_id="B1"))

    assert (unbound(world, "B1").status, content(unbound(world, "B1"))) == (202, ["B1", "none"])


def test_answer_in_an_unlisted_word_is_unknown(world: World, desk: FakeDesk) -> None:
    """It may be a word for anything."""
    desk.script("add_binding", Binding(state=BindingState.UNKNOWN, bind_id="B1"))

    assert (bound(world).status, content(bound(world))) == (202, ["B1", "active"])


# --- refusals ---


@BOTH_CHANGES
def test_refusal_of_a_first_try_is_the_last_word(world: World, desk: FakeDesk, change: Change) -> None:
    """With the platform's code, for the page; stored."""
    change.prepare(world, desk)
    desk.script(change.operation, RequestRefused("full", code="SA2015"))
    first = change.act(world)

    assert content(first) == {"code": "provider_refused", "provider_code": "SA2015"}
    assert change.act(world).body == first.body
    assert desk.count(change.operation) == 1


@BOTH_CHANGES
def test_refusal_of_a_repetition_is_looked_into(world: World, desk: FakeDesk, change: Change) -> None:
    """The first try was done; a platform that refuses the second must not make us say that it was not."""
    change.prepare(world, desk)
    change.lose(desk, NoVerdict("read time-out"))
    desk.script(change.operation, RequestRefused("again", code="SA1007"))
    change.act(world)

    assert content(change.act(world)) == change.outcome
    assert change.act(world).replayed


@BOTH_CHANGES
def test_refusal_of_a_repetition_is_believed_when_nothing_was_done(
    world: World, desk: FakeDesk, change: Change
) -> None:
    """The look shows that the first try did not arrive."""
    change.prepare(world, desk)
    desk.script(change.operation, NoVerdict("read time-out"), RequestRefused("full", code="SA2015"))
    change.act(world)
    second = change.act(world)

    assert content(second)["code"] == "provider_refused"
    assert change.act(world).body == second.body


@BOTH_CHANGES
def test_refusal_that_cannot_be_looked_into_is_unknown(world: World, desk: FakeDesk, change: Change) -> None:
    """No answer to the look either: nothing is believed, nothing stored."""
    change.prepare(world, desk)
    desk.script(change.operation, NoVerdict("read time-out"), RequestRefused("again", code="SA1007"))
    desk.script(change.look, ProviderUnavailable("down"))
    change.act(world)

    assert change.act(world).status == 202


def test_refusal_for_our_own_configuration_tells_no_code(world: World, desk: FakeDesk) -> None:
    """Which key is wrong is for the operator."""
    desk.script("add_binding", AccountMisconfigured("signature", code="SA1002"))

    assert content(bound(world)) == {"code": "provider_refused"}


QUESTIONS = [
    pytest.param(("list_bindings", lambda deps: list_bindings(deps, HOLDER)), id="list"),
    pytest.param(("check_binding", lambda deps: check_binding(deps, HOLDER, MEMBER)), id="check"),
    pytest.param(("read_balance", lambda deps: read_balance(deps, HOLDER)), id="balance"),
]
FAULTS = [
    pytest.param(ProviderUnavailable("down"), ("provider_unavailable", {}), id="unavailable"),
    pytest.param(NoVerdict("time-out"), ("provider_unavailable", {}), id="no_verdict"),
    pytest.param(RequestRefused("no", code="SA2003"), ("provider_refused", {"provider_code": "SA2003"}), id="refused"),
    pytest.param(AccountMisconfigured("no", code="SA1005"), ("provider_refused", {}), id="misconfigured"),
]


@pytest.mark.parametrize(("fault", "told"), FAULTS)
@pytest.mark.parametrize("question", QUESTIONS)
def test_question_without_answer_is_told_as_that(
    world: World, desk: FakeDesk, question: Any, fault: Exception, told: Any
) -> None:
    """No answer is never "not bound"."""
    operation, ask = question
    desk.script(operation, fault)
    with pytest.raises(Refusal) as refused:
        ask(world.deps)

    assert (refused.value.code, refused.value.extra) == told


# --- whose desk ---


def test_app_without_a_desk_in_the_region_is_refused(world: World, desk: FakeDesk) -> None:
    """Told what it may use; the answer to a change is stored."""
    world.deps.providers["alpha_main"] = world.beta
    with pytest.raises(Refusal) as refused:
        list_bindings(world.deps, HOLDER)
    change = bound(world)
    world.deps.providers["alpha_main"] = desk

    assert (refused.value.code, refused.value.extra) == ("method_not_available", {"allowed": ["beta.native"]})
    assert content(change) == {"code": "method_not_available", "allowed": ["beta.native"]}
    assert bound(world).body == change.body


def test_app_asks_for_its_own_regions_alone(world: World, desk: FakeDesk) -> None:
    """What it does not collect for it does not look into."""
    elsewhere = Holder(app="village", region="341200", owner=OWNER)
    with pytest.raises(Refusal) as refused:
        read_balance(world.deps, elsewhere)

    assert (refused.value.code, refused.value.extra) == ("region_not_allowed", {"allowed": [REGION]})
    assert read_balance(world.deps, Holder(app="village", region=REGION, owner=OWNER)).balance_fen == 123405


def test_app_that_may_not_pay_so_may_not_ask(world: World, desk: FakeDesk) -> None:
    """Its list of methods leaves the shared account out."""
    apps = {APP: replace(SETTINGS.apps[APP], methods=frozenset({"beta.native"}))}
    world.deps = replace(world.deps, settings=replace(SETTINGS, apps=apps))
    with pytest.raises(Refusal) as refused:
        list_bindings(world.deps, HOLDER)

    assert refused.value.code == "method_not_available"


def test_repetition_finds_no_desk_any_more_and_stays_open(world: World, desk: FakeDesk) -> None:
    """The account was taken out of the configuration meanwhile: the outcome is still unknown, and nothing is stored."""
    desk.script("add_binding", NoVerdict("read time-out"))
    bound(world)
    world.deps.providers["alpha_main"] = world.beta
    with pytest.raises(Refusal) as refused:
        bound(world)
    world.deps.providers["alpha_main"] = desk
    world.clock.advance(seconds=LEASE.total_seconds())

    assert refused.value.code == "method_not_available"
    assert content(bound(world)) == ["B1", "active"]


# --- people ---


def test_nothing_personal_of_a_binding_is_stored(world: World, desk: FakeDesk, database: Database) -> None:
    """Neither people nor phone, nor the platform's number of the binding; control: our own number is found."""
    desk.script("add_binding", NoVerdict("read time-out"))
    bound(world)
    bound(world)
    unbound(world, "B1")
    everything = database.everything()
    people = [OWNER.name, OWNER.id_number, MEMBER.name, MEMBER.id_number, DRAFT.phone]

    assert [text for text in people if text.encode() in everything] == []
    assert desk.numbers("add_binding")[0].encode() in everything
