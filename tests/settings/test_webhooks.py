"""An app's receiver in the configuration."""

import base64

import pytest

from gateway.domain.secret import Secret
from gateway.domain.webhook import WebhookReceiver
from tests.settings.configuration import APP, CANARY, VALID, Configuration

SECRET = "whsec_" + base64.b64encode(b"w" * 32).decode()
OLD_SECRET = "whsec_" + base64.b64encode(b"v" * 24).decode()
URL = "https://app.example.test:8443/hooks/jiaofei?tenant=1"


@pytest.fixture
def with_secrets(configuration: Configuration) -> Configuration:
    """Two secrets beside the configuration, and things that are none."""
    configuration.write("hook", f"{SECRET}\n")
    configuration.write("old_hook", OLD_SECRET)
    configuration.write("address", URL)
    configuration.write("short", "whsec_" + base64.b64encode(b"w" * 23).decode())
    return configuration


def app_with(*lines: str) -> str:
    return VALID.replace(APP, APP + "".join(f"{line}\n" for line in lines))


def test_webhook_loads_with_all_its_keys(with_secrets: Configuration) -> None:
    """The address may come by reference as well: its path may be a password."""
    for url in (f'webhook_url = "{URL}"', 'webhook_url = "file:address"'):
        settings = with_secrets.load(
            app_with(
                url,
                'webhook_secrets = ["file:hook", "file:old_hook"]',
                'webhook_networks = ["10.1.0.0/16", "fd12:3456::/32"]',
            )
        )

        assert settings.apps["demo"].webhook == WebhookReceiver(
            url=URL, secrets=(Secret(SECRET), Secret(OLD_SECRET)), networks=("10.1.0.0/16", "fd12:3456::/32")
        )


def test_app_without_webhook_has_none(configuration: Configuration) -> None:
    """Which is the ordinary case."""
    assert configuration.load().apps["demo"].webhook is None


LAWFUL = {
    "public_address": ('webhook_url = "https://1.1.1.1/"',),
    "private_in_its_network": ('webhook_url = "https://10.1.2.3/"', 'webhook_networks = ["10.1.0.0/16"]'),
    "plain_http_in_a_network": ('webhook_url = "http://inner.example.test/"', 'webhook_networks = ["10.1.0.0/16"]'),
    "v6_in_its_network": ('webhook_url = "https://[fd12::1]:8443/"', 'webhook_networks = ["fd12::/16"]'),
}


@pytest.mark.parametrize("name", LAWFUL)
def test_lawful_address_loads(with_secrets: Configuration, name: str) -> None:
    """Each of these is somebody's."""
    assert with_secrets.load(app_with(*LAWFUL[name], 'webhook_secrets = ["file:hook"]')).apps["demo"].webhook


_SECRETS = 'webhook_secrets = ["file:hook"]'
_URL_FAULT = "apps.demo.webhook_url: must be https://…, ASCII, without user and fragment"
_PLACE_FAULT = "apps.demo.webhook_url: is not a public address and lies in none of webhook_networks"
_HTTP_FAULT = "apps.demo.webhook_url: must be https://…; http:// is for the networks that webhook_networks names"
_FORM_FAULT = "apps.demo.webhook_secrets[0]: must be whsec_ and the base64 of 24 to 64 bytes"
_WIDTH_FAULT = "apps.demo.webhook_networks[{}]: is wider than any private network: at most /8, IPv6 /7"
FAULTS = {
    "no_secrets": ((f'webhook_url = "{URL}"',), ["apps.demo.webhook_secrets: is missing: webhooks are always signed"]),
    "secrets_alone": ((_SECRETS,), ["apps.demo.webhook_secrets: is of no use without webhook_url"]),
    "networks_alone": (
        ('webhook_networks = ["10.0.0.0/8"]',),
        ["apps.demo.webhook_networks: is of no use without webhook_url"],
    ),
    "plain_http": (('webhook_url = "http://app.example.test/"', _SECRETS), [_HTTP_FAULT]),
    "plain_http_on_loopback": (('webhook_url = "http://127.0.0.1/"', _SECRETS), [_HTTP_FAULT, _PLACE_FAULT]),
    "loopback": (('webhook_url = "https://127.0.0.1/"', _SECRETS), [_PLACE_FAULT]),
    "metadata": (('webhook_url = "https://169.254.169.254/"', _SECRETS), [_PLACE_FAULT]),
    "mapped": (('webhook_url = "https://[::ffff:10.0.0.1]/"', _SECRETS), [_PLACE_FAULT]),
    "other_network": (
        ('webhook_url = "https://10.2.0.1/"', _SECRETS, 'webhook_networks = ["10.1.0.0/16"]'),
        [_PLACE_FAULT],
    ),
    "other_scheme": (('webhook_url = "ftp://app.example.test/"', _SECRETS), [_URL_FAULT]),
    "user": ((f'webhook_url = "https://u:{CANARY}@app.example.test/"', _SECRETS), [_URL_FAULT]),
    "fragment": (('webhook_url = "https://app.example.test/#a"', _SECRETS), [_URL_FAULT]),
    "not_ascii": (('webhook_url = "https://应用.example.test/"', _SECRETS), [_URL_FAULT]),
    "blank": (('webhook_url = "https://app.example.test/a b"', _SECRETS), [_URL_FAULT]),
    "number": (("webhook_url = 7", _SECRETS), [_URL_FAULT]),
    "secret_in_clear": (
        (f'webhook_url = "{URL}"', f'webhook_secrets = ["{CANARY}"]'),
        ['apps.demo.webhook_secrets[0]: must be a reference, "file:…" or "env:…"'],
    ),
    "secret_too_short": ((f'webhook_url = "{URL}"', 'webhook_secrets = ["file:short"]'), [_FORM_FAULT]),
    "secret_of_another_kind": ((f'webhook_url = "{URL}"', 'webhook_secrets = ["file:keys/data"]'), [_FORM_FAULT]),
    "no_secret_at_all": (
        (f'webhook_url = "{URL}"', "webhook_secrets = []"),
        ["apps.demo.webhook_secrets: must have 1 to 4 entries"],
    ),
    "no_network": (
        (f'webhook_url = "{URL}"', _SECRETS, 'webhook_networks = ["10.0.0.1/8"]'),
        ["apps.demo.webhook_networks[0]: must be a network such as 203.0.113.0/24, its host bits zero"],
    ),
    "every_network": (
        (f'webhook_url = "{URL}"', _SECRETS, 'webhook_networks = ["10.0.0.0/8", "fc00::/7", "0.0.0.0/0", "::/0"]'),
        [_WIDTH_FAULT.format(2), _WIDTH_FAULT.format(3)],
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_webhook_at_fault_is_told_by_its_key(with_secrets: Configuration, name: str) -> None:
    """And never by its value."""
    lines, faults = FAULTS[name]
    found = with_secrets.faults(app_with(*lines))

    assert found == faults
    assert CANARY not in str(found)
