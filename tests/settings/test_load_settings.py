"""What a valid configuration becomes."""

from pathlib import Path

import pytest

from gateway.domain.secret import Secret
from gateway.settings import AccountConfig, AppSettings, load_settings, load_with_warnings
from tests.settings.configuration import (
    ACCOUNT,
    APP,
    CANARY,
    DATA_KEY,
    DIGEST_A,
    DIGEST_B,
    GATEWAY,
    INDEX_KEY,
    OLD_DATA_KEY,
    TOKEN_KEY,
    VALID,
    Configuration,
)

PUBLIC_PEM = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"
PRIVATE_PEM = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"  # not a key: its armour is what counts


def test_load_with_only_required_keys_takes_defaults(configuration: Configuration) -> None:
    """Absent keys have the documented defaults."""
    settings = configuration.load()

    assert settings.public_base_url == "https://pay.example.test"
    assert (
        settings.order_ttl_seconds,
        settings.payment_ttl_seconds,
        settings.body_bytes_max,
        settings.trusted_proxies,
        settings.bare_callbacks,
        settings.log_level,
    ) == (7200, 7200, 65536, 0, False, "info")
    assert {
        "city": AccountConfig(
            name="city",
            provider="wechatpay",
            regions=frozenset(),
            callback_networks=(),
            connect_seconds=3.0,
            answer_seconds=10.0,
            connections_max=64,
            ca_file=None,
            proxy=None,
            values={"mchid": "1900000001", "apiv3_key": Secret(CANARY)},
        )
    } == settings.accounts
    assert {"demo": AppSettings(name="demo", entry="mini_program", api_key_digests=(DIGEST_A,))} == settings.apps


def test_load_with_every_key_keeps_every_value(configuration: Configuration) -> None:
    """Nothing that an operator wrote is lost."""
    gateway = GATEWAY + (
        "order_ttl_seconds = 1801\npayment_ttl_seconds = 1802\nbody_bytes_max = 70001\ntrusted_proxies = 2\n"
        'bare_callbacks = true\nlog_level = "debug"\n'
    )
    app = APP.replace('"]', f'", "sha256:{DIGEST_B}"]') + (
        'signing_secret = "env:APIV3_KEY"\nregions = ["341000", "341021"]\nmethods = ["wechatpay.jsapi"]\n'
    )
    account = ACCOUNT + (
        'regions = ["341000"]\ncallback_networks = ["203.0.113.0/24", "2001:db8::/32"]\nconnect_seconds = 1\n'
        'answer_seconds = 4.5\nconnections_max = 7\nproxy = "http://proxy.example.test:3128"\n'
        'platform_certificates = ["file:keys/index"]\n[accounts.city.deeper]\nsecret = "env:APIV3_KEY"\nnumber = 3\n'
    )

    settings = configuration.load(f"{gateway}\n{app}\n{account}")

    assert (
        settings.order_ttl_seconds,
        settings.payment_ttl_seconds,
        settings.body_bytes_max,
        settings.trusted_proxies,
        settings.bare_callbacks,
        settings.log_level,
    ) == (1801, 1802, 70001, 2, True, "debug")
    assert settings.apps["demo"] == AppSettings(
        name="demo",
        entry="mini_program",
        api_key_digests=(DIGEST_A, DIGEST_B),
        signing_secret=Secret(CANARY),
        regions=frozenset({"341000", "341021"}),
        methods=frozenset({"wechatpay.jsapi"}),
    )
    assert settings.accounts["city"] == AccountConfig(
        name="city",
        provider="wechatpay",
        regions=frozenset({"341000"}),
        callback_networks=("203.0.113.0/24", "2001:db8::/32"),
        connect_seconds=1.0,
        answer_seconds=4.5,
        connections_max=7,
        ca_file=None,
        proxy="http://proxy.example.test:3128",
        values={
            "mchid": "1900000001",
            "apiv3_key": Secret(CANARY),
            "platform_certificates": [Secret(INDEX_KEY)],
            "deeper": {"secret": Secret(CANARY), "number": 3},
        },
    )


def test_load_resolves_files_and_environment_to_secrets(configuration: Configuration) -> None:
    """Keys come from the named file, next to the configuration, or from the environment."""
    settings = configuration.load()

    assert (Secret(DATA_KEY), Secret(OLD_DATA_KEY)) == settings.data_keys
    assert Secret(INDEX_KEY) == settings.index_key
    assert Secret(TOKEN_KEY) == settings.token_key


def test_load_without_variable_reads_gateway_toml_of_the_working_folder(
    configuration: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GATEWAY_CONFIG may be absent; the process's own environment is the default."""
    configuration.write("gateway.toml", VALID)
    monkeypatch.chdir(configuration.folder)
    monkeypatch.delenv("GATEWAY_CONFIG", raising=False)
    monkeypatch.setenv("OLD_DATA_KEY", OLD_DATA_KEY)
    monkeypatch.setenv("APIV3_KEY", CANARY)

    assert load_settings().accounts.keys() == {"city"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b"text", "text", id="no_line_end"),
        pytest.param(b"text\n", "text", id="line_feed"),
        pytest.param(b"text\r\n", "text", id="carriage_return_line_feed"),
        pytest.param(b"text\n\n", "text\n", id="only_one_line_end"),
        pytest.param(b" text \t\n", " text \t", id="blanks_stay"),
        pytest.param("密\n".encode(), "密", id="utf_8"),
    ],
)
def test_file_reference_loses_one_line_end_and_nothing_else(
    configuration: Configuration, content: bytes, expected: str
) -> None:
    """A secret may begin or end with a blank."""
    configuration.write("keys/other", content)

    settings = configuration.load(VALID.replace("env:APIV3_KEY", "file:keys/other"))

    assert Secret(expected) == settings.accounts["city"].values["apiv3_key"]


def test_file_reference_to_absolute_path_is_read(configuration: Configuration) -> None:
    """Only relative paths count from the configuration's folder."""
    path = configuration.write("keys/elsewhere", "text")

    settings = configuration.load(VALID.replace("env:APIV3_KEY", f"file:{path}"))

    assert Secret("text") == settings.accounts["city"].values["apiv3_key"]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param("sqlite:///orders.db", "sqlite:///{folder}/orders.db", id="relative_counts_from_the_file"),
        pytest.param("sqlite:////srv/orders.db", "sqlite:////srv/orders.db", id="absolute"),
        pytest.param("postgresql://u@db.example.test/jf", "postgresql://u@db.example.test/jf", id="postgresql"),
        pytest.param("postgresql:///jf?host=/run", "postgresql:///jf?host=/run", id="postgresql_socket"),
    ],
)
def test_database_url_without_password_may_stand_in_clear(
    configuration: Configuration, written: str, expected: str
) -> None:
    """SQLite paths become absolute, so that all commands open one file."""
    settings = configuration.load(VALID.replace("sqlite:///orders.db", written))

    assert expected.format(folder=configuration.folder) == settings.database_url.reveal()


def test_database_url_with_password_by_reference_is_taken(configuration: Configuration) -> None:
    """The whole address is then the secret."""
    url = f"postgresql://u:{CANARY}@db.example.test/jf"
    configuration.environ["DATABASE_URL"] = url

    settings = configuration.load(VALID.replace("sqlite:///orders.db", "env:DATABASE_URL"))

    assert url == settings.database_url.reveal()


def test_public_base_url_with_trailing_slash_loses_it(configuration: Configuration) -> None:
    """Callback addresses are made by appending a path."""
    settings = configuration.load(VALID.replace("pay.example.test", "pay.example.test/gw/"))

    assert settings.public_base_url == "https://pay.example.test/gw"


def test_text_that_is_not_secret_may_come_by_reference(configuration: Configuration) -> None:
    """References work everywhere, so that one file serves several machines."""
    configuration.environ |= {"PUBLIC_URL": "https://other.example.test", "DIGEST": f"sha256:{DIGEST_B}"}
    toml = VALID.replace("https://pay.example.test", "env:PUBLIC_URL").replace(f"sha256:{DIGEST_A}", "env:DIGEST")

    settings = configuration.load(toml)

    assert settings.public_base_url == "https://other.example.test"
    assert settings.apps["demo"].api_key_digests == (DIGEST_B,)


def test_settings_repr_shows_no_secret(configuration: Configuration) -> None:
    """Settings may end in a log by mistake."""
    configuration.environ["PROXY"] = f"http://u:{CANARY}@proxy.example.test:3128"
    settings = configuration.load(VALID.replace("[accounts.city]", '[accounts.city]\nproxy = "env:PROXY"'))

    shown = repr(settings) + repr(settings.accounts) + str(settings)

    assert settings.accounts["city"].proxy == configuration.environ["PROXY"]
    assert [text for text in (CANARY, DATA_KEY, OLD_DATA_KEY, INDEX_KEY, TOKEN_KEY) if text in shown] == []


def test_ca_file_is_found_next_to_the_configuration(configuration: Configuration) -> None:
    """A private authority is given as a file, not by reference: its path goes on, not its text."""
    certificate = (Path(__file__).parent / "authority.pem").read_bytes()
    configuration.write("authority.pem", certificate)

    settings = configuration.load(f'{VALID}ca_file = "authority.pem"\n')

    assert str(configuration.folder / "authority.pem") == settings.accounts["city"].ca_file


def test_two_accounts_of_one_provider_with_own_regions_are_taken(configuration: Configuration) -> None:
    """One account for named divisions, another for the rest."""
    toml = f'{VALID}\n[accounts.county]\nprovider = "wechatpay"\nregions = ["341021"]\n'

    assert {"city", "county"} == configuration.load(toml).accounts.keys()


@pytest.mark.parametrize(
    ("key", "content", "mode", "warned"),
    [
        pytest.param("apiv3_key", "text", 0o600, False, id="private_and_hidden"),
        pytest.param("apiv3_key", "text", 0o640, False, id="private_and_readable_by_its_group"),
        pytest.param("apiv3_key", "text", 0o604, True, id="private_and_open"),
        pytest.param("public_key", "text", 0o644, False, id="named_public"),
        pytest.param("root_cert", "text", 0o644, False, id="named_certificate"),
        pytest.param("anything", PUBLIC_PEM, 0o644, False, id="public_by_content"),
        pytest.param("public_key", PRIVATE_PEM, 0o644, True, id="private_by_content"),
    ],
)
def test_private_file_that_everyone_may_read_is_a_warning(
    configuration: Configuration, key: str, content: str, mode: int, warned: bool
) -> None:
    """It is told, but the gateway starts."""
    path = configuration.write("keys/other", content, mode=mode)
    configuration.write("gateway.toml", VALID.replace("apiv3_key", key).replace("env:APIV3_KEY", "file:keys/other"))

    loaded = load_with_warnings(configuration.environ)

    warning = f"accounts.city.{key}: every user of this machine may read {path}; take the right away (chmod 600)"
    assert ((warning,) if warned else ()) == loaded.warnings


def test_institutions_that_collect_may_share_a_division(configuration: Configuration) -> None:
    """Payments begin at the bank: nobody has to choose between two of them."""
    banks = "".join(
        f'[accounts.{name}]\nprovider = "bank_bbp"\n[accounts.{name}.billers]\nYB1 = ["341200"]\n'
        for name in ("rural", "postal")
    )

    assert {"city", "rural", "postal"} == set(configuration.load(VALID + banks).accounts)
