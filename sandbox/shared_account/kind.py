"""What the sandbox must know of the shared account: its page and control calls for bindings, its faults, gmssl-pyx."""

from collections.abc import Mapping
from typing import Final

from sandbox.kind import Cashier, ControlCall, Kind, Page, Reference, Sections, integer_of, text_of
from sandbox.shared_account import sm
from sandbox.shared_account.faults import SharedAccountFault
from sandbox.shared_account.keys import PROVIDER, SharedAccountKeys, load_keys, new_files
from sandbox.shared_account.simulator import SharedAccountSimulator
from sandbox.wire import Json

_STATE_TEXTS: Final = {"0": "已解除", "1": "有效", "2": "待审核", "3": "审核未通过"}
_RELATION_TEXTS: Final = {"01": "配偶", "02": "父母", "03": "子女"}


def configuration(keys: SharedAccountKeys, base_url: str, reference: Reference) -> Sections:
    """A channel of one region, with the simulator's own forms."""
    return {
        f"accounts.{PROVIDER}": {
            "provider": PROVIDER,
            "base_url": base_url,
            "app_id": keys.identity.app_id,
            "app_secret": reference("shared_account_app_secret.txt"),
            "app_private_key": reference("shared_account_app_private_key.pem"),
            "platform_public_keys": [reference("shared_account_platform_public_key.pem")],
            "sm2_user_id": "default",
            "sig_format": "raw",
            "key_order": "ascii",
            "regions": ["340104"],
            "statement_hour": 10,
        }
    }


def lacks() -> str:
    """The one package that has SM2 here."""
    return "" if sm.available() else "needs the package gmssl-pyx"


def _show_bindings(simulator: SharedAccountSimulator, _query: Mapping[str, str]) -> Json:
    return {"bindings": simulator.bindings(), "states": _STATE_TEXTS, "relations": _RELATION_TEXTS}


def _decide(simulator: SharedAccountSimulator, form: Mapping[str, str]) -> None:
    simulator.decide(form.get("bind_id", ""), form.get("decision", ""))


def _list_bindings(simulator: SharedAccountSimulator, _content: Json) -> Json:
    return {"bindings": simulator.bindings()}


def _decide_and_list(simulator: SharedAccountSimulator, content: Json) -> Json:
    simulator.decide(text_of(content, "bind_id"), text_of(content, "decision"))
    return _list_bindings(simulator, content)


def _set_account(simulator: SharedAccountSimulator, content: Json) -> Json:
    state = text_of(content, "state") if "state" in content else "1"
    return simulator.set_account(
        text_of(content, "owner_id_no"), balance_fen=integer_of(content, "balance_fen"), state=state
    )


KIND: Final = Kind(
    provider=PROVIDER,
    title="医保个人账户共济",
    colour="#0f6b74",
    new_files=new_files,
    load_keys=load_keys,
    configuration=configuration,
    build=SharedAccountSimulator,
    mounts=("/sa/<path:_rest>",),
    cashier=Cashier(payable=frozenset({"1"})),
    pages=(Page(path="/bindings", title="绑定关系", template="bindings.html", show=_show_bindings, act=_decide),),
    calls=(
        ControlCall(method="GET", path="/bindings", run=_list_bindings),
        ControlCall(method="POST", path="/bindings", run=_decide_and_list),
        ControlCall(method="POST", path="/account", run=_set_account),
    ),
    state_texts={"1": "待扣款", "6": "已支付", "7": "已关闭", "8": "已撤销", "14": "扣款失败"},
    operations=("bind_check", "bind_list", "bind", "unbind", "balance"),
    faults=SharedAccountFault,
    answer_seconds=10,
    lacks=lacks,
)
