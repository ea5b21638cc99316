"""
What every simulator is: a function of requests, and a party whose orders the pages and the control interface pay.

It knows neither Flask nor sockets: a server, or a test, hands requests in; what it sends of its own goes by `post`.
A provider's frame, ProviderSimulator, has the lock and the places where faults strike; signatures, fields and rules are
each simulator's own.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

from sandbox.faults import AFTER_COMMIT, BEFORE_COMMIT, AnyFault, Fault, FaultRule
from sandbox.frame import World
from sandbox.spoiling import struck_answer
from sandbox.wire import Answer, Json, PayRefused, RequestRefused

OrderT = TypeVar("OrderT")
CallT = TypeVar("CallT")
WorldT = TypeVar("WorldT", bound=World)


class Simulator:
    """
    One party as the application, its pages and its control interface see it; safe to call from several threads.

    What a party does not have stays as it is here. A client of the gateway has orders (what its payers owe or paid)
    and `pay`, and posts of its own accord; a provider derives from ProviderSimulator.
    """

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """
        Answer one request.

        Args:
            path: Path with query exactly as on the wire, the base URL's own path included.
            body: The exact bytes; empty for GET.
        """
        del method, path, headers, body
        return Answer(status=404, headers={"Content-Type": "text/plain"}, body=b"Not Found")

    def orders(self) -> list[Json]:
        """Every order as the index and the control interface list it, oldest first."""
        return []

    def books(self) -> dict[str, list[Json]]:
        """The party's own truth: every payment received and every refund accepted, in fen."""
        return {"payments": [], "refunds": []}

    def deliveries(self) -> list[Json]:
        """What it posted of its own accord and what was answered."""
        return []

    def pay(self, out_trade_no: str) -> Json:
        """
        The payer pays this order.

        Returns:
            The order; with `return_url` or `return_form` where the payer's browser goes on.

        Raises:
            PayRefused: Unknown, paid already, or no longer payable.
        """
        raise PayRefused("没有这个订单")

    def cancel(self, out_trade_no: str) -> Json:
        """
        The payer turns away from the cashier.

        Raises:
            PayRefused: Unknown order.
        """
        raise PayRefused("没有这个订单")

    def cashier(self, token: str) -> Json:
        """
        What the cashier shows for the token of a payment; opening it may be the payer's arrival.

        Raises:
            PayRefused: Unknown, or its time has run out.
        """
        raise PayRefused("支付链接无效，请返回商户页面重新发起支付")

    def rotate_certificate(self) -> str:
        """
        A new key signs from now on; returns how the party names it.

        Raises:
            ValueError: It has no key that changes.
        """
        raise ValueError("this party has no key that changes")


class ProviderSimulator(Simulator, ABC, Generic[WorldT, CallT, OrderT]):
    """
    A provider: admits requests, lets faults strike, commits under the lock, signs answers; payers pay its orders.

    `answer` is the simulator's own: it finds the operation, checks the signature, and gives the admitted call to
    `_answered`. Methods with an underscore but `_answered` are called with the lock held unless they say otherwise.

    Attributes:
        writing_faults: After-commit faults that change how an answer is written; `_written` gets them.
        unknown_text: What the payer reads about an order that is not there.
    """

    writing_faults: ClassVar[frozenset[AnyFault]] = frozenset()
    unknown_text: ClassVar[str] = "没有这个订单"

    def __init__(self, world: WorldT) -> None:
        self._world = world
        self._base_path = world.surroundings.base_path

    # --- requests -----------------------------------------------------------------------------------------------------

    def _answered(self, call: CallT) -> Answer:
        """Everything that comes after admission, without the lock."""
        surroundings = self._world.surroundings
        operation, out_trade_no = self._about(call)
        take = partial(
            surroundings.faults.take, provider=surroundings.provider, operation=operation, out_trade_no=out_trade_no
        )
        if (rule := take(BEFORE_COMMIT)) is not None:
            return self._struck(rule, call)
        outcome = self._committed(call)
        rule = take((AFTER_COMMIT - {Fault.GBK_BODY}) | self.writing_faults)
        if rule is not None and rule.fault in self.writing_faults:
            return self._written(call, outcome, rule.fault)
        sound = self._written(call, outcome, None)
        return sound if rule is None else self._struck(rule, call, sound)

    def _committed(self, call: CallT) -> Any:
        try:
            with self._world.lock:
                return self._run(call)
        except RequestRefused as refusal:
            return refusal

    def _struck(self, rule: FaultRule, call: CallT, sound: Answer | None = None) -> Answer:
        return struck_answer(rule, sound, limited=partial(self._limited, call), broken=partial(self._broken, call))

    @abstractmethod
    def _about(self, call: CallT) -> tuple[str, str]:
        """The operation, as fault rules name it, and the order's number under whichever name; without the lock."""

    @abstractmethod
    def _run(self, call: CallT) -> Any:
        """
        Do it.

        Raises:
            RequestRefused: It cannot be done.
        """

    @abstractmethod
    def _written(self, call: CallT, outcome: Any, fault: AnyFault | None) -> Answer:
        """The answer to what `_run` returned or refused with; without the lock."""

    @abstractmethod
    def _limited(self, call: CallT) -> Answer:
        """Too many requests, nothing done; without the lock."""

    @abstractmethod
    def _broken(self, call: CallT) -> Answer:
        """The provider's system error, which says nothing of what was done; without the lock."""

    # --- the payer ----------------------------------------------------------------------------------------------------

    def pay(self, out_trade_no: str) -> Json:
        with self._world.lock:
            order = self._known(out_trade_no)
            more = self._paid_by_payer(order)
            return self._listed(order) | more

    def cancel(self, out_trade_no: str) -> Json:
        with self._world.lock:
            order = self._known(out_trade_no)
            more = self._turned_away(order)
            return self._listed(order) | more

    def cashier(self, token: str) -> Json:
        with self._world.lock:
            return self._listed(self._visited(token))

    @abstractmethod
    def _find(self, out_trade_no: str) -> OrderT | None:
        """The order of this number; of several the newest."""

    @abstractmethod
    def _visited(self, token: str) -> OrderT:
        """
        The order that a cashier's token names.

        Raises:
            PayRefused: None, or its time has run out.
        """

    @abstractmethod
    def _paid_by_payer(self, order: OrderT) -> Json:
        """
        Commit the payment; returns what the page needs beside the order: `return_url`, `return_form`, or nothing.

        Raises:
            PayRefused: It cannot be paid.
        """

    def _turned_away(self, order: OrderT) -> Json:
        """What turning away does, and what the page needs then: for most nothing, the order can still be paid."""
        del order
        return {}

    def _known(self, out_trade_no: str) -> OrderT:
        order = self._find(out_trade_no)
        if order is None:
            raise PayRefused(self.unknown_text)
        return order

    # --- what there is ------------------------------------------------------------------------------------------------

    def orders(self) -> list[Json]:
        with self._world.lock:
            return [self._listed(order) for order in self._all_orders()]

    def books(self) -> dict[str, list[Json]]:
        with self._world.lock:
            paid = list(self._paid_orders())
            return {
                "payments": [self._named() | self._payment(order) for order in paid],
                "refunds": [self._named() | refund for order in paid for refund in self._refunds(order)],
            }

    def deliveries(self) -> list[Json]:
        return self._world.courier.deliveries()

    @abstractmethod
    def _all_orders(self) -> Iterable[OrderT]:
        """Oldest first."""

    @abstractmethod
    def _paid_orders(self) -> Iterable[OrderT]:
        """Those whose money was received."""

    @abstractmethod
    def _shown(self, order: OrderT) -> Json:
        """out_trade_no, kind, state, amount_fen, refunded_fen, subject, provider_trade_no, prepay, created_at, …"""

    @abstractmethod
    def _payment(self, order: OrderT) -> Json:
        """out_trade_no, provider_trade_no, amount_fen, paid_at."""

    @abstractmethod
    def _refunds(self, order: OrderT) -> Iterable[Json]:
        """out_trade_no, out_refund_no, amount_fen, outcome, accepted_at."""

    def _listed(self, order: OrderT) -> Json:
        return self._named() | self._shown(order)

    def _named(self) -> Json:
        return {"provider": self._world.surroundings.provider}
