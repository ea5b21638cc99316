"""Faults that show only when the configuration's keys and tables are held against each other."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from ipaddress import ip_network
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from gateway.domain.entry import ENTRY_KINDS, works_in
from gateway.domain.webhook_address import address_allowed, is_address
from schemas.config import Fault

_WIDEST_PREFIX: Final = {4: 8, 6: 7}
"""10.0.0.0/8, fc00::/7: a wider one would open plain HTTP, and this machine, by the way. Source: RFC 1918, RFC 4193."""


def check_apps(valid: Mapping[str, Mapping[str, Any]], unsure: Collection[str]) -> Iterator[Fault]:
    """An app's methods need an account; lists with faults of their own are left out."""
    providers = {account.get("provider") for account in valid["accounts"].values()}
    for key, app in ((f"apps.{name}", app) for name, app in valid["apps"].items()):
        for index, method in enumerate(app.get("methods", ()) if f"{key}.methods" not in unsure else ()):
            if method.partition(".")[0] not in providers:
                yield f"{key}.methods[{index}]", "names a provider that no account has"


def check_keys(valid: Mapping[str, Mapping[str, Any]], unsure: Collection[str]) -> Iterator[Fault]:
    """An API key names one app or one operator."""
    owners: dict[str, str] = {}
    for family in ("apps", "operators"):
        for name, table in valid[family].items():
            key = f"{family}.{name}.api_keys"
            for index, digest in enumerate(table.get("api_keys", ()) if key not in unsure else ()):
                place = f"{key}[{index}]"
                if owners.setdefault(digest, place) != place:
                    yield place, f"is the same key as {owners[digest]}"


def check_regions(
    accounts: Mapping[str, Mapping[str, Any]], tables: Mapping[str, Any], unsure: Collection[str]
) -> Iterator[Fault]:
    """
    One account of a provider for each division, and one for all the others. Institutions that collect by biller ids are
    left out: payments begin at the bank, so nobody has to choose, and many banks collect for one division.
    """
    owners: dict[tuple[str, str], str] = {}
    for name, account in accounts.items():
        if "provider" not in account or f"accounts.{name}.regions" in unsure or "billers" in tables["accounts"][name]:
            continue
        for region in dict.fromkeys(account.get("regions") or [""]):
            owner = owners.setdefault((account["provider"], region), name)
            if owner != name:
                what = f"{region} is also served by" if region else "names none, and so does"
                yield f"accounts.{name}.regions", f"{what} accounts.{owner} of the same provider"


def check_webhooks(apps: Mapping[str, Mapping[str, Any]], unsure: Collection[str]) -> Iterator[Fault]:
    """A webhook needs address and secrets; plain HTTP and an address that is not public need a named network."""
    for name, app in apps.items():
        place = f"apps.{name}"
        if {f"{place}.webhook_url", f"{place}.webhook_secrets", f"{place}.webhook_networks"} & set(unsure):
            continue
        url, networks = app.get("webhook_url"), app.get("webhook_networks", ())
        if url is None:
            for key in ("webhook_secrets", "webhook_networks"):
                if key in app:
                    yield f"{place}.{key}", "is of no use without webhook_url"
            continue
        if "webhook_secrets" not in app:
            yield f"{place}.webhook_secrets", "is missing: webhooks are always signed"
        yield from _check_widths(f"{place}.webhook_networks", networks)
        yield from _check_webhook_address(f"{place}.webhook_url", urlsplit(url), networks)


def _check_widths(place: str, networks: Sequence[str]) -> Iterator[Fault]:
    for index, network in enumerate(map(ip_network, networks)):
        if network.prefixlen < _WIDEST_PREFIX[network.version]:
            yield f"{place}[{index}]", "is wider than any private network: at most /8, IPv6 /7"


def _check_webhook_address(place: str, url: SplitResult, networks: Sequence[str]) -> Iterator[Fault]:
    if url.scheme == "http" and not networks:
        yield place, "must be https://…; http:// is for the networks that webhook_networks names"
    if is_address(url.hostname or "") and not address_allowed(url.hostname or "", networks):
        yield place, "is not a public address and lies in none of webhook_networks"


def check_entries(apps: Mapping[str, Mapping[str, Any]], unsure: Collection[str]) -> Iterator[Fault]:
    """An app may be allowed only what can work where it meets the payer; faulty lists are left out."""
    for name, app in apps.items():
        entry, place = app.get("entry"), f"apps.{name}.methods"
        if entry is None or place in unsure:
            continue
        for index, method in enumerate(app.get("methods", ())):
            if not works_in(entry, method):
                title = ENTRY_KINDS[entry].title
                yield f"{place}[{index}]", f"cannot work in an entry of the kind {entry} ({title})"


def check_agents(valid: Mapping[str, Mapping[str, Any]], unsure: Collection[str]) -> Iterator[Fault]:
    """An agent's apps exist and collect for its regions; its code and the name of its account are its own."""
    owners: dict[str, str] = {}
    for name, agent in valid["agents"].items():
        place = f"agents.{name}"
        if name in valid["accounts"]:
            yield place, "has the name of an account: in payments and ledger they would be one"
        code = agent.get("code")
        if code is not None and owners.setdefault(code, place) != place:
            yield f"{place}.code", f"is also the code of {owners[code]}"
        if f"{place}.apps" not in unsure:
            for index, app in enumerate(agent.get("apps", ())):
                if app not in valid["apps"]:
                    yield f"{place}.apps[{index}]", "names no app"
        yield from _check_regions(place, agent, valid["apps"], unsure)


def _check_regions(
    place: str, agent: Mapping[str, Any], apps: Mapping[str, Mapping[str, Any]], unsure: Collection[str]
) -> Iterator[Fault]:
    """A division that none of its apps may collect for is a mistake on one side."""
    lists = (f"{place}.regions", f"{place}.apps", *(f"apps.{app}.regions" for app in agent.get("apps", ())))
    if any(name in unsure for name in lists):
        return
    of_apps = [apps.get(app, {}).get("regions") for app in agent.get("apps", ())]
    if not of_apps or None in of_apps:
        return
    reached = {region for regions in of_apps for region in regions or ()}
    for index, region in enumerate(agent.get("regions", ())):
        if region not in reached:
            yield f"{place}.regions[{index}]", "is a division that none of its apps may collect for"
