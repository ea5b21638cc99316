"""Sealed bytes open with the right key and purpose, and with nothing else."""

import pytest

from gateway.domain.secret import Secret
from gateway.store import Unsealable, Vault
from tests.support.world import key_text

INDEX_KEY = key_text("i")
OLD, NEW = key_text("o"), key_text("n")


@pytest.fixture
def vault() -> Vault:
    return Vault(data_keys=(OLD,), index_key=INDEX_KEY)


@pytest.mark.parametrize(
    "plain", [b"", b"\x00", "张三".encode(), bytes(range(256)) * 300], ids=["empty", "nul", "text", "long"]
)
def test_seal_then_unseal_gives_the_same_bytes(vault: Vault, plain: bytes) -> None:
    """Whatever the bytes; equal bytes never look alike."""
    sealed = vault.seal(plain, "purpose")

    assert plain == vault.unseal(sealed, "purpose")
    assert sealed != vault.seal(plain, "purpose")
    assert len(plain) < 4 or plain not in sealed


def test_seal_json_then_unseal_json_gives_an_equal_object(vault: Vault) -> None:
    """Objects survive with their Chinese text."""
    value = {"名": "值", "n": 1, "none": None}

    assert value == vault.unseal_json(vault.seal_json(value, "p"), "p")


def test_unseal_for_another_purpose_is_refused(vault: Vault) -> None:
    """Bytes of one column cannot be moved to another."""
    with pytest.raises(Unsealable):
        vault.unseal(vault.seal(b"plain", "one"), "other")


def test_unseal_after_rotation_opens_old_and_new(vault: Vault) -> None:
    """The first key seals, all open; without the old key its bytes stay shut."""
    sealed = vault.seal(b"plain", "p")
    rotated = Vault(data_keys=(NEW, OLD), index_key=INDEX_KEY)

    assert rotated.unseal(sealed, "p") == b"plain"
    newly = rotated.seal(b"plain", "p")
    with pytest.raises(Unsealable):
        vault.unseal(newly, "p")
    with pytest.raises(Unsealable):
        Vault(data_keys=(NEW,), index_key=INDEX_KEY).unseal(sealed, "p")


def test_unseal_with_any_bit_flipped_is_refused(vault: Vault) -> None:
    """Every byte of the sealed text is bound."""
    sealed = vault.seal(b"plain text", "p")
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(Unsealable):
            vault.unseal(bytes(changed), "p")


def test_unseal_cut_anywhere_is_refused(vault: Vault) -> None:
    """Short bytes are refused like wrong ones."""
    sealed = vault.seal(b"plain text", "p")
    for length in range(len(sealed)):
        with pytest.raises(Unsealable):
            vault.unseal(sealed[:length], "p")


def test_blind_index_is_stable_and_keyed(vault: Vault) -> None:
    """Equal texts find each other across data keys; another index key gives other digests."""
    digest = vault.blind_index("insured", "resident_id", "34010019000101001X")

    assert digest == Vault(data_keys=(NEW,), index_key=INDEX_KEY).blind_index(
        "insured", "resident_id", "34010019000101001X"
    )
    assert digest != Vault(data_keys=(OLD,), index_key=NEW).blind_index("insured", "resident_id", "34010019000101001X")
    assert digest != vault.blind_index("insured", "resident_id3", "4010019000101001X")
    assert len(digest) == 64


@pytest.mark.parametrize(
    "text", ["", "c2hvcnQ=", "not base64!", "é" * 44, "A" * 43], ids=["empty", "short", "signs", "umlaut", "unpadded"]
)
def test_vault_with_a_bad_key_is_not_built(text: str) -> None:
    """Keys are judged once, at build, and never shown."""
    with pytest.raises(ValueError, match=r"key must be|ASCII") as caught:
        Vault(data_keys=(Secret(text),), index_key=INDEX_KEY)
    assert not text or text not in str(caught.value)


def test_vault_without_a_key_is_not_built() -> None:
    """There is always something to seal with."""
    with pytest.raises(ValueError, match="at least one"):
        Vault(data_keys=(), index_key=INDEX_KEY)
