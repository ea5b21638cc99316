"""Configuration → frozen Settings. The only module that reads the environment; every fault is told at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.domain.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class AppSettings:
    """
    One front-end app.

    Attributes:
        entry: Kind of entry: official_account, mini_program, h5, app, counter …; for operators to read.
        api_key_digests: SHA-256 (hex) of the API keys that are live now, two at most, so that a key can be rotated.
        signing_secret: When set, every request of this app must carry an HMAC signature made with it.
        regions: Administrative divisions it may collect for; None: all.
        methods: Allowed "provider.method" names; None: all.
    """

    name: str
    entry: str
    api_key_digests: tuple[str, ...]
    signing_secret: Secret | None = None
    regions: frozenset[str] | None = None
    methods: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountConfig:
    """
    One merchant account at one provider.

    Attributes:
        regions: Divisions it collects for; empty: every division that no other account of the provider names.
        callback_networks: Source networks (CIDR) allowed to post callbacks; empty: any, the signature decides.
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
    proxy: str | None
    values: Mapping[str, Any] = field(repr=False)


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
    order_ttl_seconds: int = 7200
    body_bytes_max: int = 65536
    trusted_proxies: int = 0
    bare_callbacks: bool = False
    log_level: str = "info"
