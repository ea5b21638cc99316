"""`config check` and `db`: an installation is fit to run, or every reason why not."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from gateway.cli.checks import KeyExpiry, examine
from gateway.domain.entry import ENTRY_KINDS
from gateway.settings import Settings, SettingsInvalid
from gateway.store import StoreUnavailable
from tests.cli.conftest import Jiaofei
from tests.settings.configuration import VALID, Configuration

NOW = datetime(2026, 3, 1, 2, 20, 30, tzinfo=UTC)
FAR = datetime(2126, 3, 1, tzinfo=UTC)


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    configuration = Configuration(tmp_path)
    configuration.write("gateway.toml", VALID)
    for name, value in configuration.environ.items():
        monkeypatch.setenv(name, value)
    return configuration


def ends_at(monkeypatch: pytest.MonkeyPatch, **expiries: datetime) -> None:
    """Build a world whose one account has keys with these ends."""
    provider = SimpleNamespace(key_expiries=lambda: expiries)

    @contextmanager
    def world(_settings: Settings) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(providers={"city": provider})

    monkeypatch.setattr("gateway.cli.checks.opened_world", world)


def refuse(monkeypatch: pytest.MonkeyPatch, *faults: str) -> None:
    """Let the accounts' own checks fail."""

    def world(_settings: Settings) -> None:
        raise SettingsInvalid(list(faults))

    monkeypatch.setattr("gateway.cli.checks.opened_world", world)


@pytest.mark.parametrize(
    ("left", "faults", "warnings"),
    [
        pytest.param(timedelta(days=30), (), (), id="in_30_days"),
        pytest.param(
            timedelta(days=30, seconds=-1), (), ("accounts.city: leaf expires in 29 days",), id="one_second_less"
        ),
        pytest.param(timedelta(seconds=1), (), ("accounts.city: leaf expires in 0 days",), id="in_a_second"),
        pytest.param(timedelta(), ("accounts.city: leaf has expired",), (), id="now"),
    ],
)
def test_key_that_ends_soon_is_a_warning_and_one_that_ended_a_fault(
    configuration: Configuration,
    monkeypatch: pytest.MonkeyPatch,
    left: timedelta,
    faults: tuple[str, ...],
    warnings: tuple[str, ...],
) -> None:
    """There is a month to renew a certificate."""
    ends_at(monkeypatch, leaf=NOW + left)

    findings = examine(NOW)

    assert (faults, warnings) == (findings.faults, findings.warnings)
    assert (KeyExpiry(account="city", key="leaf", expires_at=NOW + left),) == findings.keys


def test_config_check_of_good_configuration_lists_keys_and_exits_0(
    configuration: Configuration, jiaofei: Jiaofei, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next key to end comes first."""
    ends_at(monkeypatch, root=FAR + timedelta(days=1), leaf=FAR)

    result = jiaofei("config", "check", configuration=configuration.folder / "gateway.toml")

    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert lines[0].split()[:3] == ["ACCOUNT", "KEY", "EXPIRES"]
    assert lines[1].split()[:3] == ["city", "leaf", "2126-03-01T08:00:00+08:00"]
    assert lines[2].split()[:3] == ["city", "root", "2126-03-02T08:00:00+08:00"]
    assert lines[3] == "the configuration can be used"


def test_config_check_with_open_key_file_warns_and_exits_0(
    configuration: Configuration, jiaofei: Jiaofei, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A warning does not stop anything."""
    ends_at(monkeypatch)
    (configuration.folder / "keys/index").chmod(0o644)

    result = jiaofei("config", "check", configuration=configuration.folder / "gateway.toml")

    assert result.exit_code == 0
    assert result.stderr == (
        f"warning: gateway.index_key: every user of this machine may read {configuration.folder}/keys/index; "
        "take the right away (chmod 600)\n"
    )


def test_config_check_with_faults_prints_each_on_its_line_and_exits_1(
    configuration: Configuration, jiaofei: Jiaofei
) -> None:
    """No traceback, no first-fault-only."""
    configuration.write("gateway.toml", VALID.replace("file:keys/data", "x").replace("mini_program", "!"))

    result = jiaofei("config", "check", configuration=configuration.folder / "gateway.toml")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == (
        'gateway.data_keys[0]: must be a reference, "file:…" or "env:…"\n'
        f"apps.demo.entry: must be one of {', '.join(ENTRY_KINDS)}\n"
    )


def test_config_check_tells_the_faults_that_adapters_found(
    configuration: Configuration, jiaofei: Jiaofei, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider's own keys are checked by its adapter, and told in the same way."""
    refuse(monkeypatch, "accounts.city.mchid: is missing")

    result = jiaofei("config", "check", configuration=configuration.folder / "gateway.toml")

    assert (result.exit_code, result.stderr) == (1, "accounts.city.mchid: is missing\n")


def test_config_check_as_json_is_one_document(
    configuration: Configuration, jiaofei: Jiaofei, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For monitoring."""
    ends_at(monkeypatch, leaf=NOW - timedelta(days=365 * 5))

    result = jiaofei("config", "check", "--json", configuration=configuration.folder / "gateway.toml")

    document = json.loads(result.stdout)
    assert result.exit_code == 1
    assert document["faults"] == ["accounts.city: leaf has expired"]
    assert document["warnings"] == []
    assert {"account": "city", "key": "leaf", "expires_at": "2021-03-02T10:20:30+08:00"}.items() <= document["keys"][
        0
    ].items()
    assert document["keys"][0]["days_left"] < 0


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("serve",), id="serve"),
        pytest.param(("worker", "--once"), id="worker"),
        pytest.param(("db", "upgrade"), id="db_upgrade"),
        pytest.param(("db", "check"), id="db_check"),
        pytest.param(("orders", "list"), id="orders_list"),
        pytest.param(("orders", "show", "1"), id="orders_show"),
    ],
)
def test_command_with_faulty_configuration_prints_faults_and_exits_2(
    configuration: Configuration, jiaofei: Jiaofei, command: tuple[str, ...]
) -> None:
    """Every command that needs the configuration says all that is wrong with it, and nothing else."""
    configuration.write("gateway.toml", VALID.replace("file:keys/data", "x").replace("mini_program", "!"))

    result = jiaofei(*command, configuration=configuration.folder / "gateway.toml")

    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (2, "", 2)
    assert result.stderr.startswith("gateway.data_keys[0]: ")


def test_db_check_before_and_after_upgrade(configuration: Configuration, jiaofei: Jiaofei) -> None:
    """A new database is refused until it is brought to the schema; doing so twice does no harm."""
    path = configuration.folder / "gateway.toml"

    before = jiaofei("db", "check", configuration=path)
    upgrades = [jiaofei("db", "upgrade", configuration=path).exit_code for _ in range(2)]
    after = jiaofei("db", "check", configuration=path)

    assert (before.exit_code, upgrades, after.exit_code) == (1, [0, 0], 0)
    assert before.stderr == "Error: the database is not at this version's schema: run jiaofei db upgrade\n"
    assert (configuration.folder / "orders.db").exists()


@pytest.mark.parametrize("command", ["upgrade", "check"])
def test_db_command_without_a_database_says_so(
    configuration: Configuration, jiaofei: Jiaofei, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """No traceback with the database's address in it."""

    def refuse_connection(_database_url: str) -> bool:
        raise StoreUnavailable

    monkeypatch.setattr("gateway.cli.checks.upgrade", refuse_connection)
    monkeypatch.setattr("gateway.cli.checks.schema_is_current", refuse_connection)

    result = jiaofei("db", command, configuration=configuration.folder / "gateway.toml")

    assert (result.exit_code, result.stderr) == (1, "Error: the database does not answer\n")
