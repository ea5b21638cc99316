"""The control interface: JSON, for tests, demonstrations and chaos runs; docs/sandbox.md lists the calls."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, Response, jsonify, request

from sandbox.clock import rfc3339
from sandbox.kind import ControlCall, Kind, text_of
from sandbox.registry import all_kinds
from sandbox.simulator import Simulator
from sandbox.wire import Json, PayRefused

if TYPE_CHECKING:
    from sandbox.app import Sandbox

_RULE_FIELDS: Final[dict[str, tuple[type, ...]]] = {
    "fault": (str,),
    "provider": (str,),
    "operation": (str,),
    "out_trade_no": (str,),
    "times": (int,),
    "for_seconds": (int, float),
    "seconds": (int, float),
}


def control_blueprint(sandbox: "Sandbox") -> Blueprint:
    """Everything below /control: the common calls, and each party's own."""
    control = Blueprint("control", __name__, url_prefix="/control")
    own = [(kind, call) for kind in all_kinds().values() for call in kind.calls]
    runs = [(call, partial(call.run, sandbox)) for call in _CALLS]
    runs += [(call, partial(_own, sandbox, kind, call)) for kind, call in own]
    for call, run in runs:
        view = partial(_answered, run)
        control.add_url_rule(call.path, f"{call.method} {call.path}", view, methods=[call.method])
    control.register_error_handler(PayRefused, partial(_refused, 409))
    control.register_error_handler(ValueError, partial(_refused, 400))
    return control


def _answered(run: Callable[[Json], Json]) -> Response:
    return jsonify(run(_content()))


def _refused(code: int, fault: Exception) -> tuple[Response, int]:
    return jsonify({"error": str(fault)}), code


def _own(sandbox: "Sandbox", kind: Kind, call: ControlCall, content: Json) -> Json:
    if kind.provider not in sandbox.simulators:
        raise ValueError(f"{kind.provider} {kind.lacks()}")
    return call.run(sandbox.simulators[kind.provider], content)


def _pay(sandbox: "Sandbox", content: Json) -> Json:
    return _chosen(sandbox, content).pay(text_of(content, "out_trade_no"))


def _cancel(sandbox: "Sandbox", content: Json) -> Json:
    return _chosen(sandbox, content).cancel(text_of(content, "out_trade_no"))


def _clock(sandbox: "Sandbox", _content: Json) -> Json:
    return {
        "now": rfc3339(sandbox.clock.now()),
        "frozen": sandbox.clock.frozen,
        "jobs_waiting": sandbox.clock.waiting(),
    }


def _advance(sandbox: "Sandbox", content: Json) -> Json:
    seconds = content.get("seconds")
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        raise ValueError("seconds must be a number")
    ran = sandbox.clock.advance(seconds)
    return {**_clock(sandbox, content), "jobs_run": ran}


def _orders(sandbox: "Sandbox", _content: Json) -> Json:
    return {"orders": sandbox.orders()}


def _books(sandbox: "Sandbox", content: Json) -> Json:
    return dict(_chosen(sandbox, content).books())


def _callbacks(sandbox: "Sandbox", _content: Json) -> Json:
    entries = [entry for simulator in sandbox.simulators.values() for entry in simulator.deliveries()]
    return {"deliveries": sorted(entries, key=lambda entry: str(entry["at"]))}


def _faults(sandbox: "Sandbox", _content: Json) -> Json:
    return {"faults": [rule.shown() for rule in sandbox.faults.in_force()]}


def _add_fault(sandbox: "Sandbox", content: Json) -> Json:
    return sandbox.faults.add(**_rule_fields(content)).shown()


def _clear_faults(sandbox: "Sandbox", _content: Json) -> Json:
    return {"cleared": sandbox.faults.clear()}


def _rotate(sandbox: "Sandbox", content: Json) -> Json:
    return {"certificate": _chosen(sandbox, content).rotate_certificate()}


_CALLS: Final = (
    ControlCall(method="POST", path="/pay", run=_pay),
    ControlCall(method="POST", path="/cancel", run=_cancel),
    ControlCall(method="GET", path="/clock", run=_clock),
    ControlCall(method="POST", path="/clock/advance", run=_advance),
    ControlCall(method="GET", path="/orders", run=_orders),
    ControlCall(method="GET", path="/books", run=_books),
    ControlCall(method="GET", path="/callbacks", run=_callbacks),
    ControlCall(method="GET", path="/faults", run=_faults),
    ControlCall(method="POST", path="/faults", run=_add_fault),
    ControlCall(method="DELETE", path="/faults", run=_clear_faults),
    ControlCall(method="POST", path="/rotate", run=_rotate),
)


def _content() -> Json:
    if request.method != "POST":
        return request.args.to_dict()
    content = request.get_json(force=True, silent=True)
    if not isinstance(content, dict):
        raise ValueError("the body must be a JSON object")
    return content


def _chosen(sandbox: "Sandbox", content: Json) -> Simulator:
    simulator = sandbox.simulators.get(text_of(content, "provider"))
    if simulator is None:
        raise ValueError(f"provider must be one of {', '.join(sandbox.simulators)}")
    return simulator


def _rule_fields(content: Json) -> dict[str, Any]:
    for name, value in content.items():
        if name not in _RULE_FIELDS or isinstance(value, bool) or not isinstance(value, _RULE_FIELDS[name]):
            raise ValueError(f"unknown field or wrong type: {name[:32]!r}")
    if "fault" not in content:
        raise ValueError("fault is missing")
    return content
