"""Every fault is told, all at once, by the key's path and never with its value."""

import os
from pathlib import Path

import pytest

from gateway.settings import SettingsInvalid, load_settings
from tests.settings.configuration import ACCOUNT, APP, CANARY, DATA_KEY, GATEWAY, VALID, Configuration
from tests.settings.spoilt import REFERENCE, SPOILT


@pytest.fixture
def odd_files(configuration: Configuration) -> Configuration:
    """The configuration with files beside it that no reference can use."""
    configuration.write("empty", "\n")
    configuration.write("binary", b"\xff\xfe")
    configuration.write("long", "x" * 65537)
    os.mkfifo(configuration.folder / "pipe")
    configuration.environ["EMPTY"] = ""
    return configuration


@pytest.mark.parametrize(("text", "instead", "fault"), SPOILT.values(), ids=SPOILT)
def test_configuration_with_one_fault_names_that_fault_only(
    odd_files: Configuration, text: str, instead: str, fault: str
) -> None:
    """The path says where, the phrase says what is wanted; the value is never repeated."""
    assert VALID.count(text) == 1

    faults = odd_files.faults(VALID.replace(text, instead))

    assert [fault.format(folder=odd_files.folder)] == faults
    assert CANARY not in str(faults)
    assert DATA_KEY not in str(faults)


def test_configuration_with_many_faults_names_them_all(configuration: Configuration) -> None:
    """One look is enough: references, shapes and contradictions between tables come together."""
    toml = f"""\
[gateway]
public_base_url = "pay.example.test"
data_keys = ["{CANARY}", "env:ABSENT"]
index_key = "file:absent"
surprise = "{CANARY}"
[apps.demo]
entry = "h5"
api_keys = ["{CANARY}"]
methods = ["alipay.wap"]
[accounts.a]
provider = "wechatpay"
connections_max = 0
secret = "env:ABSENT"
[accounts.b]
provider = "wechatpay"
[extra]
"""

    faults = configuration.faults(toml)

    assert sorted(
        [
            "accounts.a.connections_max: must be a whole number, 1 to 1000",
            "accounts.a.secret: environment variable ABSENT is not set",
            "accounts.b.regions: names none, and so does accounts.a of the same provider",
            'apps.demo.api_keys[0]: must be "sha256:" and 64 lower-case hex digits',
            "apps.demo.methods[0]: names a provider that no account has",
            "extra: is not a known table",
            f"gateway.data_keys[0]: {REFERENCE}",
            "gateway.data_keys[1]: environment variable ABSENT is not set",
            "gateway.database_url: is missing",
            f"gateway.index_key: file {configuration.folder}/absent is missing",
            "gateway.public_base_url: must be http://… or https://…, without user, query and fragment",
            "gateway.surprise: is not a known key",
            "gateway.token_key: is missing",
        ]
    ) == sorted(faults)


def test_configuration_that_is_empty_names_every_required_key(configuration: Configuration) -> None:
    """Apps and accounts may be absent; the gateway's own keys may not."""
    faults = configuration.faults("")

    assert sorted(faults) == [
        "gateway.data_keys: is missing",
        "gateway.database_url: is missing",
        "gateway.index_key: is missing",
        "gateway.public_base_url: is missing",
        "gateway.token_key: is missing",
    ]


def test_configuration_with_gateway_as_text_says_so(configuration: Configuration) -> None:
    """A table of another shape is a fault, not a crash."""
    assert configuration.faults(f'gateway = "{CANARY}"\n{APP}{ACCOUNT}') == ["gateway: must be a table"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        pytest.param(f'a = "{CANARY}\n'.encode(), "is not TOML, line 1, column 29", id="open_string"),
        pytest.param(f"a = [1, '{CANARY}'".encode(), "is not TOML, end of document", id="open_list"),
        pytest.param(b"a = '\xff'", "is not UTF-8", id="not_utf_8"),
        pytest.param(b"#" * ((1 << 20) + 1), "is longer than 1048576 bytes", id="too_long"),
    ],
)
def test_file_that_is_not_toml_is_one_fault_without_its_text(
    configuration: Configuration, content: bytes, fault: str
) -> None:
    """The place is enough; the text there may be a secret."""
    path = configuration.write("gateway.toml", content)

    with pytest.raises(SettingsInvalid) as caught:
        load_settings(configuration.environ)

    assert [f"{path}: {fault}"] == caught.value.faults
    assert CANARY not in repr(caught.value)


def test_configuration_file_that_is_missing_is_one_fault(tmp_path: Path) -> None:
    """The first mistake of all: the wrong folder."""
    path = tmp_path / "gateway.toml"

    with pytest.raises(SettingsInvalid) as caught:
        load_settings({"GATEWAY_CONFIG": str(path)})

    assert [f"{path}: cannot be read: No such file or directory"] == caught.value.faults


def test_referenced_file_that_may_not_be_read_is_a_fault(
    configuration: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever runs the tests may read everything, so the refusal is staged."""
    target = configuration.write("refused", "text")
    real_open = Path.open

    def refuse(path: Path, mode: str = "r") -> object:
        if path == target:
            raise PermissionError(13, "Permission denied")
        return real_open(path, mode)

    monkeypatch.setattr(Path, "open", refuse)

    faults = configuration.faults(VALID.replace("env:APIV3_KEY", "file:refused"))

    assert [f"accounts.city.apiv3_key: file {target} cannot be read: Permission denied"] == faults


def test_valid_configuration_has_no_fault(configuration: Configuration) -> None:
    """What the faults are measured against is itself accepted."""
    assert configuration.load(f"{GATEWAY}\n{APP}\n{ACCOUNT}").accounts.keys() == {"city"}
