"""
The binding desk for apps: who may pay for whom from a shared account (医保个人账户共济).

The platform keeps the bindings, we keep none. What changes one goes under a number that is stored with the app's
idempotency key before the platform hears of it, so that a repetition is a repetition there, too.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from gateway.domain.bindings import (
    Balance,
    Binding,
    BindingDesk,
    BindingRequest,
    BindingState,
    Proof,
    Unbinding,
)
from gateway.domain.order import IdempotencyKey, Person
from gateway.domain.provider import (
    AccountMisconfigured,
    NoVerdict,
    ProviderError,
    ProviderUnavailable,
    RequestRefused,
)
from gateway.domain.refusal import Refusal
from gateway.services.choose_account import offered_methods
from gateway.services.deps import Deps
from gateway.services.idempotent import (
    LEASE,
    KeyedRequest,
    Replayed,
    Reply,
    finish,
    known_key,
    new_key,
    release,
    store_refusal,
)
from gateway.store import Tx

T = TypeVar("T")
Render = Callable[[Binding], Reply]

_RETRY_AFTER_SECONDS: Final = 5
_IN_FORCE: Final = frozenset({BindingState.ACTIVE, BindingState.IN_REVIEW})
_OF_NO_ACCOUNT: Final = frozenset({"method_not_available", "region_not_allowed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """
    Whose account an app asks about.

    Attributes:
        region: Where the account is held and the member insured, 6 digits; it decides which of our accounts asks.
    """

    app: str
    region: str
    owner: Person


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingDraft:
    """A binding that an app wants made; see `BindingRequest`."""

    holder: Holder
    member: Person
    relation: str
    phone: str = field(repr=False)
    notice_agreed: bool
    proofs: tuple[Proof, ...]


# --- questions --------------------------------------------------------------------------------------------------------


def list_bindings(deps: Deps, holder: Holder) -> tuple[Binding, ...]:
    """
    Everybody whom this account may pay for, or has asked to.

    Raises:
        Refusal: region_not_allowed, method_not_available, provider_refused, provider_unavailable.
    """
    return _asked(deps, holder, lambda desk: desk.list_bindings(holder.owner))


def check_binding(deps: Deps, holder: Holder, member: Person) -> Binding:
    """
    Whether this account may pay for this person.

    Raises:
        Refusal: As `list_bindings`.
    """
    return _asked(deps, holder, lambda desk: desk.check_binding(holder.owner, member, holder.region))


def read_balance(deps: Deps, holder: Holder) -> Balance:
    """
    What the account holds now: advice for a page, and no promise.

    Raises:
        Refusal: As `list_bindings`.
    """
    return _asked(deps, holder, lambda desk: desk.read_balance(holder.owner, holder.region))


def _asked(deps: Deps, holder: Holder, ask: Callable[[BindingDesk], T]) -> T:
    desk = _find_desk(deps, holder)
    try:
        return ask(desk)
    except (ProviderUnavailable, NoVerdict) as exc:
        raise _unavailable("the platform did not answer; ask again") from exc
    except RequestRefused as exc:
        raise _refused(exc) from exc


# --- changes ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """
    Something to be done at the desk.

    Attributes:
        act: Does it under our number.
        look: Whether it is so by now, however it came about; None if it is not.
        ends: Whether an answer in this state is the last word. One that is not leaves the outcome unknown.
    """

    act: Callable[[BindingDesk, str], Binding]
    look: Callable[[BindingDesk], Binding | None]
    ends: Callable[[BindingState], bool]


def bind(deps: Deps, draft: BindingDraft, request: KeyedRequest, render: Render) -> Reply:
    """
    Bind a relative to an account; the state says whether it is active already.

    An answer that never came gives a binding of state `unknown`, which is not stored: the same request goes on under
    the same number.

    Raises:
        Refusal: idempotency_key_reused, idempotency_in_flight, provider_unavailable (the same request goes on).
            region_not_allowed, method_not_available and provider_refused are stored answers.
    """
    holder = draft.holder
    change = _Change(
        act=lambda desk, req_sn: desk.add_binding(
            BindingRequest(
                owner=holder.owner,
                member=draft.member,
                relation=draft.relation,
                phone=draft.phone,
                notice_agreed=draft.notice_agreed,
                proofs=draft.proofs,
                req_sn=req_sn,
            )
        ),
        look=lambda desk: _in_force(desk.check_binding(holder.owner, draft.member, holder.region)),
        ends=lambda state: state is not BindingState.UNKNOWN,
    )
    return _changed(deps, holder, change, request, render)


def unbind(deps: Deps, holder: Holder, bind_id: str, request: KeyedRequest, render: Render) -> Reply:
    """
    Remove a binding (解绑); paid orders and their refunds are not touched.

    Raises:
        Refusal: As `bind`.
    """
    change = _Change(
        act=lambda desk, req_sn: desk.remove_binding(Unbinding(owner=holder.owner, bind_id=bind_id, req_sn=req_sn)),
        look=lambda desk: _removed(desk.list_bindings(holder.owner), bind_id),
        ends=lambda state: state is BindingState.NONE,
    )
    return _changed(deps, holder, change, request, render)


def _in_force(binding: Binding) -> Binding | None:
    return binding if binding.state in _IN_FORCE else None


def _removed(bindings: tuple[Binding, ...], bind_id: str) -> Binding | None:
    if any(binding.bind_id == bind_id and binding.state is not BindingState.NONE for binding in bindings):
        return None
    return Binding(state=BindingState.NONE, bind_id=bind_id)


def _changed(deps: Deps, holder: Holder, change: _Change, request: KeyedRequest, render: Render) -> Reply:
    try:
        held = deps.store.run(lambda tx: _claim(tx, deps, holder, request))
    except Replayed as replayed:
        return replayed.reply
    except Refusal as refusal:
        if refusal.code not in _OF_NO_ACCOUNT:
            raise
        return store_refusal(deps, request, refusal)
    return _Try(
        deps=deps, desk=_find_desk(deps, holder), change=change, held=held, request=request, render=render
    ).run()


def _claim(tx: Tx, deps: Deps, holder: Holder, request: KeyedRequest) -> IdempotencyKey:
    """Store our number for the platform with the key, or take it from there."""
    held = known_key(tx, deps, request)
    if held is None:
        _find_desk(deps, holder)
        held = new_key(deps, request, subject_id=deps.ids.new())
        tx.insert(held)
        return held
    lease_until = deps.clock.now() + LEASE
    tx.own_key(held, lease_until=lease_until)
    return replace(held, fence=held.fence + 1, lease_until=lease_until)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Try:
    """One try at a change, its number already stored."""

    deps: Deps
    desk: BindingDesk
    change: _Change
    held: IdempotencyKey
    request: KeyedRequest
    render: Render

    def run(self) -> Reply:
        try:
            binding = self.change.act(self.desk, self.held.subject_id or "")
        except ProviderUnavailable as exc:
            self._release()
            raise _unavailable("the platform cannot be reached; send the same request again") from exc
        except NoVerdict:
            return self._told(Binding(state=BindingState.UNKNOWN))
        except RequestRefused as exc:
            return self._refused(exc)
        return self._told(binding)

    def _refused(self, refused: RequestRefused) -> Reply:
        """An earlier try may have been accepted, and the refusal be of the repetition: look before believing."""
        if self.held.fence > 1:
            try:
                binding = self.change.look(self.desk)
            except ProviderError:
                binding = Binding(state=BindingState.UNKNOWN)
            if binding is not None:
                return self._told(binding)
        return self._finished(self.request.refuse(_refused(refused)))

    def _told(self, binding: Binding) -> Reply:
        if self.change.ends(binding.state):
            return self._finished(self.render(binding))
        self._release()
        return self.render(replace(binding, state=BindingState.UNKNOWN))

    def _release(self) -> None:
        self.deps.store.run(lambda tx: release(tx, self.deps, self.held))

    def _finished(self, reply: Reply) -> Reply:
        return finish(self.deps, self.held, reply)


# --- the desk ---------------------------------------------------------------------------------------------------------


def _find_desk(deps: Deps, holder: Holder) -> BindingDesk:
    """The desk of the account that this app may use for the region."""
    regions = deps.settings.apps[holder.app].regions
    if regions is not None and holder.region not in regions:
        raise Refusal(
            "region_not_allowed", "this app does not collect for that region", extra={"allowed": sorted(regions)}
        )
    offered = offered_methods(deps, holder.app, holder.region)
    for account, _ in offered.values():
        provider = deps.providers[account]
        if isinstance(provider, BindingDesk):
            return provider
    raise Refusal(
        "method_not_available",
        "this app cannot use a shared account in that region",
        extra={"allowed": sorted(offered)},
    )


def _unavailable(detail: str) -> Refusal:
    return Refusal("provider_unavailable", detail, retry_after_seconds=_RETRY_AFTER_SECONDS)


def _refused(exc: RequestRefused) -> Refusal:
    told = "" if isinstance(exc, AccountMisconfigured) else exc.code  # what is wrong with our account is our affair
    return Refusal(
        "provider_refused",
        "the platform refuses this, or cannot be sent it",
        extra={"provider_code": told} if told else {},
    )
