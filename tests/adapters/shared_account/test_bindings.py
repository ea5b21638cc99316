"""The binding desk: what the platform answers, and what is never shown of it."""

from datetime import date, datetime
from typing import Any

import pytest

from gateway.domain.bindings import AccountState, Binding, BindingDesk, BindingState, Unbinding
from gateway.domain.clock import CHINA
from gateway.domain.provider import NoVerdict
from tests.adapters.shared_account import peer
from tests.adapters.shared_account.test_requests import ADDITION, MEMBER, OWNER
from tests.conformance.checks.secrecy import text_of
from tests.conformance.network import playing

LIST = {
    "bindList": [
        {
            "bindId": "B1",
            "memberIdNo": "340104********0003",
            "memberName": peer.MEMBER_NAME,
            "relCode": "03",
            "bindStas": "1",
            "effTime": "20250901",
            "seq": 1,
        },
        {"seq": 2, "bindStas": "2", "relCode": "01", "memberName": "王芳", "bindId": "B2"},
    ],
    "total": 2,
}


def check(**changes: Any) -> Binding:
    with playing(peer.bound(**changes)):
        return peer.provider().check_binding(OWNER, MEMBER, "340104")


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("0", BindingState.NONE),
        ("1", BindingState.ACTIVE),
        ("2", BindingState.IN_REVIEW),
        ("3", BindingState.REFUSED),
        ("4", BindingState.UNKNOWN),
        ("01", BindingState.UNKNOWN),
    ],
)
def test_binding_state_is_read_by_the_table(word: str, state: BindingState) -> None:
    """A word we do not know lets nobody pay."""
    assert state is check(bindStas=word).state


def test_check_tells_the_binding() -> None:
    """Number, relation, and the day from which it holds."""
    wanted = Binding(state=BindingState.ACTIVE, bind_id=peer.BIND_ID, relation="child", effective_on=date(2025, 9, 1))

    assert wanted == check()


@pytest.mark.parametrize("changes", [{"bindId": 1}, {"relCode": "child"}, {"effTime": "2025"}, {"bindStas": None}])
def test_check_of_another_shape_is_no_verdict(changes: dict[str, Any]) -> None:
    """Nothing is guessed."""
    with pytest.raises(NoVerdict):
        check(**changes)


def test_list_tells_every_binding() -> None:
    """As the platform masked them."""
    with playing(peer.answer("sa.bind.list", LIST)):
        found = peer.provider().list_bindings(OWNER)

    assert [("B1", BindingState.ACTIVE, "child"), ("B2", BindingState.IN_REVIEW, "spouse")] == [
        (binding.bind_id, binding.state, binding.relation) for binding in found
    ]
    assert ("340104********0003", peer.MEMBER_NAME) == (found[0].member_id_masked, found[0].member_name)


def test_relation_that_is_not_configured_is_left_unsaid() -> None:
    """A platform's word for what the region does not bind is not guessed at."""
    with playing(peer.bound(relCode="05")):
        assert "" == peer.provider().check_binding(OWNER, MEMBER, "340104").relation


def test_provider_is_a_binding_desk() -> None:
    """By which the services find it."""
    assert isinstance(peer.provider(), BindingDesk)


def test_empty_list_tells_nobody() -> None:
    """Empty arrays are dropped on the wire."""
    for data in ({"total": "0"}, {"total": 0, "bindList": []}):
        with playing(peer.answer("sa.bind.list", data)):
            assert () == peer.provider().list_bindings(OWNER)


@pytest.mark.parametrize(
    "data",
    [
        {"bindList": LIST["bindList"]},
        {**LIST, "total": 3},
        {**LIST, "total": "two"},
        {"bindList": "B1", "total": 1},
        {"bindList": ["B1"], "total": 1},
        {"bindList": [{"bindId": "B1"}], "total": 1},
    ],
    ids=["no total", "short", "total is a word", "no list", "no objects", "no state"],
)
def test_list_of_another_shape_is_no_verdict(data: dict[str, Any]) -> None:
    """A list that is not whole is none."""
    with playing(peer.answer("sa.bind.list", data)), pytest.raises(NoVerdict):
        peer.provider().list_bindings(OWNER)


def test_addition_may_wait_for_review() -> None:
    """Taken is not active."""
    with playing(peer.answer("sa.bind.add", {"bindId": "B1", "bindStas": "2"})):
        assert BindingState.IN_REVIEW is peer.provider().add_binding(ADDITION).state


def test_removal_tells_the_state_after_it() -> None:
    """Removed is none."""
    with playing(peer.answer("sa.bind.remove", {"bindId": "B1", "bindStas": "0", "reqSn": "R1"})):
        found = peer.provider().remove_binding(Unbinding(owner=OWNER, bind_id="B1", req_sn="R1"))

    assert (BindingState.NONE, "B1") == (found.state, found.bind_id)


@pytest.mark.parametrize(
    ("word", "state"),
    [("1", AccountState.NORMAL), ("2", AccountState.FROZEN), ("3", AccountState.CLOSED), ("9", AccountState.UNKNOWN)],
)
def test_balance_is_told_in_fen(word: str, state: AccountState) -> None:
    """Advice for a page."""
    data = {"balc": "1234.05", "acctStas": word, "asOf": "20251018093000"}
    with playing(peer.answer("sa.acct.balance", data)):
        found = peer.provider().read_balance(OWNER, "340104")

    assert (123405, state) == (found.balance_fen, found.state)
    assert datetime(2025, 10, 18, 9, 30, tzinfo=CHINA) == found.as_of


@pytest.mark.parametrize("data", [{"acctStas": "1"}, {"balc": "12.5", "acctStas": "1"}, {"balc": "12.50"}])
def test_balance_of_another_shape_is_no_verdict(data: dict[str, str]) -> None:
    """An amount has two decimals."""
    with playing(peer.answer("sa.acct.balance", data)), pytest.raises(NoVerdict):
        peer.provider().read_balance(OWNER, "340104")


def test_people_are_never_shown() -> None:
    """Neither in values nor in errors and their causes."""
    with playing(peer.answer("sa.bind.list", LIST)):
        shown = [repr(OWNER), repr(ADDITION), repr(peer.provider().list_bindings(OWNER))]
    with playing(peer.answer("sa.acct.balance", {"balc": "1234.05", "acctStas": "1"})):
        shown.append(repr(peer.provider().read_balance(OWNER, "340104")))
    for reply in (
        peer.refusal("sa.bind.add", "SA2004"),
        peer.refusal("sa.bind.add", "SA4242"),
        peer.answer("sa.bind.add", {"bindId": peer.MEMBER_NAME}),
    ):
        with playing(reply), pytest.raises(Exception, match="shared_account") as caught:
            peer.provider().add_binding(ADDITION)
        shown.append(text_of(caught.value))

    hidden = (peer.OWNER_ID, peer.OWNER_NAME, peer.MEMBER_ID, peer.MEMBER_NAME, "13800000000", "王芳", "123405", "0003")
    assert not [canary for canary in hidden for text in shown if canary in text]
