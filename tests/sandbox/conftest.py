"""One keyring for all tests (keys are slow to make), and fresh simulators on a frozen clock for each."""

from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from sandbox.alipay import AlipaySimulator
from sandbox.clock import BEIJING, SandboxClock
from sandbox.faults import FaultBoard
from sandbox.keyring import Keyring, create_keyring
from sandbox.unionpay import UnionpaySimulator
from sandbox.wechatpay import WechatpaySimulator
from tests.sandbox.merchants import AlipayMerchant, Inbox, WechatpayMerchant
from tests.sandbox.unionpay_merchant import UnionpayMerchant

if TYPE_CHECKING:
    from tests.sandbox.shared_account_channel import Channel

START = datetime(2026, 3, 1, 10, 20, 30, tzinfo=BEIJING)


@pytest.fixture(scope="session")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    return create_keyring(tmp_path_factory.mktemp("keys") / "ring")


@pytest.fixture
def clock() -> SandboxClock:
    return SandboxClock(frozen_at=START)


@pytest.fixture
def faults(clock: SandboxClock) -> FaultBoard:
    return FaultBoard(clock)


@pytest.fixture
def inbox(clock: SandboxClock) -> Inbox:
    return Inbox(clock=clock)


@pytest.fixture
def wechatpay(keyring: Keyring, clock: SandboxClock, faults: FaultBoard, inbox: Inbox) -> WechatpayMerchant:
    simulator = WechatpaySimulator(keyring, clock=clock, faults=faults, post=inbox.post, orders_max=5)
    return WechatpayMerchant(keyring, clock, simulator)


@pytest.fixture
def alipay(keyring: Keyring, clock: SandboxClock, faults: FaultBoard, inbox: Inbox) -> AlipayMerchant:
    simulator = AlipaySimulator(keyring, clock=clock, faults=faults, post=inbox.post, trades_max=5)
    return AlipayMerchant(keyring, clock, simulator)


@pytest.fixture
def unionpay(keyring: Keyring, clock: SandboxClock, faults: FaultBoard, inbox: Inbox) -> UnionpayMerchant:
    simulator = UnionpaySimulator(keyring, clock=clock, faults=faults, post=inbox.post, orders_max=5)
    return UnionpayMerchant(keyring, clock, simulator)


@pytest.fixture
def channel(keyring: Keyring, clock: SandboxClock, faults: FaultBoard, inbox: Inbox) -> "Channel":
    """Its own imports: the rest of the sandbox's tests run without gmssl-pyx."""
    from sandbox.shared_account.simulator import SharedAccountSimulator
    from tests.sandbox.shared_account_channel import Channel

    inbox.default = (200, b'{"code":"0","message":"OK"}')
    simulator = SharedAccountSimulator(keyring, clock=clock, faults=faults, post=inbox.post, orders_max=5)
    return Channel(keyring, clock, simulator)
