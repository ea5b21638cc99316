"""The settings of one channel. Refuses one that could not prove the platform's messages, or that guesses how to."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, cast

from adapters.kit.config import AccountSettings
from adapters.kit.sm import DEFAULT_USER_ID, SM2_PACKAGES, Sm2, SmLibraryMissing, find_sm2
from adapters.kit.sm_keys import Sm2PrivateKey, Sm2PublicKey, load_sm2_private_key, load_sm2_public_key
from adapters.shared_account.canonical import ASCII_ORDER, NOCASE_ORDER
from adapters.shared_account.envelope import SIG_DER, SIG_RAW, Envelope, EnvelopeRefused, always, derive_key
from adapters.shared_account.people import ID_TYPES
from adapters.shared_account.tables import (
    DEFAULT_PATHS,
    INSUTYPES,
    ORD_STAS_REFUNDED,
    PROOF_TYPES,
    RELATIONS,
    STATE_BY_ORD_STAS,
    TransType,
)
from gateway.domain.report import ReportedState
from gateway.domain.secret import Secret

USER_ID_DEFAULT: Final = "default"
USER_ID_APP_SECRET: Final = "app_secret"  # noqa: S105  the name of a choice

_BASE_URL: Final = r"https://[^\s/?#@]+(/[^\s?#]*)?|http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?(/[^\s?#]*)?"
_APP_ID: Final = r"[0-9A-Za-z]{16,64}"
_APP_SECRET: Final = re.compile(r"[!-~]{16,128}")
_REGION: Final = r"[0-9]{6}"
_PATH: Final = re.compile(r"/[^\s?#]{1,200}")
_ORD_STAS: Final = re.compile(r"[0-9]{1,2}")
_WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_REL_CODE: Final = re.compile(r"[0-9]{2}")
_ID_TYPE: Final = re.compile(r"[0-9A-Za-z]{1,8}")
_INSUTYPE: Final = re.compile(r"[0-9]{3}")

_PLATFORM_KEYS_MAX: Final = 4
_SELF_TEST: Final = b"jiaofei sm2 self test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """
    One channel, keys already parsed.

    Attributes:
        regions: Divisions (6 digits) that it collects for; each has its own statement.
        state_by_ord_stas: The sheet's table with the region's changes.
        insutypes: The platform's code of each insurance kind that may be paid.
        relations: The relCode of each relation that may be bound.
        id_types: The platform's code of each kind of document that it takes.
        proof_rules: For a relation, the kinds of proof that must come with it.
        reverses_blindly: The platform accepts 冲正 of a payment whose outcome is unknown.
        repeats_orphans: Ask for a callback about an unknown number again, instead of leaving it to the statement.
        statement_hour: When the statement of the day before is ready.
    """

    envelope: Envelope
    base_url: str
    paths: Mapping[TransType, str]
    regions: tuple[str, ...]
    insutypes: Mapping[str, str]
    state_by_ord_stas: Mapping[str, ReportedState]
    relations: Mapping[str, str]
    id_types: Mapping[str, str]
    proof_rules: Mapping[str, tuple[str, ...]]
    reverses_blindly: bool
    repeats_orphans: bool
    statement_hour: int
    expiries: Mapping[str, datetime] = field(default_factory=dict)


def read_config(settings: AccountSettings) -> Config:
    """
    Read one `[accounts.<name>]` table. Source: sheet section 8.

    Raises:
        SettingsInvalid: With every fault at once.
    """
    platform_keys = _read_platform_keys(settings)
    envelope = _read_envelope(settings, platform_keys)
    config = Config(
        envelope=cast("Envelope", envelope),  # `finish` raises if it is missing
        base_url=settings.text("base_url", pattern=_BASE_URL).rstrip("/"),
        paths=_read_paths(settings),
        regions=_read_regions(settings),
        insutypes=_read_codes(settings, "insutypes", _INSUTYPE, INSUTYPES),
        state_by_ord_stas=_read_ord_stas(settings),
        relations=_read_codes(settings, "relations", _REL_CODE, RELATIONS),
        id_types=_read_codes(settings, "id_types", _ID_TYPE, ID_TYPES),
        proof_rules=_read_proof_rules(settings),
        reverses_blindly=settings.choice("blind_reversal", ("off", "on"), default="off") == "on",
        repeats_orphans=settings.choice("orphan_ack", ("accept", "repeat"), default="accept") == "repeat",
        statement_hour=settings.number("statement_hour", least=0, most=23, default=10),
        expiries={
            f"platform_public_keys {position + 1}": key.ends_at
            for position, key in enumerate(platform_keys)
            if key.ends_at is not None
        },
    )
    _try_sample(settings, envelope)
    settings.finish()
    return config


# --- keys -------------------------------------------------------------------------------------------------------------


def _read_platform_keys(settings: AccountSettings) -> tuple[Sm2PublicKey, ...]:
    texts = settings.texts("platform_public_keys")
    if settings.has("platform_public_keys") and not 0 < len(texts) <= _PLATFORM_KEYS_MAX:
        settings.fault("platform_public_keys", f"must have 1 to {_PLATFORM_KEYS_MAX} keys")
    keys = []
    for position, text in enumerate(texts):
        try:
            keys.append(load_sm2_public_key(text))
        except ValueError as exc:
            settings.fault("platform_public_keys", f"no. {position + 1} {exc}")
    return tuple(keys)


def _read_envelope(settings: AccountSettings, platform_keys: Sequence[Sm2PublicKey]) -> Envelope | None:
    library = _read_library(settings)
    private_key = settings.loaded("app_private_key", load_sm2_private_key)
    app_id = settings.text("app_id", pattern=_APP_ID)
    app_secret = settings.loaded("app_secret", _load_app_secret)
    user_id_kind = settings.choice("sm2_user_id", (USER_ID_DEFAULT, USER_ID_APP_SECRET))
    order = settings.choice("key_order", (ASCII_ORDER, NOCASE_ORDER), default=ASCII_ORDER)
    sig_format = settings.choice("sig_format", (SIG_RAW, SIG_DER), default=SIG_RAW)
    window = timedelta(seconds=settings.number("clock_window_seconds", least=1, most=3600, default=600))
    if library is None or private_key is None or app_secret is None or not app_id:
        return None
    user_id = app_secret.reveal().encode() if user_id_kind == USER_ID_APP_SECRET else DEFAULT_USER_ID
    _try_pair(settings, library, private_key, user_id)
    # The commonest mix-up: the platform's key, and not the one that we gave it. Source: sheet section 1.4.
    if any(key.point == private_key.public.point for key in platform_keys):
        settings.fault("platform_public_keys", "holds our own public key")
    return Envelope(
        app_id=app_id,
        app_secret=app_secret,
        key=derive_key(app_id, app_secret.reveal()),
        sign=lambda message: library.sign(private_key, message, user_id),
        verify=_verifier(library, tuple(platform_keys), user_id),
        order=order,
        sig_format=sig_format,
        window=window,
    )


def _verifier(library: Sm2, keys: Sequence[Sm2PublicKey], user_id: bytes) -> Callable[[bytes, bytes], bool]:
    """No message names its key: in a change-over each of the configured ones is tried. Source: sheet section 1.4."""
    return lambda message, signature: any(library.verify(key, message, user_id, signature) for key in keys)


def _read_library(settings: AccountSettings) -> Sm2 | None:
    name = settings.choice("sm2_backend", tuple(SM2_PACKAGES), default=next(iter(SM2_PACKAGES)))
    try:
        return find_sm2(name)
    except SmLibraryMissing as exc:
        settings.fault("sm2_backend", str(exc))
        return None


def _load_app_secret(text: str) -> Secret:
    plain = text.strip()
    if _APP_SECRET.fullmatch(plain) is None:
        raise ValueError("is not 16 to 128 printable ASCII characters")
    return Secret(plain)


def _try_pair(settings: AccountSettings, library: Sm2, key: Sm2PrivateKey, user_id: bytes) -> None:
    """Start-up self-test. Source: sheet section 8."""
    if not library.verify(key.public, _SELF_TEST, user_id, library.sign(key, _SELF_TEST, user_id)):
        settings.fault("app_private_key", "does not verify what it signed")


def _try_sample(settings: AccountSettings, envelope: Envelope | None) -> None:
    """A stored callback of the platform tells whether user ID, order of names and keys fit. Source: section 10."""
    sample = settings.secret("platform_sample", default=None)
    if sample is None or envelope is None:
        return
    try:
        envelope.open(sample.reveal().strip().encode("utf-8", "replace"), now=None, needs_data=always)
    except EnvelopeRefused as exc:
        settings.fault("platform_sample", f"is not proven under these settings: {exc.reason}")


# --- the region's profile ---------------------------------------------------------------------------------------------


def _read_regions(settings: AccountSettings) -> tuple[str, ...]:
    regions = settings.texts("regions", pattern=_REGION)
    if settings.has("regions") and not regions:
        settings.fault("regions", "must name the divisions: a charge and a statement are for one each")
    return tuple(dict.fromkeys(regions))


def _read_paths(settings: AccountSettings) -> Mapping[TransType, str]:
    paths = dict(DEFAULT_PATHS)
    for name, path in settings.table("paths", default=None).items():
        if name not in set(TransType) or not isinstance(path, str) or _PATH.fullmatch(path) is None:
            settings.fault("paths", "must give operations such as sa.pay.charge a path each, without a query")
            continue
        paths[TransType(name)] = path
    return MappingProxyType(paths)


def _read_ord_stas(settings: AccountSettings) -> Mapping[str, ReportedState]:
    states = dict(STATE_BY_ORD_STAS)
    words = set(ReportedState) - {ReportedState.NOT_FOUND}
    for ord_stas, word in settings.table("ord_stas_map", default=None).items():
        if str(word) not in words or _ORD_STAS.fullmatch(ord_stas) is None or ord_stas == ORD_STAS_REFUNDED:
            settings.fault("ord_stas_map", f"must give ordStas values other than 8 one of {', '.join(sorted(words))}")
            continue
        states[ord_stas] = ReportedState(word)
    return MappingProxyType(states)


def _read_codes(
    settings: AccountSettings, key: str, code: re.Pattern[str], default: Mapping[str, str]
) -> Mapping[str, str]:
    """A table of our words to the platform's codes; given, it replaces the default as a whole."""
    table = settings.table(key, default=None)
    fits = all(
        _WORD.fullmatch(word) and isinstance(value, str) and code.fullmatch(value) for word, value in table.items()
    )
    if not fits or len(set(table.values())) < len(table):
        settings.fault(key, f"must give words such as {next(iter(default))} a code each that matches {code.pattern}")
        return default
    return MappingProxyType(dict(table)) if table else default


def _read_proof_rules(settings: AccountSettings) -> Mapping[str, tuple[str, ...]]:
    rules: dict[str, tuple[str, ...]] = {}
    for relation, kinds in settings.table("proof_rules", default=None).items():
        is_list = isinstance(kinds, (list, tuple)) and set(map(str, kinds)) <= set(PROOF_TYPES)
        if _WORD.fullmatch(relation) is None or not is_list:
            settings.fault("proof_rules", f"must give relations a list each of {', '.join(PROOF_TYPES)}")
            continue
        rules[relation] = tuple(map(str, kinds))
    return MappingProxyType(rules)
