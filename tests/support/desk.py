"""A provider with a binding desk, in memory: it binds once per number, and remembers what it was asked."""

from dataclasses import replace
from typing import Any

from gateway.domain.bindings import AccountState, Balance, Binding, BindingRequest, BindingState, Unbinding
from gateway.domain.order import Person
from gateway.domain.provider import InstructionKind, Method, MethodField, RequestRefused
from tests.support.clock import ManualClock
from tests.support.provider import FakeProvider

CHARGE = Method(
    name="charge",
    title="共济缴费",
    instruction=InstructionKind.NONE,
    fields={
        "bind_id": MethodField(required=True, pattern=r"\w{1,40}", description="binding", personal=True),
        "pay_auth_no": MethodField(
            required=True, pattern=r"[!-~]{1,128}", description="authorisation", personal=True, single_use=True
        ),
    },
    needs_subject=True,
    refunds_whole=True,
)


class FakeDesk(FakeProvider):
    """
    An account whose payments need a binding.

    Attributes:
        bound: The bindings in its books, by their number; tests change them by hand.
        balance_fen: What every account holds.
    """

    def __init__(self, name: str, clock: ManualClock) -> None:
        super().__init__(name, clock)
        self.methods = {"charge": CHARGE}
        self.bound: dict[str, Binding] = {}
        self.balance_fen = 123405
        self._people: dict[str, tuple[str, str]] = {}
        self._done: dict[str, str] = {}

    def check_binding(self, owner: Person, member: Person, region: str) -> Binding:
        scripted = self._called("check_binding", region, (owner, member))
        if scripted is not None:
            return scripted
        pair = (owner.id_number, member.id_number)
        found = (self.bound[bind_id] for bind_id, people in self._people.items() if people == pair)
        return next((binding for binding in found if binding.state is not BindingState.NONE), _NOBODY)

    def list_bindings(self, owner: Person) -> tuple[Binding, ...]:
        scripted = self._called("list_bindings", "", owner)
        if scripted is not None:
            return scripted
        return tuple(
            binding
            for bind_id, binding in self.bound.items()
            if self._people[bind_id][0] == owner.id_number and binding.state is not BindingState.NONE
        )

    def add_binding(self, request: BindingRequest) -> Binding:
        scripted = self._called("add_binding", request.req_sn, request)
        return self.added(request) if scripted is None else scripted

    def added(self, request: BindingRequest) -> Binding:
        """Do it, once per number."""
        if request.req_sn not in self._done:
            bind_id = self._done[request.req_sn] = f"B{len(self.bound) + 1}"
            self._people[bind_id] = (request.owner.id_number, request.member.id_number)
            self.bound[bind_id] = Binding(
                state=BindingState.ACTIVE,
                bind_id=bind_id,
                relation=request.relation,
                member_name=request.member.name,
                member_id_masked=f"{request.member.id_number[:6]}**********{request.member.id_number[-2:]}",
            )
        return self.bound[self._done[request.req_sn]]

    def remove_binding(self, request: Unbinding) -> Binding:
        scripted = self._called("remove_binding", request.req_sn, request)
        return self.removed(request) if scripted is None else scripted

    def removed(self, request: Unbinding) -> Binding:
        """Do it, or find it done."""
        if request.bind_id not in self.bound:
            raise RequestRefused("not bound", code="SA2004")
        self.bound[request.bind_id] = replace(self.bound[request.bind_id], state=BindingState.NONE)
        return self.bound[request.bind_id]

    def read_balance(self, owner: Person, region: str) -> Balance:
        scripted = self._called("read_balance", region, owner)
        if scripted is not None:
            return scripted
        return Balance(balance_fen=self.balance_fen, state=AccountState.NORMAL, as_of=self._clock.now())


_NOBODY = Binding(state=BindingState.NONE)


def give_desk(world: Any) -> FakeDesk:
    """Put a desk in the place of the world's first provider."""
    world.alpha = FakeDesk("alpha", world.clock)
    world.deps.providers["alpha_main"] = world.alpha
    return world.alpha
