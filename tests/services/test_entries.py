"""Entry points: an app is offered what can work where it meets the payer, and its orders say where that was."""

import json
from dataclasses import replace

import pytest

from gateway.services.choose_account import offered_methods
from tests.support.provider import FakeProvider
from tests.support.world import APP, REGION, SETTINGS, World, account


def _at(world: World, entry: str, *, methods: frozenset[str] | None = None) -> World:
    """The world's app in another entry, with an account at a provider whose native codes need a screen."""
    app = replace(SETTINGS.apps[APP], entry=entry, methods=methods)
    accounts = {**SETTINGS.accounts, "codes": account("codes", "wechatpay")}
    world.deps = replace(
        world.deps,
        settings=replace(SETTINGS, apps={**SETTINGS.apps, APP: app}, accounts=accounts),
        providers={**world.deps.providers, "codes": FakeProvider("wechatpay", world.clock)},
    )
    return world


@pytest.mark.parametrize(
    ("entry", "offered"),
    [
        pytest.param("counter", ["alpha.native", "beta.native", "wechatpay.native"], id="screen"),
        pytest.param("mini_program", ["alpha.native", "beta.native"], id="no_screen"),
        pytest.param("tax_side", [], id="starts_no_payment"),
    ],
)
def test_app_without_list_is_offered_what_can_work_in_its_entry(world: World, entry: str, offered: list[str]) -> None:
    """A method that is not in the table is not forbidden."""
    assert sorted(offered_methods(_at(world, entry).deps, APP, REGION)) == offered


def test_payment_that_cannot_work_in_the_entry_is_refused_with_what_can(world: World) -> None:
    """Even where the app's own list names it: the list may have been written before the table knew better."""
    _at(world, "mini_program", methods=frozenset({"wechatpay.native", "beta.native"}))
    reply = world.start_reply(world.open(), "wechatpay")

    assert json.loads(reply.body) == {"code": "method_not_available", "allowed": ["beta.native"]}


def test_order_and_payment_record_the_entry(world: World) -> None:
    """The app, and of which kind it was when the order was opened."""
    order = world.open()
    world.start(order)
    opened, created, *_ = world.store.read().events_page(order.id, after=0, limit=9)

    assert '"entry":"app","entry_app":"wallet"' in opened.detail
    assert '"entry_app":"wallet"' in created.detail
