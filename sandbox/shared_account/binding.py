"""
Bindings and the balance: check, list, add, remove; a review where one is asked for.

Source: sheet shared_account.md sections 4.1 and 4.2.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from sandbox.clock import BEIJING
from sandbox.money import yuan_of
from sandbox.shared_account.faults import SharedAccountFault
from sandbox.shared_account.orders import Refusal, moment
from sandbox.shared_account.registry import ACTIVE, NONE, REVIEW_REFUSED, WAITING, Binding
from sandbox.shared_account.world import Data, World
from sandbox.wire import PayRefused

RELATIONS: Final = frozenset({"01", "02", "03"})
BINDINGS_MAX: Final = 6
"""unverified: seen on a health page, for no city in particular."""

_AGREED: Final = "1"
_STATE_BY_DECISION: Final = {"approve": ACTIVE, "refuse": REVIEW_REFUSED, "remove": NONE}


def check(world: World, data: Data) -> Data:
    """Is this member bound to this owner, and how."""
    _check_names(world, data)
    binding = world.registry.current(data["ownerIdNo"], data["memberIdNo"])
    if binding is None:
        return {"bindStas": NONE}
    return {"bindId": binding.bind_id, "relCode": binding.rel_code} | _standing(binding)


def listed(world: World, data: Data) -> Data:
    """All bindings of an owner that were not removed."""
    found = [
        {
            "bindId": binding.bind_id,
            "memberIdNo": binding.member_masked,
            "memberName": binding.member_name,
            "relCode": binding.rel_code,
        }
        | _standing(binding)
        for binding in world.registry.of_owner(data["ownerIdNo"])
    ]
    return {"total": str(len(found))} | ({"bindList": found} if found else {})


def add(world: World, data: Data) -> Data:
    """Bind a relative; an existing binding of the two is answered as it stands."""
    if data["noticeAgreed"] != _AGREED:
        raise Refusal("SA2014")
    if data["relCode"] not in RELATIONS:
        raise Refusal("SA2005")
    return _once(world, data, _added)


def remove(world: World, data: Data) -> Data:
    """Unbind; paid orders are not touched."""
    return _once(world, data, _removed)


def balance(world: World, data: Data) -> Data:
    """What the account holds now; advice for a page."""
    account = world.registry.account(data["ownerIdNo"])
    return {
        "balc": yuan_of(account.balance_fen),
        "acctStas": account.state,
        "asOf": moment(world.clock.now()),
    }


def decide(world: World, bind_id: str, decision: str) -> None:
    """
    A person approves or refuses a waiting binding, or removes one in force.

    Raises:
        PayRefused: Unknown binding, or one that the decision does not fit.
        ValueError: Unknown decision.
    """
    if decision not in _STATE_BY_DECISION:
        raise ValueError(f"decision must be one of {', '.join(_STATE_BY_DECISION)}")
    binding = world.registry.bindings.get(bind_id)
    expected = ACTIVE if decision == "remove" else WAITING
    if binding is None or binding.state != expected:
        raise PayRefused("没有处于该状态的绑定关系")
    binding.state = _STATE_BY_DECISION[decision]
    binding.effective_at = world.clock.now()


def _standing(binding: Binding) -> Data:
    return {"bindStas": binding.state, "effTime": f"{binding.effective_at.astimezone(BEIJING):%Y%m%d}"}


def _check_names(world: World, data: Data) -> None:
    for side in ("owner", "member"):
        if not world.registry.known_as(data[f"{side}IdNo"], data[f"{side}Name"]):
            raise Refusal("SA2004")


def _once(world: World, data: Data, run: Callable[[World, Data], Binding]) -> Data:
    """The same reqSn with the same content does nothing again and is answered with the binding's present state."""
    known = world.registry.answered.get(data["reqSn"])
    if known is None:
        known = data, run(world, data).bind_id
        world.registry.answered[data["reqSn"]] = known
    if known[0] != data:
        raise Refusal("SA1007")
    binding = world.registry.bindings[known[1]]
    return {"bindId": binding.bind_id, "bindStas": binding.state}


def _added(world: World, data: Data) -> Binding:
    _check_names(world, data)
    binding = world.registry.current(data["ownerIdNo"], data["memberIdNo"])
    if binding is None or binding.state == REVIEW_REFUSED:
        if sum(1 for _ in world.registry.of_owner(data["ownerIdNo"])) >= BINDINGS_MAX:
            raise Refusal("SA2015")
        binding = _new(world, data)
    return binding


def _new(world: World, data: Data) -> Binding:
    rule = world.fault(SharedAccountFault.BINDING_WAITS, operation="bind")
    binding = Binding(
        bind_id=f"B{len(world.registry.bindings) + 1:010d}",
        owner_id_no=data["ownerIdNo"],
        member_id_no=data["memberIdNo"],
        member_name=data["memberName"],
        rel_code=data["relCode"],
        state=ACTIVE if rule is None else WAITING,
        effective_at=world.clock.now(),
    )
    world.registry.add(binding)
    for side in ("owner", "member"):
        world.registry.learn(data[f"{side}IdNo"], data[f"{side}Name"])
    if rule is not None and rule.seconds is not None:
        world.clock.call_later(rule.seconds, partial(_approve_by_itself, world, binding))
    return binding


def _approve_by_itself(world: World, binding: Binding) -> None:
    """The review ends well unless a person was faster. Runs as a job of the clock."""
    with world.lock:
        if binding.state == WAITING:
            decide(world, binding.bind_id, "approve")


def _removed(world: World, data: Data) -> Binding:
    binding = world.registry.bindings.get(data["bindId"])
    if binding is None or binding.owner_id_no != data["ownerIdNo"]:
        raise Refusal("SA2004")
    binding.state = NONE
    return binding
