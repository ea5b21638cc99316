"""Every published test value of every vector file, through the adapter's own code."""

import re
from collections.abc import Mapping
from typing import Any, Final

import pytest

from adapters.bank.ccb.ebs_xml import read
from adapters.bank.ccb.keys import load_counter_key
from adapters.bank.ccb.methods import PRODUCTS
from adapters.bank.ccb.numbers import order_id_of
from adapters.bank.ccb.signing import mac, mac_text, signed_texts
from adapters.bank.ccb.wire import js_escape, order_fields, order_text
from gateway.domain.provider import CallbackRefused, NoVerdict
from gateway.domain.report import ReportedRefundState, ReportedState
from gateway.domain.secret import Secret
from tests.adapters.bank_ccb import peer
from tests.conformance.case import FixedClock
from tests.conformance.network import playing

MACS: Final = peer.vector("ccb_order_mac")["cases"]
CALLBACKS: Final = peer.vector("ccb_callback")["cases"]
ANSWERS: Final = peer.vector("ccb_ebs_xml")["cases"]
PUB: Final = load_counter_key(peer.text("ccb_merchant_public.hex")).pub
PUB_AFTER: Final = {"520100": "TYPE", "530590": "TYPE", "530550": "TIMEOUT", "410408": ""}


def each(cases: list[dict[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in cases])


def text_of(params: Mapping[str, str], mac_input: str) -> str:
    """The params in the order of the vector's own text, for the query form, which orders them in another way."""
    if params["TXCODE"] != "410408":
        return mac_text(params, PUB, PUB_AFTER[params["TXCODE"]])
    names = [piece.split("=")[0] for piece in mac_input.split("&")]
    return mac_text({name: "" if name == "QUPWD" else params[name] for name in names}, PUB, "")


@each(MACS)
def test_mac_of_vector_is_made_as_by_the_public_clients(case: dict[str, Any]) -> None:
    """The exact text, PUB at its place, and its digest."""
    text = text_of(case["params"], case["mac_input"])

    assert case["mac_input"] == text
    assert case["mac"] == mac(text)


@pytest.mark.parametrize(
    ("case", "mistake"),
    [pytest.param(case, wrong, id=f"{case['id']}-{wrong['why']}") for case in MACS for wrong in case["must_not_equal"]],
)
def test_usual_mistake_makes_another_mac(case: dict[str, Any], mistake: dict[str, Any]) -> None:
    """None of them is what is sent."""
    assert mistake["mac_input"] != text_of(case["params"], case["mac_input"])
    assert mistake["mac"] != case["mac"]


@each([case for case in MACS if "query_params_in_order" in case])
def test_pub_is_never_among_what_is_sent(case: dict[str, Any]) -> None:
    """It is in the MAC's text alone, and the MAC comes last."""
    sent = dict(case["query_params_in_order"])

    assert "PUB" not in sent
    assert {**case["params"], "MAC": case["mac"]} == sent


@pytest.mark.parametrize(
    ("method", "vector", "changes", "settings"),
    [
        ("h5", "h5-520100-minimal", {"amount_fen": 40000}, {"referer": None, "goods_text": "none"}),
        (
            "h5",
            "h5-520100-chinese-escaped",
            {"amount_fen": 38050, "description": "城乡居民医保", "fields": {"client_ip": "10.1.2.1"}},
            {},
        ),
        (
            "app",
            "h5-520100-thirdappinfo",
            {"amount_fen": 1, "fields": {"client_ip": "127.0.0.1"}},
            {"third_app_info": "comccbpay105000073990001gateway", "referer": None},
        ),
        ("qr", "qr-530550-timeout", {"amount_fen": 40000}, {}),
    ],
    ids=["h5-minimal", "h5-chinese", "app", "qr"],
)
def test_order_has_the_fields_of_the_vector_in_its_order(
    method: str, vector: str, changes: dict[str, Any], settings: dict[str, Any]
) -> None:
    """Same names, same places, same values but for number, remarks and times, which are ours."""
    case = next(case for case in MACS if case["id"] == vector)
    request = peer.payment(method, **{"fields": {}, **changes})
    fields = order_fields(peer.provider(**settings)._config, PRODUCTS[method], request)
    ours = {
        "ORDERID": order_id_of(peer.NUMBER),
        "REMARK1": "",
        "REMARK2": "",
        "REGINFO": "",
        "TIMEOUT": "20260301105029",
    }
    wanted = {name: ours.get(name, value) for name, value in case["params"].items()}
    text = mac_text(wanted, PUB, PRODUCTS[method].pub_after)

    assert list({**wanted, "MAC": mac(text)}.items()) == list(fields.items())
    assert [name for name, _ in case["query_params_in_order"]] == [
        piece.split("=")[0] for piece in order_text(fields).split("&")
    ]


@pytest.mark.parametrize(
    ("text", "escaped"),
    [("参保人", "%u53C2%u4FDD%u4EBA"), ("aZ09@*_+-./", "aZ09@*_+-./"), ("~ &é%", "%7E%20%26%E9%25")],
)
def test_goods_text_is_escaped_as_by_javascript(text: str, escaped: str) -> None:
    """The first pair is the vector's; the others follow the rule of the sheet."""
    assert escaped == js_escape(text)


# --- callbacks --------------------------------------------------------------------------------------------------------


@each(CALLBACKS)
def test_callback_of_vector_is_judged_as_by_the_banks_own_program(case: dict[str, Any]) -> None:
    """Valid or not; and of those valid only SUCCESS=Y is paid."""
    raw = peer.callback(peer.form([tuple(pair) for pair in case["post"]]))
    posted = dict(case["post"])
    if not case["valid"]:
        with pytest.raises(CallbackRefused) as refused:
            peer.provider().parse_callback(raw)
        assert "signature" == refused.value.reason
        return
    report = peer.provider().parse_callback(raw).report

    assert report is not None
    assert (posted["ORDERID"], ()) == (report.out_trade_no, report.contradictions)
    assert int(posted["PAYMENT"].replace(".", "")) == report.amount_fen
    assert (ReportedState.PAID if posted["SUCCESS"] == "Y" else ReportedState.PENDING) is report.state


@each(CALLBACKS)
def test_signed_text_of_vector_is_one_of_those_tried(case: dict[str, Any]) -> None:
    """The canonical one, whatever order the fields were posted in."""
    texts = signed_texts({name: value.encode("ascii") for name, value in case["post"]})

    assert case["signed_string"].encode("ascii") == texts["canonical"]


# --- the client program -----------------------------------------------------------------------------------------------

STATE: Final = {
    "query-paid": (ReportedState.PAID, 40000, 0),
    "query-refunded-part": (ReportedState.PAID, 40000, 10000),
    "query-failed": (ReportedState.FAILED, None, None),
    "query-pending": (ReportedState.PENDING, None, None),
    "query-error-code": (ReportedState.NOT_FOUND, None, None),
}
OUTCOMES: Final = {
    ReportedState.PAID: "paid",
    ReportedState.FAILED: "failed",
    ReportedState.PENDING: "unknown",
    ReportedState.NOT_FOUND: "unknown",
}


def renamed(case: dict[str, Any]) -> bytes:
    """The vector's bytes with the numbers of this test in place of its own."""
    body = re.sub(rb"JM202601000000[0-9]{2}", peer.ORDER_ID.encode(), peer.decoded(case))
    return re.sub(rb"[12]000000000000001(?=</REQUEST_SN>)", peer.REQUEST_SN.encode(), body)


@each([case for case in ANSWERS if case["id"] in STATE])
def test_query_answer_of_vector_gives_its_outcome(case: dict[str, Any]) -> None:
    """Read from its GB18030 bytes, long after the payment was made, so that a failure is final."""
    answer = peer.answered(renamed(case))
    provider = peer.provider(FixedClock(peer.CREATED_AT + 2 * peer.PAY_MARGIN))
    with playing(answer, answer):
        report = provider.query(peer.ref(amount_fen=40000)).report

    assert STATE[case["id"]] == (report.state, report.amount_fen, report.refunded_total_fen)
    assert case["expected"]["outcome"] == OUTCOMES[report.state]


@each([case for case in ANSWERS if case["id"] not in STATE])
def test_refund_answer_of_vector_is_a_refund_taken(case: dict[str, Any]) -> None:
    """Taken, which a 5W1003 must prove to be done: refunds may wait for the bank, too."""
    asked = peer.refund(amount_fen=10000, total_fen=40000)
    with playing(peer.no_record(), peer.no_record(), peer.answered(renamed(case))):
        refund = peer.provider().refund(asked).report.refund

    assert refund is not None
    assert (ReportedRefundState.SUBMITTED, 10000) == (refund.state, refund.amount_fen)
    assert "refunded" == case["expected"]["outcome"]


@each(ANSWERS)
def test_answer_of_vector_holds_its_texts(case: dict[str, Any]) -> None:
    """Chinese texts included, the values are those that the vector names."""
    root = read(peer.decoded(case))
    info = root.all("TX_INFO")[0]
    record = info.all("LIST")[0] if info.all("LIST") else info
    found = {name.lower(): record.get(name) for name in ("ORDER_STATUS", "PAYMENT_MONEY", "REFUND_MONEY")}
    found |= {name.lower(): info.get(name) for name in ("ORDER_NUM", "PAY_AMOUNT", "AMOUNT")}
    found["return_code"] = root.get("RETURN_CODE")

    assert case["expected"] == {name: text for name, text in found.items() if text} | {
        "outcome": case["expected"]["outcome"]
    }
    assert {"张*", ""} >= {record.get("ACC_NAME")}
    assert {"流水不存在", ""} >= {root.get("RETURN_MSG")}


@each(ANSWERS)
def test_answer_of_vector_to_another_question_is_no_verdict(case: dict[str, Any]) -> None:
    """Its REQUEST_SN is not the one that was sent."""
    answer = peer.answered(peer.decoded(case))
    with playing(answer), pytest.raises(NoVerdict):
        peer.provider().query(peer.ref())


def test_pub_is_the_last_thirty_characters_of_the_key() -> None:
    """Not the first ones, which are the same for every key."""
    assert Secret("c022a0016e0f6130742b4d47020111") == PUB
