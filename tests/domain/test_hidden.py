"""What a value's `repr` leaves out: whatever is personal, secret or as it came from outside. Logs show reprs."""

import dataclasses
import importlib
import pkgutil
from typing import Any, Final

import pytest

import gateway.domain

HIDDEN: Final = {
    "Admitted": "message",
    "Balance": "balance_fen",
    "Bill": "name",
    "BillQuestion": "id_number name",
    "BillerAnswer": "body",
    "BillerFileContent": "content_sealed",
    "BillerRequest": "body",
    "Binding": "bind_id member_id_masked member_name",
    "BindingRequest": "phone",
    "DayFile": "content",
    "DayLine": "raw",
    "IdempotencyKey": "response_sealed",
    "Notification": "headers_sealed body_sealed",
    "Operator": "api_key_digests",
    "Order": "subject_sealed",
    "Payment": "fields_sealed instruction_sealed",
    "PaymentAnswer": "raw",
    "PaymentRequest": "fields subject",
    "Person": "name id_type id_number",
    "ProviderAnswer": "raw",
    "RawCallback": "body",
    "Replay": "reason_sealed",
    "ReviewItem": "note_sealed",
    "Unbinding": "bind_id",
    "WebhookReceiver": "url",
    "WebhookTry": "answer_sealed",
}
"""Every other value of the domain shows all that it holds."""

_MODULES: Final = [
    importlib.import_module(f"gateway.domain.{found.name}") for found in pkgutil.iter_modules(gateway.domain.__path__)
]
VALUES: Final[dict[str, type[Any]]] = {
    name: found
    for module in _MODULES
    for name, found in vars(module).items()
    if isinstance(found, type) and dataclasses.is_dataclass(found) and found.__module__ == module.__name__
}


@pytest.mark.parametrize("name", VALUES)
def test_value_shows_all_but_what_it_hides(name: str) -> None:
    """Each field holds a canary of its own; the canaries in the `repr` are the fields that it shows."""
    value = object.__new__(VALUES[name])
    fields = [found.name for found in dataclasses.fields(VALUES[name])]
    for field in fields:
        object.__setattr__(value, field, f"<canary of {field}>")
    shown = repr(value)

    assert HIDDEN.get(name, "").split() == [field for field in fields if f"<canary of {field}>" not in shown]


def test_every_value_that_hides_something_is_there() -> None:
    """A renamed one must not slip off the list."""
    assert HIDDEN.keys() <= VALUES.keys()
