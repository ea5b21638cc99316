"""Agents and entry points in the configuration, and the example that holds all of them."""

import re
from pathlib import Path

import pytest

from adapters.registry import provider_names
from gateway.domain.collection import AGENT_KINDS, Agent
from gateway.domain.entry import ENTRY_KINDS, METHOD_SURFACES, works_in
from tests.settings.configuration import ACCOUNT, APP, DATA_KEY, DIGEST_B, GATEWAY, VALID, Configuration

EXAMPLE = (Path(__file__).parents[2] / "docs/examples/entry-points.toml").read_text()
AGENT = """\
[agents.first_village]
code = "V-01"
title = "测试村"
kind = "village"
apps = ["demo"]
"""
SECOND = AGENT.replace("first_village", "second_village").replace("V-01", "V-02")


def test_agent_is_loaded_with_its_defaults(configuration: Configuration) -> None:
    """All regions, ten thousand yuan, a month."""
    settings = configuration.load(f"{VALID}\n{AGENT}")

    assert settings.agents == {
        "first_village": Agent(
            name="first_village",
            code="V-01",
            title="测试村",
            kind="village",
            regions=None,
            apps=frozenset({"demo"}),
            amount_fen_max=1_000_000,
            days_late_max=31,
        )
    }


def test_agent_with_every_key_keeps_every_value(configuration: Configuration) -> None:
    """Nothing that an operator wrote is lost."""
    more = 'regions = ["341000"]\namount_fen_max = 50000\ndays_late_max = 15\n'
    agent = configuration.load(f"{VALID}\n{AGENT}{more}").agents["first_village"]

    assert (agent.regions, agent.amount_fen_max, agent.days_late_max) == (frozenset({"341000"}), 50_000, 15)


SPOILT = {
    # id: (text of the agent's table, what stands there instead, the one fault)
    "code_missing": ('code = "V-01"\n', "", "agents.first_village.code: is missing"),
    "code_blank": ('"V-01"', '"V 01"', "agents.first_village.code: must be 1 to 32 letters, digits, _ and -"),
    "title_missing": ('title = "测试村"\n', "", "agents.first_village.title: is missing"),
    "title_of_two_lines": ("测试村", "a\\nb", "agents.first_village.title: must be a text of 1 to 64 characters"),
    "kind_unknown": ('"village"', '"bank"', f"agents.first_village.kind: must be one of {', '.join(AGENT_KINDS)}"),
    "apps_missing": ('apps = ["demo"]\n', "", "agents.first_village.apps: is missing"),
    "apps_none": ('["demo"]', "[]", "agents.first_village.apps: must have 1 to 50 entries"),
    "app_absent": ('["demo"]', '["demo", "other"]', "agents.first_village.apps[1]: names no app"),
    "region_short": (
        "apps =",
        'regions = ["3410"]\napps =',
        "agents.first_village.regions[0]: must be an administrative division, 6 digits in quotes",
    ),
    "amount_zero": (
        "apps =",
        "amount_fen_max = 0\napps =",
        "agents.first_village.amount_fen_max: must be a whole number, 1 to 10000000000",
    ),
    "days_too_many": (
        "apps =",
        "days_late_max = 367\napps =",
        "agents.first_village.days_late_max: must be a whole number, 1 to 366",
    ),
    "key_unknown": ("apps =", "account = 1\napps =", "agents.first_village.account: is not a known key"),
    "name_of_an_account": (
        "[agents.first_village]",
        "[agents.city]",
        "agents.city: has the name of an account: in payments and ledger they would be one",
    ),
    "code_of_another": (
        AGENT,
        AGENT + SECOND.replace("V-02", "V-01"),
        "agents.second_village.code: is also the code of agents.first_village",
    ),
}


@pytest.mark.parametrize(("text", "instead", "fault"), SPOILT.values(), ids=SPOILT)
def test_agent_with_one_fault_names_that_fault_only(
    configuration: Configuration, text: str, instead: str, fault: str
) -> None:
    """By the key's path."""
    assert AGENT.count(text) == 1

    assert [fault] == configuration.faults(f"{VALID}\n{AGENT.replace(text, instead)}")


def test_agents_region_that_no_app_of_its_may_collect_for_is_a_fault(configuration: Configuration) -> None:
    """One of the two lists is wrong, and records would be refused one by one."""
    apps = APP + 'regions = ["341000"]\n' + APP.replace("demo", "other").replace("a" * 64, DIGEST_B)
    agent = AGENT + 'regions = ["341000", "341200"]\n'
    narrow = f"{GATEWAY}\n{apps}\n{ACCOUNT}\n{agent}"
    faults = configuration.faults(narrow)

    assert faults == ["agents.first_village.regions[1]: is a division that none of its apps may collect for"]
    assert configuration.load(narrow.replace('apps = ["demo"]', 'apps = ["demo", "other"]')).agents


def test_example_of_all_entry_points_loads(configuration: Configuration) -> None:
    """Every kind of entry but the one for trying out, and every kind of agent, is in it."""
    (configuration.folder / "secrets").mkdir()
    for name in set(re.findall(r'"file:(secrets/[^"]+)"', EXAMPLE)):
        configuration.write(name, DATA_KEY)
    settings = configuration.load(EXAMPLE)

    assert {app.entry for app in settings.apps.values()} == ENTRY_KINDS.keys() - {"trial"}
    assert {agent.kind for agent in settings.agents.values()} == AGENT_KINDS.keys()


def test_example_of_entry_points_uses_accounts_that_can_be_built() -> None:
    """Its providers exist."""
    assert set(re.findall(r'^provider = "(\w+)"', EXAMPLE, re.MULTILINE)) <= set(provider_names())


@pytest.mark.parametrize(
    ("entry", "method", "works"),
    [
        pytest.param("official_account", "wechatpay.jsapi", True, id="jsapi_in_a_wechat_page"),
        pytest.param("h5", "wechatpay.jsapi", False, id="jsapi_needs_wechat"),
        pytest.param("alipay_mini_program", "wechatpay.mini_program", False, id="not_the_other_program"),
        pytest.param("official_account", "wechatpay.h5", False, id="h5_is_refused_inside_wechat"),
        pytest.param("city_app", "unionpay.app", True, id="sdk_in_an_app"),
        pytest.param("counter", "alipay.qr", True, id="code_on_a_screen"),
        pytest.param("mini_program", "alipay.qr", False, id="no_other_device_scans_it"),
        pytest.param("unionpay_app", "unionpay.wap", True, id="wap_in_yunshanfu"),
        pytest.param("mini_program", "shared_account.charge", True, id="nothing_is_opened"),
        pytest.param("bank_app", "bank_elsewhere.pay", True, id="unknown_is_not_forbidden"),
        pytest.param("tax_side", "shared_account.charge", False, id="no_payment_is_started_there"),
        pytest.param("trial", "wechatpay.native", True, id="trial_is_everything"),
    ],
)
def test_method_works_where_its_surface_is(entry: str, method: str, works: bool) -> None:
    """The table decides, for the check of the configuration and for every payment."""
    assert works_in(entry, method) is works


def test_every_surface_table_names_real_providers() -> None:
    """A misspelt name would forbid nothing."""
    assert {method.partition(".")[0] for method in METHOD_SURFACES} <= set(provider_names())
