"""Configuration → frozen Settings. The only module that reads the environment; every fault is told at once."""

import os
import re
import ssl
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from marshmallow import Schema

from gateway.domain.collection import Agent
from gateway.domain.operator import Operator, Role
from gateway.domain.secret import Secret
from gateway.domain.webhook import WebhookReceiver
from schemas.config import FAMILIES, NAME_PATTERN, Fault, account_schema, check_table, gateway_schema
from schemas.config_checks import check_agents, check_apps, check_entries, check_keys, check_regions, check_webhooks

CONFIG_VARIABLE: Final = "GATEWAY_CONFIG"
CONFIG_DEFAULT: Final = "gateway.toml"
_TABLES: Final = ("gateway", "apps", "accounts", "agents", "operators")
_FILE_BYTES_MAX: Final = 65536
_CONFIG_BYTES_MAX: Final = 1 << 20
_VARIABLE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)
_FILE_NAME: Final = re.compile(r"[^\x00-\x1f\x7f]{1,255}")
_TOML_PLACE: Final = re.compile(r"\(at (line \d+, column \d+|end of document)\)")
_PUBLIC_TEXT: Final = re.compile(r"-----BEGIN (?:CERTIFICATE|PUBLIC KEY|RSA PUBLIC KEY)-----")


class SettingsInvalid(Exception):
    """
    The configuration cannot be used: tell the operator every fault and stop.

    Attributes:
        faults: One line per fault, each beginning with the key's path and never containing its value.
    """

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSettings:
    """
    One front-end app.

    Attributes:
        entry: Kind of entry, one of `gateway.domain.entry.ENTRY_KINDS`: it decides which methods can work.
        api_key_digests: SHA-256 (hex) of the API keys that are live now, two at most, so that a key can be rotated.
        signing_secret: When set, every request of this app must carry an HMAC signature made with it.
        regions: Administrative divisions it may collect for; None: all.
        methods: Allowed "provider.method" names; None: all.
        webhook: Where it is told of what becomes of its orders; None: nowhere.
    """

    name: str
    entry: str
    api_key_digests: tuple[str, ...]
    signing_secret: Secret | None = None
    regions: frozenset[str] | None = None
    methods: frozenset[str] | None = None
    webhook: WebhookReceiver | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountConfig:
    """
    One merchant account at one provider.

    Attributes:
        regions: Divisions it collects for; empty: every division that no other account of the provider names.
        callback_networks: Source networks (CIDR) allowed to post callbacks; empty: any, the signature decides.
        ca_file: Absolute path of an authority's certificates for this account; None: the usual ones.
        proxy: Address of the way out, perhaps with a password.
        values: The rest of the table, references resolved to Secrets; checked by the adapter.
    """

    name: str
    provider: str
    regions: frozenset[str]
    callback_networks: tuple[str, ...]
    connect_seconds: float
    answer_seconds: float
    connections_max: int
    ca_file: str | None
    proxy: str | None = field(repr=False)
    values: Mapping[str, Any] = field(repr=False)
    calls_per_second: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    Everything the gateway was told.

    Attributes:
        database_url: sqlite:///path or postgresql://…
        public_base_url: How providers and browsers reach us, without a trailing slash; callbacks go to
            {public_base_url}/callbacks/{provider}/{account}.
        data_keys: 32-byte keys, base64; the first seals, all open (rotation).
        index_key: Key of the blind indexes; changing it orphans them.
        token_key: Key of order tokens.
        order_ttl_seconds: Life of an order when the app names none.
        payment_ttl_seconds: Life of a payment, which never outlives its order.
        body_bytes_max: Longest request body.
        trusted_proxies: How many reverse proxies in front may be believed about the client's address.
        bare_callbacks: Serve callbacks by a plain WSGI function in front of Flask.
    """

    database_url: Secret
    public_base_url: str
    data_keys: tuple[Secret, ...]
    index_key: Secret
    token_key: Secret
    apps: Mapping[str, AppSettings]
    accounts: Mapping[str, AccountConfig]
    agents: Mapping[str, Agent] = field(default_factory=dict)
    operators: Mapping[str, Operator] = field(default_factory=dict)
    order_ttl_seconds: int = 7200
    payment_ttl_seconds: int = 7200
    body_bytes_max: int = 65536
    trusted_proxies: int = 0
    bare_callbacks: bool = False
    log_level: str = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSettings:
    """
    Settings, and what an operator should hear about them although they can be used.

    Attributes:
        warnings: One line each, beginning with the key's path.
    """

    settings: Settings
    warnings: tuple[str, ...]


def config_path(environ: Mapping[str, str] | None = None) -> Path:
    """The configuration file: what GATEWAY_CONFIG names, else gateway.toml in the working folder."""
    return Path((os.environ if environ is None else environ).get(CONFIG_VARIABLE) or CONFIG_DEFAULT)


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """
    Read the configuration file at `config_path`.

    Raises:
        SettingsInvalid: With every fault at once.
    """
    return load_with_warnings(environ).settings


def load_with_warnings(environ: Mapping[str, str] | None = None) -> LoadedSettings:
    """
    As `load_settings`, with the warnings beside.

    Raises:
        SettingsInvalid: With every fault at once.
    """
    environ = os.environ if environ is None else environ
    path = config_path(environ)
    references = _References(path.parent, environ)
    tables = references.resolve("", _read_toml(path))
    faults = [*references.faults, *_unknown_tables(tables)]
    valid, found = _check_tables(tables)
    resolved = {place for place, _ in references.faults}
    faults += [fault for fault in found if fault[0] not in resolved]
    unsure = {place.partition("[")[0] for place, _ in faults}
    faults += [*check_apps(valid, unsure), *check_regions(valid["accounts"], tables, unsure)]
    faults += [*check_entries(valid["apps"], unsure), *check_agents(valid, unsure)]
    faults += [*check_keys(valid, unsure), *check_webhooks(valid["apps"], unsure)]
    faults += _check_authorities(valid["accounts"], path.parent)
    if faults:
        raise SettingsInvalid([f"{place}: {text}" for place, text in faults])
    return LoadedSettings(settings=_build(tables, valid, path.parent), warnings=tuple(references.warnings))


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            raw = file.read(_CONFIG_BYTES_MAX + 1)
        if len(raw) > _CONFIG_BYTES_MAX:
            raise SettingsInvalid([f"{path}: is longer than {_CONFIG_BYTES_MAX} bytes"])
        return tomllib.loads(raw.decode())
    except OSError as exc:
        raise SettingsInvalid([f"{path}: cannot be read: {exc.strerror}"]) from None
    except tomllib.TOMLDecodeError as exc:
        place = _TOML_PLACE.search(str(exc))  # the rest of the text may quote a value
        raise SettingsInvalid([f"{path}: is not TOML, {place[1] if place else 'somewhere'}"]) from None
    except UnicodeDecodeError:
        raise SettingsInvalid([f"{path}: is not UTF-8"]) from None


# --- references -------------------------------------------------------------------------------------------------------


class _References:
    """Resolves `file:…` and `env:…`; what cannot be resolved is a fault and leaves an empty Secret behind."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.faults: list[Fault] = []
        self.warnings: list[str] = []
        self._folder = folder
        self._environ = environ
        self._contents: dict[Path, tuple[str, int]] = {}

    def resolve(self, place: str, value: Any) -> Any:
        """The value with a Secret in place of each reference in it, however deep."""
        if isinstance(value, dict):
            return {key: self.resolve(f"{place}.{key}" if place else key, below) for key, below in value.items()}
        if isinstance(value, list):
            return [self.resolve(f"{place}[{index}]", below) for index, below in enumerate(value)]
        if not isinstance(value, str) or not value.startswith(("file:", "env:")):
            return value
        kind, _, name = value.partition(":")
        try:
            return Secret(self._from_file(place, name) if kind == "file" else self._from_environment(name))
        except ValueError as exc:
            self.faults.append((place, str(exc)))
            return Secret("")

    def _from_environment(self, name: str) -> str:
        if _VARIABLE_NAME.fullmatch(name) is None:
            raise ValueError("does not name an environment variable after env:")
        if not self._environ.get(name):
            raise ValueError(f"environment variable {name} is not set")
        return self._environ[name]

    def _from_file(self, place: str, name: str) -> str:
        if _FILE_NAME.fullmatch(name) is None:
            raise ValueError("does not name a file after file:")
        path = self._folder / name
        if path not in self._contents:
            self._contents[path] = _read_referenced(path)
        text, mode = self._contents[path]
        if _is_private(place, text) and mode & stat.S_IROTH:
            self.warnings.append(
                f"{place}: every user of this machine may read {path}; take the right away (chmod 600)"
            )
        return text


def _read_referenced(path: Path) -> tuple[str, int]:
    """
    A file's text without its last line's end, and its mode.

    Raises:
        ValueError: With a text that shows nothing of the content.
    """
    try:
        if not path.is_file():
            raise ValueError(f"file {path} {'is not a plain file' if path.exists() else 'is missing'}")
        with path.open("rb") as file:
            raw, mode = file.read(_FILE_BYTES_MAX + 1), os.fstat(file.fileno()).st_mode
        text = raw.decode()
    except OSError as exc:
        raise ValueError(f"file {path} cannot be read: {exc.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"file {path} is not UTF-8 text") from None
    if len(raw) > _FILE_BYTES_MAX:
        raise ValueError(f"file {path} is longer than {_FILE_BYTES_MAX} bytes")
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise ValueError(f"file {path} is empty")
    return text, mode


def _is_private(place: str, text: str) -> bool:
    """Whether others must not read it: all but certificates and public keys, which providers hand to everyone."""
    if "PRIVATE KEY" in text:
        return True
    key = place.rpartition(".")[2]
    return _PUBLIC_TEXT.search(text) is None and "public" not in key and "cert" not in key


# --- checks -----------------------------------------------------------------------------------------------------------


def _unknown_tables(tables: Mapping[str, Any]) -> Iterator[Fault]:
    for name in tables:
        if name not in _TABLES:
            yield name, "is not a known table"


def _check_tables(tables: Mapping[str, Any]) -> tuple[dict[str, dict[str, Any]], list[Fault]]:
    """The valid values by table and name, and the faults of each table by itself."""
    gateway, faults = check_table(gateway_schema, "gateway", tables.get("gateway", {}))
    valid = {"gateway": gateway}
    for family, schema in FAMILIES.items():
        valid[family], found = _check_family(family, schema, tables.get(family, {}))
        faults += found
    return valid, faults


def _check_family(family: str, schema: Schema, tables: Any) -> tuple[dict[str, Any], list[Fault]]:
    if not isinstance(tables, dict):
        return {}, [(family, "must hold tables")]
    valid: dict[str, Any] = {}
    faults: list[Fault] = []
    for name, table in tables.items():
        if NAME_PATTERN.fullmatch(name) is None:
            faults.append((f"{family}.{name}", f"the name must match {NAME_PATTERN.pattern}"))
        valid[name], found = check_table(schema, f"{family}.{name}", table)
        faults += found
    return valid, faults


def _check_authorities(accounts: Mapping[str, Mapping[str, Any]], folder: Path) -> Iterator[Fault]:
    """Authorities are loaded once here, so that a bad file is known before the first payment."""
    for name, account in accounts.items():
        if "ca_file" not in account:
            continue
        try:
            ssl.create_default_context(cafile=folder / account["ca_file"])
        except OSError:  # ssl.SSLError is one
            yield f"accounts.{name}.ca_file", f"file {folder / account['ca_file']} has no readable PEM certificates"


# --- building ---------------------------------------------------------------------------------------------------------


def _build(tables: Mapping[str, Any], valid: Mapping[str, dict[str, Any]], folder: Path) -> Settings:
    """Only called when there are no faults."""
    gateway = valid["gateway"]
    return Settings(
        **gateway
        | {"data_keys": tuple(gateway["data_keys"]), "database_url": _anchored(gateway["database_url"], folder)},
        apps={name: _build_app(name, app) for name, app in valid["apps"].items()},
        accounts={
            name: _build_account(name, account, tables["accounts"][name], folder)
            for name, account in valid["accounts"].items()
        },
        agents={name: _build_agent(name, agent) for name, agent in valid["agents"].items()},
        operators={name: _build_operator(name, operator) for name, operator in valid["operators"].items()},
    )


def _anchored(database_url: Secret, folder: Path) -> Secret:
    """A relative SQLite path counts from the configuration's folder, so that every command opens the same file."""
    scheme, _, path = database_url.reveal().partition(":///")
    if scheme != "sqlite":
        return database_url
    return Secret(f"sqlite:///{(folder / path).absolute()}")


def _build_app(name: str, app: Mapping[str, Any]) -> AppSettings:
    return AppSettings(
        name=name,
        entry=app["entry"],
        api_key_digests=tuple(app["api_keys"]),
        signing_secret=app.get("signing_secret"),
        regions=frozenset(app["regions"]) if "regions" in app else None,
        methods=frozenset(app["methods"]) if "methods" in app else None,
        webhook=_build_webhook(app) if "webhook_url" in app else None,
    )


def _build_webhook(app: Mapping[str, Any]) -> WebhookReceiver:
    return WebhookReceiver(
        url=app["webhook_url"],
        secrets=tuple(app["webhook_secrets"]),
        networks=tuple(app.get("webhook_networks", ())),
    )


def _build_agent(name: str, agent: Mapping[str, Any]) -> Agent:
    sets = {key: frozenset(agent[key]) for key in ("regions", "apps") if key in agent}
    return Agent(name=name, **{"regions": None, **agent, **sets})


def _build_operator(name: str, operator: Mapping[str, Any]) -> Operator:
    return Operator(name=name, role=Role(operator["role"]), api_key_digests=tuple(operator["api_keys"]))


def _build_account(name: str, ours: Mapping[str, Any], table: Mapping[str, Any], folder: Path) -> AccountConfig:
    return AccountConfig(
        name=name,
        provider=ours["provider"],
        regions=frozenset(ours.get("regions", ())),
        callback_networks=tuple(ours.get("callback_networks", ())),
        connect_seconds=ours.get("connect_seconds", 3.0),
        answer_seconds=ours.get("answer_seconds", 10.0),
        connections_max=ours.get("connections_max", 64),
        calls_per_second=ours.get("calls_per_second"),
        ca_file=str((folder / ours["ca_file"]).absolute()) if "ca_file" in ours else None,
        proxy=ours.get("proxy"),
        values={key: value for key, value in table.items() if key not in account_schema.fields},
    )
