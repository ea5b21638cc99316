"""The command with the real composition root: what `init` wrote is checked, served and read."""

import json
from pathlib import Path

import pytest

from gateway.cli.wiring import load_application
from tests.cli.conftest import Jiaofei


@pytest.fixture
def path(initialised: tuple[Path, str], jiaofei: Jiaofei) -> Path:
    """What `init` wrote, with its database at the newest schema."""
    path = initialised[0] / "gateway.toml"
    assert jiaofei("db", "upgrade", configuration=path).exit_code == 0
    return path


def test_initialised_configuration_passes_the_check(path: Path, jiaofei: Jiaofei) -> None:
    """The adapters accept their accounts; no key of the sandbox is about to end."""
    result = jiaofei("config", "check", "--json", configuration=path)

    document = json.loads(result.stdout)
    assert (result.exit_code, document["faults"], document["warnings"]) == (0, [], [])


def test_account_that_its_adapter_refuses_stops_every_command(path: Path, jiaofei: Jiaofei, tmp_path: Path) -> None:
    """The adapters' faults of all accounts come together, in the same form as ours."""
    text = path.read_text().replace('"file:secrets', f'"file:{path.parent}/secrets')
    spoilt = tmp_path / "spoilt.toml"
    spoilt.write_text(text.replace("mchid = ", "mchids = ").replace("seller_id = ", "sellers = "))

    checked = jiaofei("config", "check", configuration=spoilt)
    served = jiaofei("serve", configuration=spoilt)

    faults = set(checked.stderr.splitlines())
    assert (checked.exit_code, served.exit_code) == (1, 2)
    assert {"accounts.wechatpay.mchid: is missing", "accounts.alipay.seller_id: is missing"} <= faults
    assert checked.stderr == served.stderr


def test_orders_list_of_a_new_database_is_empty(path: Path, jiaofei: Jiaofei) -> None:
    """The command opens the database that the configuration names."""
    result = jiaofei("orders", "list", "--json", configuration=path)

    assert (result.exit_code, json.loads(result.stdout)) == (0, [])


@pytest.mark.usefixtures("restored_logging")
def test_web_process_loads_an_application_that_answers(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server calls this in each of its processes."""
    monkeypatch.setenv("GATEWAY_CONFIG", str(path))

    application = load_application("gateway")

    assert application.test_client().get("/healthz").status_code == 200


@pytest.mark.usefixtures("restored_logging", "restored_signals")
def test_worker_once_on_a_new_database_ends(path: Path, jiaofei: Jiaofei) -> None:
    """Nothing is due, nothing is done."""
    assert jiaofei("worker", "--once", configuration=path).exit_code == 0
