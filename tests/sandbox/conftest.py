"""One keyring for all tests (keys are slow to make), and fresh simulators on a frozen clock for each."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from sandbox.alipay import AlipaySimulator
from sandbox.alipay.keys import AlipayKeys
from sandbox.bank_ccb import BankCcbSimulator
from sandbox.bank_ccb.keys import BankCcbKeys
from sandbox.clock import BEIJING, SandboxClock
from sandbox.faults import FaultBoard
from sandbox.frame import Surroundings
from sandbox.keyring import Keyring, create_keyring
from sandbox.unionpay import UnionpaySimulator
from sandbox.unionpay.keys import UnionpayKeys
from sandbox.wechatpay import WechatpaySimulator
from sandbox.wechatpay.keys import WechatpayKeys
from tests.sandbox.bank_ccb_counter import NOTIFY_URL as CCB_NOTIFY_URL
from tests.sandbox.bank_ccb_counter import Counter
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
def surroundings(clock: SandboxClock, faults: FaultBoard, inbox: Inbox) -> Callable[[str], Surroundings]:
    """Where the simulator of a name lives: at a host of its own, with room for five orders."""

    def around(provider: str) -> Surroundings:
        return Surroundings(
            provider=provider,
            clock=clock,
            faults=faults,
            post=inbox.post,
            base_url=f"https://{provider}.sandbox.example",
            orders_max=5,
        )

    return around


@pytest.fixture
def wechatpay(keyring: Keyring, clock: SandboxClock, surroundings: Callable[[str], Surroundings]) -> WechatpayMerchant:
    return WechatpayMerchant(keyring, clock, WechatpaySimulator(keyring.of(WechatpayKeys), surroundings("wechatpay")))


@pytest.fixture
def alipay(keyring: Keyring, clock: SandboxClock, surroundings: Callable[[str], Surroundings]) -> AlipayMerchant:
    return AlipayMerchant(keyring, clock, AlipaySimulator(keyring.of(AlipayKeys), surroundings("alipay")))


@pytest.fixture
def unionpay(keyring: Keyring, clock: SandboxClock, surroundings: Callable[[str], Surroundings]) -> UnionpayMerchant:
    return UnionpayMerchant(keyring, clock, UnionpaySimulator(keyring.of(UnionpayKeys), surroundings("unionpay")))


@pytest.fixture
def counter(keyring: Keyring, clock: SandboxClock, surroundings: Callable[[str], Surroundings]) -> Counter:
    keys = keyring.of(BankCcbKeys)
    simulator = BankCcbSimulator(keys, surroundings("bank_ccb"), notify_url=CCB_NOTIFY_URL)
    return Counter(keyring, clock, simulator)


@pytest.fixture
def channel(
    keyring: Keyring, clock: SandboxClock, inbox: Inbox, surroundings: Callable[[str], Surroundings]
) -> "Channel":
    """Its own imports: the rest of the sandbox's tests run without gmssl-pyx."""
    from sandbox.shared_account.keys import SharedAccountKeys
    from sandbox.shared_account.simulator import SharedAccountSimulator
    from tests.sandbox.shared_account_channel import Channel

    inbox.default = (200, b'{"code":"0","message":"OK"}')
    simulator = SharedAccountSimulator(keyring.of(SharedAccountKeys), surroundings("shared_account"))
    return Channel(keyring, clock, simulator)
