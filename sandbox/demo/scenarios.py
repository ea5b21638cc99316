"""Orders to walk through: one by every provider, bank, shared account and agent, and payers who change their minds."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from stdnum.cn import ric

from sandbox.demo.installation import PAID_SECONDS, Installation, wait

Json = dict[str, Any]
Walk = Callable[[Installation], str]
"""Does what app and payer do, and returns the order's id, which is paid sooner or later."""

AMOUNT_FEN: Final = 38001
REGION: Final = "340104"
_YEAR: Final = 2026


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """
    One order to walk through.

    Attributes:
        needs: The account that must be configured; without it the scenario is left out, and that is said.
    """

    channel: str
    method: str
    title: str
    walk: Walk
    needs: str = ""


def _person(name: str, born: str) -> Json:
    """An invented person: the sequence 000 is given to nobody."""
    body = f"{REGION}{born}000"
    return {"name": name, "id_type": "resident_id", "id_number": body + ric.calc_check_digit(f"{body}0")}


OWNER: Final = _person("演示授权人", "19850615")
CHILD: Final = _person("演示使用人", "20180921")
AT_THE_BANK: Final = _person("演示缴费人甲", "19900101")
AT_THE_OTHER_BANK: Final = _person("演示缴费人乙", "19910101")
AT_THE_AGENT: Final = _person("演示缴费人丙", "19920101")


def _subject(insured: Mapping[str, str]) -> Json:
    kind = "resident_medical"
    return {"region": REGION, "insured_year": _YEAR, "insurance_kind": kind, "insured": dict(insured)}


def _open_order(installation: Installation, insured: Mapping[str, str] | None = None) -> str:
    content: Json = {
        "client_order_no": f"demo-{uuid.uuid4().hex[:20]}",
        "amount_fen": AMOUNT_FEN,
        "description": "城乡居民医保缴费（演示）",
    }
    order = installation.call("POST", "/v1/orders", content | ({"subject": _subject(insured)} if insured else {}))
    return str(order["order_id"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Cashier:
    """
    A way to pay at a provider.

    Attributes:
        opens: The payer opens the cashier in a browser before paying, which is when such a trade comes to be.
    """

    provider: str
    method: str
    fields: Mapping[str, str] = field(default_factory=dict)
    opens: bool = False

    def start(self, installation: Installation, order_id: str) -> Json:
        """Start a payment of the order."""
        body = {"provider": self.provider, "method": self.method, "fields": dict(self.fields)}
        payment: Json = installation.call("POST", f"/v1/orders/{order_id}/payments", body)
        return payment

    def pay(self, installation: Installation, payment: Mapping[str, Any], *, faults: tuple[str, ...] = ()) -> None:
        """Do with the instruction what the payer does; faults are switched on for this payment alone."""
        paid = {"provider": self.provider, "out_trade_no": payment["out_trade_no"]}
        for fault in faults:
            installation.control("POST", "/faults", {"fault": fault, **paid})
        if self.opens:
            installation.open_cashier(payment["instruction"])
        installation.control("POST", "/pay", paid)


_RETURN: Final = {"return_url": "https://front.example/paid"}
_WECHAT_CODE: Final = Cashier(provider="wechatpay", method="native")
_ALIPAY_CODE: Final = Cashier(provider="alipay", method="qr")


def _at(cashier: Cashier, *, faults: tuple[str, ...] = ()) -> Walk:
    def walk(installation: Installation) -> str:
        order_id = _open_order(installation)
        cashier.pay(installation, cashier.start(installation, order_id), faults=faults)
        return order_id

    return walk


def _changed_mind(installation: Installation) -> str:
    """The payer opens WeChat, gives up, and pays by Alipay: the first way is shut, the second pays the order."""
    order_id = _open_order(installation)
    first = _WECHAT_CODE.start(installation, order_id)
    installation.control("POST", "/cancel", {"provider": "wechatpay", "out_trade_no": first["out_trade_no"]})
    _ALIPAY_CODE.pay(installation, _ALIPAY_CODE.start(installation, order_id))
    return order_id


def _paid_twice(installation: Installation) -> str:
    """The payer pays by both: one is kept, the other goes back by itself."""
    order_id = _open_order(installation)
    first, second = (cashier.start(installation, order_id) for cashier in (_WECHAT_CODE, _ALIPAY_CODE))
    _WECHAT_CODE.pay(installation, first)
    _ALIPAY_CODE.pay(installation, second)
    wait(
        lambda: any(r["reason"] == "surplus" for r in installation.call("GET", f"/v1/orders/{order_id}")["refunds"]),
        PAID_SECONDS,
        f"nothing went back of order {order_id}",
    )
    return order_id


def _shared_account(installation: Installation) -> str:
    """The employee binds a child and pays the child's premium; there is no cashier to open."""
    holder = {"region": REGION, "owner": OWNER}
    proof = {"kind": "household_register", "file_no": "F0001", "sm3": "ab" * 32}
    binding = installation.call(
        "POST",
        "/v1/shared-accounts/bindings",
        {
            **holder,
            "member": CHILD,
            "relation": "child",
            "phone": "13800000000",
            "notice_agreed": True,
            "proofs": [proof],
        },
    )
    order_id = _open_order(installation, CHILD)
    fields = {
        "bind_id": binding["bind_id"],
        "owner_name": OWNER["name"],
        "owner_id_number": OWNER["id_number"],
        "pay_auth_no": f"AUTH{uuid.uuid4().hex[:12].upper()}",
    }
    Cashier(provider="shared_account", method="charge", fields=fields).start(installation, order_id)
    return order_id


def _at_the_bank(person: Mapping[str, str], way: str) -> Walk:
    """The payer finds the bill in the bank's own app and pays it there."""

    def walk(installation: Installation) -> str:
        order_id = _open_order(installation, person)
        asked = {"id_no": person["id_number"], "name": person["name"], "year": str(_YEAR), "way": way}
        [bill] = installation.control("POST", "/biller/bills", asked)["bills"]
        installation.control("POST", "/biller/payments", {"bill_no": bill["bill_no"]})
        return order_id

    return walk


def _at_the_agent(installation: Installation) -> str:
    """The agent took cash; the record opens and pays an order of its own."""
    record = {
        **_subject(AT_THE_AGENT),
        "agent_code": "V-01",
        "proof_no": f"P-{uuid.uuid4().hex[:12]}",
        "collected_on": installation.today(),
        "method": "cash",
        "amount_fen": AMOUNT_FEN,
    }
    answer = installation.call("POST", "/v1/collections", {"records": [record]})
    return str(answer["results"][0]["order_id"])


def _cashier_scenario(cashier: Cashier, title: str = "callback arrives", faults: tuple[str, ...] = ()) -> Scenario:
    walk = _at(cashier, faults=faults)
    return Scenario(channel=cashier.provider, method=cashier.method, title=title, walk=walk, needs=cashier.provider)


SCENARIOS: Final = (
    _cashier_scenario(Cashier(provider="wechatpay", method="jsapi", fields={"openid": "oTest-not-a-person-000000001"})),
    _cashier_scenario(_WECHAT_CODE),
    _cashier_scenario(Cashier(provider="alipay", method="wap", opens=True)),
    _cashier_scenario(_ALIPAY_CODE),
    _cashier_scenario(Cashier(provider="unionpay", method="wap", fields=_RETURN, opens=True)),
    _cashier_scenario(Cashier(provider="unionpay", method="app")),
    _cashier_scenario(Cashier(provider="bank_ccb", method="qr")),
    _cashier_scenario(Cashier(provider="bank_abchina", method="h5", opens=True)),
    _cashier_scenario(Cashier(provider="bank_icbc", method="showpay", opens=True)),
    Scenario(
        channel="shared_account",
        method="charge",
        title="bound, then charged",
        walk=_shared_account,
        needs="shared_account",
    ),
    Scenario(
        channel="bank_bbp",
        method="bank's app",
        title="bill paid at the bank",
        walk=_at_the_bank(AT_THE_BANK, "bbp"),
        needs="bank_bbp",
    ),
    Scenario(
        channel="bank_abchina_ebpp",
        method="bank's app",
        title="bill paid at the bank",
        walk=_at_the_bank(AT_THE_OTHER_BANK, "ebpp"),
        needs="bank_abchina_ebpp",
    ),
    Scenario(channel="agent", method="cash", title="record handed in", walk=_at_the_agent),
    Scenario(channel="wechatpay → alipay", method="native → qr", title="change of mind", walk=_changed_mind),
    Scenario(channel="wechatpay + alipay", method="native + qr", title="paid twice, one back", walk=_paid_twice),
    _cashier_scenario(_WECHAT_CODE, "callback never comes", ("callback_never",)),
)
