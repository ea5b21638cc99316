"""Which tests are asked about which module; each selection takes seconds."""

from typing import Final


def _of(adapter: str, *names: str) -> tuple[str, ...]:
    return tuple(f"tests/adapters/{adapter}/test_{name}.py" for name in names)


_DOOR: Final = (
    "tests/services/test_accept_callback.py",
    "tests/services/test_surplus.py",
    "tests/services/test_refunds.py",
    "tests/services/test_refunds_outside.py",
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

SELECTIONS: Final[dict[str, tuple[str, ...]]] = {
    "gateway/domain/states.py": ("tests/services/test_states.py", "tests/states", *_DOOR),
    "gateway/domain/report.py": ("tests/domain/test_report.py", *_DOOR),
    "gateway/domain/money.py": ("tests/domain/test_money.py",),
    "gateway/domain/idempotency.py": _KEYS,
    "gateway/domain/events.py": ("tests/domain/test_events.py", "tests/services/test_event_chain.py"),
    "gateway/domain/schedule.py": (
        "tests/domain/test_schedule.py",
        "tests/services/test_work.py",
        "tests/services/test_refunds.py",
        "tests/services/test_close_order.py",
    ),
    "gateway/domain/statement.py": ("tests/domain/test_statement.py",),
    "gateway/domain/gate.py": ("tests/domain/test_gate.py",),
    "gateway/domain/strict_json.py": ("tests/domain/test_strict_json.py",),
    "gateway/services/record_report.py": _DOOR,
    "gateway/services/record_refund.py": (
        "tests/services/test_refunds_outside.py",
        "tests/services/test_refunds.py",
        "tests/services/test_surplus.py",
        *_DOOR,
    ),
    "gateway/services/idempotent.py": ("tests/services/test_idempotent.py", *_KEYS),
    "gateway/services/issue_refund.py": ("tests/services/test_refunds.py", "tests/services/test_surplus.py"),
    "gateway/services/reissue_refund.py": ("tests/services/test_replay.py", "tests/services/test_refunds.py"),
    "adapters/kit/sign.py": ("tests/adapters/kit/test_sign.py", "tests/adapters/alipay/test_vectors.py"),
    "adapters/wechatpay/signing.py": _of("wechatpay", "vectors", "callbacks", "callbacks_refused", "requests"),
    "adapters/alipay/signing.py": _of("alipay", "signing", "vectors", "notify_vectors", "answers", "callbacks"),
    "adapters/unionpay/signing.py": _of("unionpay", "vectors", "form", "callbacks", "certificates"),
    "adapters/shared_account/canonical.py": _of("shared_account", "vectors", "requests", "callbacks"),
    "adapters/shared_account/envelope.py": _of("shared_account", "vectors", "sm", "answers", "requests", "callbacks"),
}
