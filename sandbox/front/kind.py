"""What the sandbox must know of the front-end app: its receiver, its page, its faults."""

from collections.abc import Mapping
from typing import Final

from sandbox.front.faults import FrontFault
from sandbox.front.keys import PROVIDER, FrontKeys, load_keys, new_files
from sandbox.front.simulator import OPERATION, FrontSimulator
from sandbox.kind import ControlCall, Kind, Page, Reference, Sections
from sandbox.wire import Json

_FAULT_TEXTS: Final = {
    FrontFault.WEBHOOK_REFUSED: "回 500",
    FrontFault.WEBHOOK_BUSY: "回 503，要求稍后",
    FrontFault.WEBHOOK_UNANSWERED: "不应答",
    FrontFault.WEBHOOK_REDIRECTED: "重定向",
    FrontFault.WEBHOOK_GONE: "回 410（停用）",
}


def configuration(keys: FrontKeys, base_url: str, reference: Reference) -> Sections:
    """Where the app takes its webhooks: on loopback, without TLS, which its network allows."""
    return {
        f"apps.{keys.identity.app}": {
            "webhook_url": f"{base_url}/hooks",
            "webhook_secrets": [reference("front_webhook_secret.txt")],
            "webhook_networks": ["127.0.0.0/8"],
        }
    }


def _show(simulator: FrontSimulator, _query: Mapping[str, str]) -> Json:
    return {"received": simulator.received(), "faults": _FAULT_TEXTS}


def _fail_next(simulator: FrontSimulator, form: Mapping[str, str]) -> None:
    simulator.fail_next(form.get("fault", ""))


def _list(simulator: FrontSimulator, _content: Json) -> Json:
    return {"webhooks": simulator.received()}


KIND: Final = Kind(
    provider=PROVIDER,
    title="业务系统",
    colour="#4b5563",
    new_files=new_files,
    load_keys=load_keys,
    configuration=configuration,
    build=FrontSimulator,
    mounts=("/hooks",),
    pages=(Page(path="/received", title="收到的通知", template="received.html", show=_show, act=_fail_next),),
    calls=(ControlCall(method="GET", path="/webhooks", run=_list),),
    operations=(OPERATION,),
    faults=FrontFault,
)
