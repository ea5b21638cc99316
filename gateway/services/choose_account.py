"""Which merchant account takes a payment, and what an app may use at all."""

import re
from collections.abc import Mapping

from gateway.domain.entry import works_in
from gateway.domain.order import Order
from gateway.domain.provider import Method, Operation
from gateway.domain.refusal import Refusal
from gateway.services.deps import Deps


def _serves(deps: Deps, account: str, region: str | None) -> bool:
    """A named region takes precedence: an account without regions serves what no sister account names."""
    own = deps.account(account)
    if own.regions:
        return region in own.regions
    sisters = (a for a in deps.settings.accounts.values() if a.provider == own.provider)
    return not any(region in sister.regions for sister in sisters)


def offered_methods(deps: Deps, app: str, region: str | None) -> dict[str, tuple[str, Method]]:
    """What this app may use for this region, and what can work in its entry: "provider.method" → (account, method)."""
    entry, allowed = deps.settings.apps[app].entry, deps.settings.apps[app].methods
    offered = {}
    for account, provider in deps.providers.items():
        if not _serves(deps, account, region) or Operation.CREATE not in provider.capabilities:
            continue
        for method in provider.methods.values():
            name = f"{provider.name}.{method.name}"
            if (allowed is None or name in allowed) and works_in(entry, name):
                offered[name] = (account, method)
    return offered


def choose_account(deps: Deps, order: Order, provider: str, method: str) -> tuple[str, Method]:
    """
    The account and method for a payment of this order.

    Raises:
        Refusal: method_not_available, naming what is; subject_required.
    """
    _check_subject(deps, order, provider, method)
    offered = offered_methods(deps, order.app, order.region)
    if f"{provider}.{method}" not in offered:
        raise Refusal(
            "method_not_available",
            _why_not(deps, provider),
            extra={"allowed": sorted(offered)},
        )
    return offered[f"{provider}.{method}"]


def _why_not(deps: Deps, provider: str) -> str:
    namesakes = [p for p in deps.providers.values() if p.name == provider]
    if namesakes and not any(Operation.CREATE in p.capabilities for p in namesakes):
        return "payments with that provider begin in its own app and cannot be started from here"
    return "this app cannot use that provider and method for this order"


def _check_subject(deps: Deps, order: Order, provider: str, method: str) -> None:
    """Said before the choice: an order without a region finds no account of one, which would be no clear answer."""
    namesakes = (p.methods.get(method) for p in deps.providers.values() if p.name == provider)
    if order.subject_sealed is None and any(one is not None and one.needs_subject for one in namesakes):
        raise Refusal(
            "subject_required",
            "this method pays a premium alone: open the order with its subject (insured person, region, year, kind)",
        )


def check_fields(method: Method, fields: Mapping[str, str]) -> None:
    """
    Check a method's own fields.

    Raises:
        Refusal: invalid_request, with every field at fault.
    """
    faults: dict[str, list[str]] = {}
    for name, spec in method.fields.items():
        if name not in fields and spec.required:
            faults[name] = ["is required by this method"]
        elif name in fields and re.fullmatch(spec.pattern, fields[name]) is None:
            faults[name] = [f"must match {spec.pattern}"]
    for name in fields:
        if name not in method.fields:
            faults[name] = ["is not a field of this method"]
    if faults:
        raise Refusal("invalid_request", "the method's fields are not right", errors={"fields": faults})
