"""What goes on the wire: the sealed business objects, their addresses, and what is refused before anything is sent."""

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import pytest

from adapters.shared_account.methods import CHARGE, METHODS
from gateway.domain.bindings import BindingRequest, Proof, ProofKind, Unbinding
from gateway.domain.order import Person, PremiumSubject
from gateway.domain.provider import NoVerdict, ProviderError, RequestRefused
from tests.adapters.shared_account import peer
from tests.conformance.case import WireRequest
from tests.conformance.network import playing, read_timeout

OWNER: Final = peer.OWNER
MEMBER: Final = peer.MEMBER
ADDITION: Final = BindingRequest(
    owner=OWNER,
    member=MEMBER,
    relation="child",
    phone="13800000000",
    notice_agreed=True,
    proofs=(
        Proof(kind=ProofKind.HOUSEHOLD_REGISTER, file_no="F0002", sm3_hex="1" * 64),
        Proof(kind=ProofKind.MARRIAGE_CERTIFICATE, file_no="F0001", sm3_hex="2" * 64),
    ),
    req_sn="R19E6AE34AE6CE57",
)
OWNER_MEMBERS: Final = {"ownerIdType": "01", "ownerIdNo": peer.OWNER_ID, "ownerName": peer.OWNER_NAME}


def last_sent(act: Callable[[], Any], *replies: Any) -> WireRequest:
    with playing(*replies, read_timeout()) as network, pytest.raises(NoVerdict):
        act()
    return network.sent[-1]


def nothing_sent(act: Callable[[], Any], raises: type[ProviderError] = RequestRefused) -> ProviderError:
    with playing() as network, pytest.raises(raises) as caught:
        act()
    assert network.sent == []
    return caught.value


# --- the envelope -----------------------------------------------------------------------------------------------------


def test_request_is_sealed_and_says_nothing_in_the_clear() -> None:
    """Only the envelope's own members; amounts and people are inside."""
    sent = last_sent(lambda: peer.provider().query(peer.payment_ref()))

    members = json.loads(sent.body)
    assert ["appId", "encType", "signType", "timestamp", "version", "transType", "encData", "signData"] == list(members)
    assert {"appId": peer.APP_ID, "timestamp": "1760751020000", "version": "2.0.1"}.items() <= members.items()
    assert members["encData"].isupper()
    assert "application/json; charset=utf-8" == sent.headers["content-type"]
    assert "identity" == sent.headers["accept-encoding"]


def test_charge_carries_exactly_the_sheet_members() -> None:
    """The binding is asked about first, then the whole amount is charged."""
    sent = last_sent(lambda: peer.provider().create(peer.payment()), peer.bound())

    assert (peer.BASE_URL + "/sa/pay/charge", peer.CHARGE_DATA) == (sent.url, peer.data_of(sent))


def test_charge_names_other_kinds_of_document() -> None:
    """By the channel's own codes; a number of another kind has no check digit; letters go up."""
    fields = peer.fields(owner_id_type="passport", owner_id_number="h1234567(8)")
    insured = Person(name=peer.MEMBER_NAME, id_type="residence_permit", id_number="34010420220301000x")
    payment = peer.payment(fields=fields, subject=peer.subject(insured=insured))
    id_types = {"resident_id": "01", "residence_permit": "02", "passport": "03"}

    sent = last_sent(lambda: peer.provider(id_types=id_types).create(payment), peer.bound())

    told = peer.data_of(sent)
    assert ("03", "H1234567(8)") == (told["ownerIdType"], told["ownerIdNo"])
    assert ("02", "34010420220301000X") == (told["memberIdType"], told["memberIdNo"])


def test_two_tries_of_a_charge_differ_in_their_trace_number_alone() -> None:
    """reqSn is the call's own; what is judged as content is equal."""
    nonces = iter(("A" * 32, "B" * 32))
    provider = peer.provider()
    provider._tools = type(provider._tools)(
        clock=provider._tools.clock, nonce=lambda: next(nonces), transport=provider._tools.transport
    )

    first, second = (peer.data_of(last_sent(lambda: provider.create(peer.payment()), peer.bound())) for _ in range(2))

    assert {"reqSn"} == {name for name in first if first[name] != second[name]}


@pytest.mark.parametrize(
    ("act", "path", "data"),
    [
        (lambda p: p.query(peer.payment_ref()), "/sa/pay/query", {"outTradeNo": peer.WIRE_NUMBER}),
        (
            lambda p: p.query(peer.payment_ref(provider_trade_no=peer.PAY_ORD_ID)),
            "/sa/pay/query",
            {"outTradeNo": peer.WIRE_NUMBER, "payOrdId": peer.PAY_ORD_ID},
        ),
        (
            lambda p: p.refund(peer.refund_request(provider_trade_no=None, reason="")),
            "/sa/pay/revoke",
            {
                "outTradeNo": peer.WIRE_NUMBER,
                "revokeSn": peer.WIRE_REFUND_NUMBER,
                "amt": "380.01",
                "reason": "退费",
            },
        ),
        (
            lambda p: p.refund(peer.refund_request(reason="a\x00\n" + "长" * 90)),
            "/sa/pay/revoke",
            {
                "outTradeNo": peer.WIRE_NUMBER,
                "payOrdId": peer.PAY_ORD_ID,
                "revokeSn": peer.WIRE_REFUND_NUMBER,
                "amt": "380.01",
                "reason": "a" + "长" * 79,
            },
        ),
        (lambda p: p.check_binding(OWNER, MEMBER, "340104"), "/sa/bind/check", peer.CHECK_DATA),
        (lambda p: p.list_bindings(OWNER), "/sa/bind/list", OWNER_MEMBERS),
        (
            lambda p: p.read_balance(OWNER, "340104"),
            "/sa/acct/balance",
            {**OWNER_MEMBERS, "insuplcAdmdvs": "340104"},
        ),
        (
            lambda p: p.remove_binding(Unbinding(owner=OWNER, bind_id="B1", req_sn="R1")),
            "/sa/bind/remove",
            {**OWNER_MEMBERS, "bindId": "B1", "reqSn": "R1"},
        ),
        (
            lambda p: p.add_binding(ADDITION),
            "/sa/bind/add",
            {
                **peer.PEOPLE,
                "relCode": "03",
                "phone": "13800000000",
                "noticeAgreed": "1",
                "proofs": [
                    {"proofType": "02", "fileSn": "F0002", "sm3": "1" * 64},
                    {"proofType": "01", "fileSn": "F0001", "sm3": "2" * 64},
                ],
                "reqSn": "R19E6AE34AE6CE57",
            },
        ),
    ],
    ids=["query", "query both", "refund", "refund awkward", "check", "list", "balance", "remove", "add"],
)
def test_request_carries_exactly_the_sheet_members(act: Callable[[Any], Any], path: str, data: dict[str, Any]) -> None:
    """No empty member, no number as a number."""
    sent = last_sent(lambda: act(peer.provider()))

    assert (peer.BASE_URL + path, data) == (sent.url, peer.data_of(sent))


def test_addition_without_proofs_sends_no_empty_list() -> None:
    """Empty members are left out of every request."""
    addition = BindingRequest(
        owner=OWNER, member=MEMBER, relation="spouse", phone="13800000000", notice_agreed=True, proofs=(), req_sn="R1"
    )

    assert "proofs" not in peer.data_of(last_sent(lambda: peer.provider().add_binding(addition)))


def test_paths_are_as_configured() -> None:
    """A platform may lay its operations elsewhere."""
    provider = peer.provider(paths={"sa.pay.query": "/x/y"})

    assert peer.BASE_URL + "/x/y" == last_sent(lambda: provider.query(peer.payment_ref())).url


# --- refused before anything is sent ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"owner_id_number": "340104198506150003"}, "ownerIdNo"),
        ({"owner_id_number": "34010419850615000"}, "ownerIdNo"),
        ({"owner_name": "a\nb"}, "ownerName"),
        ({"owner_id_type": "passport"}, "ownerIdType"),
    ],
)
def test_charge_to_an_account_holder_who_cannot_be_right_is_not_sent(changes: dict[str, str], where: str) -> None:
    """The member is named, what stood in it is not."""
    error = nothing_sent(lambda: peer.provider().create(peer.payment(fields=peer.fields(**changes))))

    assert str(error).endswith(where)
    assert not any(value.strip() and value in str(error) for value in changes.values())


@pytest.mark.parametrize(
    ("subject", "where"),
    [
        (peer.subject(insured=replace(MEMBER, id_number="340104201809210004")), "memberIdNo"),
        (peer.subject(insured=replace(MEMBER, id_number="３40104201809210003")), "memberIdNo"),
        (peer.subject(insured=replace(MEMBER, name="  ")), "memberName"),
        (peer.subject(insured=replace(MEMBER, name="\ud800")), "memberName"),
        (peer.subject(insured=replace(MEMBER, id_type="other")), "memberIdType"),
        (peer.subject(region="210200"), "insuplcAdmdvs"),
        (peer.subject(insurance_kind="resident_pension"), "insutype"),
        (None, "memberIdNo"),
    ],
    ids=["check digit", "full-width", "blank name", "half a character", "document", "region", "kind", "no subject"],
)
def test_charge_for_a_premium_that_cannot_be_sent_is_not_sent(subject: PremiumSubject | None, where: str) -> None:
    """The order's own words, checked again before they go out."""
    error = nothing_sent(lambda: peer.provider().create(peer.payment(subject=subject)))

    assert str(error).endswith(where)
    assert subject is None or not subject.insured.name.strip() or subject.insured.name not in str(error)


def test_charge_is_for_the_premium_of_the_order() -> None:
    """Person, region, year and kind; the front end has no word in it."""
    subject = peer.subject(region="340124", insured_year=2027, insurance_kind="newborn_medical")
    settings = {"insutypes": {"resident_medical": "390", "newborn_medical": "391"}}

    sent = last_sent(lambda: peer.provider(**settings).create(peer.payment(subject=subject)), peer.bound())

    told = peer.data_of(sent)
    assert ("340124", "2027", "391") == (told["insuplcAdmdvs"], told["insuYear"], told["insutype"])


@pytest.mark.parametrize("changes", [{"amount_fen": 0}, {"amount_fen": -1}, {"amount_fen": 10_000_000_001}])
def test_charge_of_no_amount_is_not_sent(changes: dict[str, int]) -> None:
    """From one fen on, up to the limit."""
    nothing_sent(lambda: peer.provider().create(peer.payment(**changes)))


@pytest.mark.parametrize("number", ["0199c9d1", "0" * 33, "0199c9d", "0199c9d1-0007-7000", "编号00000000"])
def test_number_beyond_the_alphabet_is_not_sent(number: str) -> None:
    """[A-Z0-9]{8,32}."""
    if number == "0199c9d1":
        assert {"outTradeNo": "0199C9D1"} == peer.data_of(
            last_sent(lambda: peer.provider().query(peer.payment_ref(out_trade_no=number)))
        )
        return
    nothing_sent(lambda: peer.provider().query(peer.payment_ref(out_trade_no=number)))


@pytest.mark.parametrize("amount_fen", [1, 38000, 38002, 0])
def test_partial_refund_is_not_sent(amount_fen: int) -> None:
    """Whole amount or nothing."""
    nothing_sent(lambda: peer.provider().refund(peer.refund_request(amount_fen=amount_fen)))


@pytest.mark.parametrize(
    ("changes", "settings", "code"),
    [
        ({"notice_agreed": False}, {}, "SA2014"),
        ({"relation": "sibling"}, {}, "SA2005"),
        ({"relation": "03"}, {}, "SA2005"),
        ({"relation": "child"}, {"relations": {"spouse": "01"}}, "SA2005"),
        ({"proofs": ()}, {"proof_rules": {"child": ["household_register"]}}, "SA2014"),
        ({"phone": "call me"}, {}, ""),
        ({"req_sn": ""}, {}, ""),
        ({"proofs": (Proof(kind=ProofKind.OTHER, file_no="F1", sm3_hex="no"),)}, {}, ""),
    ],
    ids=["notice", "relation", "a code", "region's relations", "proof", "phone", "no reqSn", "no digest"],
)
def test_addition_that_the_region_refuses_is_not_sent(
    changes: dict[str, Any], settings: dict[str, Any], code: str
) -> None:
    """The notice, the relation and its proofs are judged here first."""
    error = nothing_sent(lambda: peer.provider(**settings).add_binding(replace(ADDITION, **changes)))

    assert code == error.code


def test_charges_are_asked_about_as_the_sheet_plans() -> None:
    """Sheet section 5: 5, 10 and 30 s, then 1, 2, 5, 10, 30 and 60 minutes, then every hour."""
    minutes = [60 * each for each in (1, 2, 5, 10, 30, 60, 120)]

    assert [5, 10, 30, *minutes] == list(itertools.accumulate(METHODS[CHARGE].query_pauses))
