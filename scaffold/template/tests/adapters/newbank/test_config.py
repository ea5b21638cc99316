"""What read_config takes, and that it tells every fault at once without showing a value."""

import pytest

from adapters.kit.config import AccountSettings, SettingsInvalid
from adapters.newbank.config import read_config
from gateway.domain.secret import Secret
from tests.adapters.newbank.case import settings
from tests.adapters.newbank.peer import public_text


def changed(**changes: object) -> AccountSettings:
    """The case's account with other values; None leaves one out."""
    values = {**settings()._values, **changes}
    return AccountSettings("main", {name: value for name, value in values.items() if value is not None})


def faults_of(account: AccountSettings) -> list[str]:
    with pytest.raises(SettingsInvalid) as raised:
        read_config(account)
    return raised.value.faults


def test_account_in_a_key_change_holds_both_keys() -> None:
    """What either key signed is believed."""
    config = read_config(settings())

    assert {"newbank-2025", "newbank-2026"} == set(config.bank_keys)


def test_every_fault_is_told_at_once() -> None:
    """One line each, the key's path first."""
    faults = faults_of(changed(base_url="http://bank.example", merchant_no=None, bank_key_id_previous="newbank-2026"))

    assert ["accounts.main.base_url", "accounts.main.merchant_no", "accounts.main.bank_key_id_previous"] == [
        fault.partition(":")[0] for fault in faults
    ]


def test_own_public_key_in_place_of_the_banks_is_a_fault() -> None:
    """The usual mistake when keys are exchanged: then no message could ever be proven."""
    faults = faults_of(changed(bank_public_key=Secret(public_text("merchant"))))

    assert ["accounts.main.bank_public_key: is our own public key; the bank's is needed"] == faults
