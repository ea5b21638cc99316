"""`jiaofei init` writes a configuration that works as it stands."""

import hashlib
import json
import stat
from pathlib import Path

import pytest

from gateway.domain.secret import Secret
from gateway.settings import load_with_warnings
from tests.cli.conftest import Jiaofei


def test_init_writes_a_configuration_that_loads_without_warning(initialised: tuple[Path, str]) -> None:
    """The round trip: what `init` writes, the gateway reads."""
    folder, _ = initialised
    merchant, app = (
        json.loads((folder / f"secrets/sandbox/{provider}_identity.json").read_text())
        for provider in ("wechatpay", "alipay")
    )

    loaded = load_with_warnings({"GATEWAY_CONFIG": str(folder / "gateway.toml")})

    settings = loaded.settings
    wechatpay, alipay = settings.accounts["wechatpay"], settings.accounts["alipay"]
    assert loaded.warnings == ()
    assert settings.database_url.reveal() == f"sqlite:///{folder}/gateway.db"
    assert settings.public_base_url == "http://127.0.0.1:8081"
    assert wechatpay.values == {
        "base_url": "http://127.0.0.1:8091/wechatpay",
        "mode": "direct",
        "mchid": merchant["mchid"],
        "appid": merchant["appid"],
        "merchant_serial_no": merchant["merchant_serial"],
        "merchant_private_key": _secret(folder, "wechatpay_merchant_private_key.pem"),
        "apiv3_key": _secret(folder, "wechatpay_apiv3_key.txt"),
        "public_key_id": merchant["public_key_id"],
        "public_key": _secret(folder, "wechatpay_public_key.pem"),
    }
    assert alipay.values == {
        "base_url": "http://127.0.0.1:8091/alipay/gateway.do",
        "mode": "key",
        "app_id": app["app_id"],
        "seller_id": app["seller_id"],
        "app_private_key": _secret(folder, "alipay_app_private_key.pem"),
        "alipay_public_key": _secret(folder, "alipay_public_key.pem"),
    }


def test_init_makes_three_different_keys(initialised: tuple[Path, str]) -> None:
    """Keys with different purposes are never the same."""
    settings = load_with_warnings({"GATEWAY_CONFIG": str(initialised[0] / "gateway.toml")}).settings

    keys = {settings.data_keys[0].reveal(), settings.index_key.reveal(), settings.token_key.reveal()}

    assert len(keys) == 3


def test_init_shows_the_api_key_and_configures_its_digest(initialised: tuple[Path, str]) -> None:
    """The key is shown, kept for the demonstration, and known to the gateway by its digest alone."""
    folder, shown = initialised
    api_key = (folder / "secrets/demo_api_key").read_text().strip()
    configuration = (folder / "gateway.toml").read_text()

    settings = load_with_warnings({"GATEWAY_CONFIG": str(folder / "gateway.toml")}).settings

    assert api_key in shown
    assert api_key not in configuration
    assert (hashlib.sha256(api_key.encode()).hexdigest(),) == settings.apps["demo"].api_key_digests


def test_init_writes_files_that_only_their_owner_may_read(initialised: tuple[Path, str]) -> None:
    """Folders 0700, files 0600."""
    folder, _ = initialised
    written = [folder / "gateway.toml", folder / "secrets", *(folder / "secrets").rglob("*")]

    modes = {path.relative_to(folder): stat.S_IMODE(path.stat().st_mode) for path in written}

    assert len(modes) > 10
    assert {path: 0o700 if (folder / path).is_dir() else 0o600 for path in modes} == modes


@pytest.mark.parametrize("present", ["gateway.toml", "secrets"])
def test_init_where_something_is_already_writes_nothing(jiaofei: Jiaofei, tmp_path: Path, present: str) -> None:
    """Keys that seal a live database are never replaced."""
    (tmp_path / present).mkdir()

    result = jiaofei("init", "--folder", str(tmp_path))

    assert result.exit_code == 1
    assert result.stderr == f"Error: {tmp_path / present} exists already; nothing was written\n"
    assert [tmp_path / present] == list(tmp_path.rglob("*"))


def test_init_with_database_password_keeps_it_out_of_the_file(
    jiaofei: Jiaofei, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address goes to secrets/ and is referenced."""
    monkeypatch.setattr("gateway.cli.new_configuration.create_sandbox_keys", lambda *_arguments, **_named: {})
    url = "postgresql://jf:invented-password@db.example.test/jf"

    result = jiaofei("init", "--folder", str(tmp_path), "--database", url)

    assert result.exit_code == 0
    assert "invented-password" not in result.output
    assert "invented-password" not in (tmp_path / "gateway.toml").read_text()
    assert 'database_url = "file:secrets/database_url"' in (tmp_path / "gateway.toml").read_text()
    assert f"{url}\n" == (tmp_path / "secrets/database_url").read_text()


def test_init_with_database_that_would_be_refused_writes_nothing(jiaofei: Jiaofei, tmp_path: Path) -> None:
    """The mistake is told before there is anything to clean up."""
    result = jiaofei("init", "--folder", str(tmp_path), "--database", "mysql://db.example.test/jf")

    assert result.exit_code == 2
    assert "must be sqlite:///<path> or postgresql://<host>/<database>" in result.stderr
    assert list(tmp_path.rglob("*")) == []


def _secret(folder: Path, name: str) -> Secret:
    return Secret((folder / "secrets/sandbox" / name).read_text().removesuffix("\n"))
