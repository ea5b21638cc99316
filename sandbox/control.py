"""The control interface: JSON, for tests, demonstrations and chaos runs; docs/sandbox.md lists the calls."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, Response, jsonify, request

from sandbox.clock import rfc3339
from sandbox.wire import Json, PayRefused

if TYPE_CHECKING:
    from sandbox.app import Sandbox, Simulator
    from sandbox.shared_account.simulator import SharedAccountSimulator

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
    """Everything below /control."""
    control = Blueprint("control", __name__, url_prefix="/control")
    for method, path, run in _CALLS:
        control.add_url_rule(path, f"{method} {path}", partial(_answered, run, sandbox), methods=[method])
    control.register_error_handler(PayRefused, partial(_refused, 409))
    control.register_error_handler(ValueError, partial(_refused, 400))
    return control


def _answered(run: Callable[["Sandbox"], Json], sandbox: "Sandbox") -> Response:
    return jsonify(run(sandbox))


def _refused(code: int, fault: Exception) -> tuple[Response, int]:
    return jsonify({"error": str(fault)}), code


def _pay(sandbox: "Sandbox") -> Json:
    return _chosen(sandbox).pay(_text("out_trade_no"))


def _cancel(sandbox: "Sandbox") -> Json:
    return _chosen(sandbox).cancel(_text("out_trade_no"))


def _clock(sandbox: "Sandbox") -> Json:
    return {
        "now": rfc3339(sandbox.clock.now()),
        "frozen": sandbox.clock.frozen,
        "jobs_waiting": sandbox.clock.waiting(),
    }


def _advance(sandbox: "Sandbox") -> Json:
    seconds = _content().get("seconds")
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        raise ValueError("seconds must be a number")
    ran = sandbox.clock.advance(seconds)
    return {**_clock(sandbox), "jobs_run": ran}


def _orders(sandbox: "Sandbox") -> Json:
    return {"orders": sandbox.orders()}


def _books(sandbox: "Sandbox") -> Json:
    return dict(_named(sandbox, request.args.get("provider", "")).books())


def _callbacks(sandbox: "Sandbox") -> Json:
    entries = [entry for simulator in sandbox.simulators.values() for entry in simulator.deliveries()]
    return {"deliveries": sorted(entries, key=lambda entry: str(entry["at"]))}


def _faults(sandbox: "Sandbox") -> Json:
    return {"faults": [rule.shown() for rule in sandbox.faults.in_force()]}


def _add_fault(sandbox: "Sandbox") -> Json:
    return sandbox.faults.add(**_rule_fields()).shown()


def _clear_faults(sandbox: "Sandbox") -> Json:
    return {"cleared": sandbox.faults.clear()}


def _rotate(sandbox: "Sandbox") -> Json:
    return {"certificate": _chosen(sandbox).rotate_certificate()}


def _bindings(sandbox: "Sandbox") -> Json:
    return {"bindings": _shared_account(sandbox).bindings()}


def _decide(sandbox: "Sandbox") -> Json:
    _shared_account(sandbox).decide(_text("bind_id"), _text("decision"))
    return _bindings(sandbox)


def _account(sandbox: "Sandbox") -> Json:
    balance_fen = _content().get("balance_fen")
    if not isinstance(balance_fen, int) or isinstance(balance_fen, bool):
        raise ValueError("balance_fen must be an integer")
    state = _text("state") if "state" in _content() else "1"
    return _shared_account(sandbox).set_account(_text("owner_id_no"), balance_fen=balance_fen, state=state)


_CALLS: Final = (
    ("POST", "/pay", _pay),
    ("POST", "/cancel", _cancel),
    ("GET", "/clock", _clock),
    ("POST", "/clock/advance", _advance),
    ("GET", "/orders", _orders),
    ("GET", "/books", _books),
    ("GET", "/callbacks", _callbacks),
    ("GET", "/faults", _faults),
    ("POST", "/faults", _add_fault),
    ("DELETE", "/faults", _clear_faults),
    ("POST", "/rotate", _rotate),
    ("GET", "/bindings", _bindings),
    ("POST", "/bindings", _decide),
    ("POST", "/account", _account),
)


def _content() -> Json:
    content = request.get_json(force=True, silent=True)
    if not isinstance(content, dict):
        raise ValueError("the body must be a JSON object")
    return content


def _text(name: str) -> str:
    value = _content().get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a text")
    return value


def _chosen(sandbox: "Sandbox") -> "Simulator":
    return _named(sandbox, _text("provider"))


def _named(sandbox: "Sandbox", provider: str) -> "Simulator":
    simulator = sandbox.simulators.get(provider)
    if simulator is None:
        raise ValueError(f"provider must be one of {', '.join(sandbox.simulators)}")
    return simulator


def _shared_account(sandbox: "Sandbox") -> "SharedAccountSimulator":
    if sandbox.shared_account is None:
        raise ValueError("shared_account needs the package gmssl-pyx")
    return sandbox.shared_account


def _rule_fields() -> dict[str, Any]:
    content = _content()
    for name, value in content.items():
        if name not in _RULE_FIELDS or isinstance(value, bool) or not isinstance(value, _RULE_FIELDS[name]):
            raise ValueError(f"unknown field or wrong type: {name[:32]!r}")
    if "fault" not in content:
        raise ValueError("fault is missing")
    return content
