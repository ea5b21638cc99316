"""Which tests are asked about which module; each selection takes seconds."""

from typing import Final


def _of(adapter: str, *names: str) -> tuple[str, ...]:
    return tuple(f"tests/adapters/{adapter}/test_{name}.py" for name in names)


def _services(*names: str) -> tuple[str, ...]:
    return tuple(f"tests/services/test_{name}.py" for name in names)


_DOOR: Final = (
    "tests/services/test_record_report.py",
    "tests/services/test_accept_callback.py",
    "tests/services/test_surplus.py",
    "tests/services/test_refunds.py",
    "tests/services/test_refunds_outside.py",
    "tests/services/test_surplus_outside.py",
    "tests/services/test_close_order.py",
    "tests/services/test_start_payment.py",
    "tests/services/test_work.py",
    "tests/services/test_born_paid.py",
    "tests/services/test_replay.py",
    "tests/services/test_states.py",
    "tests/services/test_event_chain.py",
    "tests/states",
)
_KEYS: Final = (
    "tests/services/test_idempotency_key.py",
    "tests/services/test_idempotent.py",
    "tests/services/test_start_payment.py",
)

_COLLECT: Final = (
    "tests/settings/test_agents_and_entries.py",
    *_services("collect", "collect_batch", "resolve_review"),
)
_BILLER: Final = (
    "tests/services/biller",
    *_of("bank_bbp", "front", "dayfile", "answers"),
    *_of("bank_abchina_ebpp", "front"),
)
_DESK: Final = (
    "tests/services/test_shared_accounts.py",
    "tests/web/test_shared_accounts.py",
    *_of("shared_account", "bindings", "requests"),
)
_SM: Final = (*_of("kit", "sm"), *_of("shared_account", "sm", "vectors"))

_VALUES: Final = tuple(f"tests/domain/test_{name}.py" for name in ("words", "hidden", "refusals"))
"""About every value of the domain: the words that are stored, what a `repr` hides, what errors carry."""

_DOMAIN: Final[dict[str, tuple[str, ...]]] = {
    "biller": ("tests/domain/test_biller.py", *_VALUES, *_BILLER),
    "biller_front": ("tests/domain/test_biller.py", *_VALUES, *_BILLER),
    "biller_rows": (*_VALUES, "tests/services/biller"),
    "bindings": (*_VALUES, *_DESK),
    "clock": ("tests/domain/test_clock.py",),
    "collection": ("tests/domain/test_collection.py", *_VALUES, *_COLLECT),
    "entry": (
        "tests/domain/test_words.py",
        "tests/settings/test_agents_and_entries.py",
        "tests/settings/test_documentation.py",
    ),
    "events": ("tests/domain/test_events.py", "tests/services/test_event_chain.py"),
    "faults": ("tests/domain/test_faults.py",),
    "gate": ("tests/domain/test_gate.py", "tests/domain/test_words.py"),
    "idempotency": _KEYS,
    "ids": ("tests/domain/test_ids.py",),
    "money": ("tests/domain/test_money.py",),
    "operator": ("tests/domain/test_operator.py", *_VALUES),
    "order": (*_VALUES, *_DOOR),
    "provider": (
        "tests/domain/test_provider.py",
        "tests/domain/test_report.py",
        *_VALUES,
        "tests/services/test_accept_callback.py",
    ),
    "refusal": ("tests/domain/test_refusals.py",),
    "replay": (*_VALUES, "tests/services/test_replay.py"),
    "report": ("tests/domain/test_report.py", *_VALUES, *_DOOR),
    "review": (*_VALUES, *_services("resolve_review", "collect")),
    "schedule": ("tests/domain/test_schedule.py", *_services("work", "refunds", "close_order")),
    "secret": ("tests/domain/test_secret.py",),
    "statement": ("tests/domain/test_statement.py", "tests/domain/test_words.py"),
    "states": (
        "tests/domain/test_states.py",
        "tests/domain/test_words.py",
        "tests/services/test_states.py",
        "tests/states",
        *_DOOR,
    ),
    "strict_json": ("tests/domain/test_strict_json.py",),
    "webhook": ("tests/domain/test_webhook.py", *_VALUES, "tests/services/webhooks"),
    "webhook_address": ("tests/domain/test_webhook_address.py",),
}
_REFUNDED: Final = (*_services("refunds_outside", "surplus_outside", "refunds", "surplus"), *_DOOR)
_SERVICES: Final[dict[str, tuple[str, ...]]] = {
    "record_report": _DOOR,
    "record_refund": _REFUNDED,
    "told_refunds": _REFUNDED,
    "idempotent": (*_services("idempotent"), *_KEYS),
    "issue_refund": _services("refunds_reissued", "refunds", "surplus", "event_chain"),
    "reissue_refund": _services("refunds_reissued", "replay", "refunds"),
}
_SIGNING: Final[dict[str, tuple[str, ...]]] = {
    "gateway/web/auth.py": (
        "tests/web/test_signatures.py",
        "tests/web/test_credentials.py",
        "tests/web/test_credential_schemes.py",
        "tests/web/test_replays.py",
    ),
    "adapters/kit/sign.py": (*_of("kit", "sign"), *_of("alipay", "vectors")),
    "adapters/kit/sm.py": (*_SM, *_of("shared_account", "config")),
    "adapters/kit/sm_der.py": _SM,
    "adapters/kit/sm_keys.py": (*_SM, *_of("shared_account", "config")),
    "adapters/wechatpay/signing.py": _of(
        "wechatpay", "signing", "vectors", "callbacks", "callbacks_refused", "requests"
    ),
    "adapters/alipay/signing.py": _of("alipay", "signing", "vectors", "notify_vectors", "answers", "callbacks"),
    "adapters/unionpay/signing.py": _of("unionpay", "signing", "vectors", "form", "callbacks", "certificates"),
    "adapters/shared_account/canonical.py": _of("shared_account", "canonical", "vectors", "requests", "callbacks"),
    "adapters/shared_account/envelope.py": _of("shared_account", "vectors", "sm", "answers", "requests", "callbacks"),
    "adapters/bank/trustpay.py": _of("bank_abchina", "trustpay", "vectors", "config", "callbacks", "calls"),
    "adapters/bank/icbc/signing.py": _of("bank_icbc", "signing", "vectors", "config", "callbacks", "calls"),
    "adapters/bank/ccb/signing.py": _of("bank_ccb", "vectors", "callbacks", "calls"),
    "adapters/bank/ccb/keys.py": _of("bank_ccb", "keys", "vectors", "config", "callbacks"),
    "adapters/bank/bbp/signing.py": _of("bank_bbp", "signing", "vectors", "front", "answers", "config"),
}

SELECTIONS: Final[dict[str, tuple[str, ...]]] = {
    **{f"gateway/domain/{name}.py": tests for name, tests in _DOMAIN.items()},
    **{f"gateway/services/{name}.py": tests for name, tests in _SERVICES.items()},
    **_SIGNING,
}
