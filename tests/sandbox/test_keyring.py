"""The folder of all key material, as a whole; test_kinds.py looks at each party's files."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from sandbox.alipay.keys import AlipayKeys
from sandbox.keyring import Keyring, create_keyring, load_keyring, open_keyring
from sandbox.unionpay.keys import UnionpayIdentity, UnionpayKeys
from sandbox.wechatpay.keys import WechatpayKeys


def test_keyring_files_belong_to_a_party(keyring: Keyring) -> None:
    """Nothing stands there that no party's table explains."""
    owners = tuple(f"{provider}_" for provider in keyring.keys)

    assert [path.name for path in keyring.folder.iterdir() if not path.name.startswith(owners)] == []


def test_keyring_loaded_again_is_the_same(keyring: Keyring) -> None:
    """Identities, secrets and certificates survive the files."""
    again = load_keyring(keyring.folder)
    wechatpay, alipay = keyring.of(WechatpayKeys), keyring.of(AlipayKeys)

    assert wechatpay.identity == again.of(WechatpayKeys).identity
    assert wechatpay.apiv3_key == again.of(WechatpayKeys).apiv3_key
    assert alipay.roots == again.of(AlipayKeys).roots
    assert alipay.certificate == again.of(AlipayKeys).certificate
    assert (
        wechatpay.platform_private_key.private_numbers()
        == again.of(WechatpayKeys).platform_private_key.private_numbers()
    )


def test_keyring_is_never_overwritten(keyring: Keyring) -> None:
    """A second creation in the same folder is refused."""
    with pytest.raises(FileExistsError):
        create_keyring(keyring.folder)


def test_keyring_of_an_empty_folder_is_missing(tmp_path: Path) -> None:
    """The caller may then create one."""
    with pytest.raises(FileNotFoundError):
        load_keyring(tmp_path)


def test_keyring_repr_shows_no_keys(keyring: Keyring) -> None:
    """Not even whom they belong to."""
    assert repr(keyring) == f"Keyring(folder={keyring.folder!r})"


@pytest.mark.parametrize("members", ["mer_id", ""], ids=["with mer_id", "before unionpay"])
def test_keyring_of_the_first_version_still_opens(keyring: Keyring, tmp_path: Path, members: str) -> None:
    """One identities.json for three parties: whoever they were then, they still are."""
    wechatpay, alipay = keyring.of(WechatpayKeys), keyring.of(AlipayKeys)
    identities = asdict(wechatpay.identity) | {"mchid": "1999900009"} | asdict(alipay.identity)
    identities |= {"mer_id": "777999900000009"} if members else {}
    for path in keyring.folder.iterdir():
        if not path.name.endswith("_identity.json") and (members or not path.name.startswith("unionpay_")):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "identities.json").write_text(json.dumps(identities), "utf-8")

    opened = open_keyring(tmp_path)

    assert opened.of(WechatpayKeys).identity.mchid == "1999900009"
    assert opened.of(WechatpayKeys).platform_certificate == wechatpay.platform_certificate
    assert opened.of(AlipayKeys).identity == alipay.identity
    assert opened.of(AlipayKeys).certificate == alipay.certificate
    mer_id = opened.of(UnionpayKeys).identity.mer_id
    assert mer_id == ("777999900000009" if members else UnionpayIdentity().mer_id)
    assert opened.of(UnionpayKeys).sign_certificate == open_keyring(tmp_path).of(UnionpayKeys).sign_certificate
    with pytest.raises(FileExistsError):
        create_keyring(tmp_path)
