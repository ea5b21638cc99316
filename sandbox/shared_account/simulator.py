"""The shared account's simulator: its operations, its sealed answers, and what a person at the platform decides."""

import html
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from sandbox.clock import rfc3339
from sandbox.faults import AnyFault, Fault
from sandbox.frame import Surroundings
from sandbox.shared_account import binding, paying, revoking, sm
from sandbox.shared_account.admission import admit
from sandbox.shared_account.envelope import ACCEPTED, DER, RAW, SIGNATURE_FORMS, Envelope
from sandbox.shared_account.keys import SharedAccountKeys, public_text
from sandbox.shared_account.notices import DELIVERY_FAULTS, RETRY_SECONDS, accepts, body_of
from sandbox.shared_account.orders import Book, Order, Refusal
from sandbox.shared_account.registry import ACCOUNT_STATES, Registry
from sandbox.shared_account.statement import statement
from sandbox.shared_account.world import Data, Route, Run, World
from sandbox.simulator import ProviderSimulator
from sandbox.wire import Answer, Json, PayRefused


def closed_operation(_world: World, _data: Data) -> Data:
    """Freezing first (two-phase) is not open. Source: sheet shared_account.md section 4.7, off by default."""
    raise Refusal("SA1006")


def _route(trans_type: str, operation: str, needs: tuple[str, ...], run: Run) -> Route:
    return Route(trans_type=trans_type, operation=operation, needs=needs, run=run)


_OWNER: Final = ("ownerIdType", "ownerIdNo", "ownerName")
_MEMBER: Final = ("memberIdType", "memberIdNo", "memberName")
_PEOPLE: Final = (*_OWNER, *_MEMBER)
_PREMIUM: Final = ("insuplcAdmdvs", "insuYear", "insutype", "amt", "payAuthNo")
_ADD: Final = (*_PEOPLE, "relCode", "phone", "noticeAgreed", "reqSn")
_CHARGE: Final = ("outTradeNo", "bindId", *_PEOPLE, *_PREMIUM, "reqSn")
_REVOKE: Final = ("outTradeNo", "payOrdId", "revokeSn", "amt")
ROUTES: Final = {
    "/sa/bind/check": _route("sa.bind.check", "bind_check", (*_PEOPLE, "insuplcAdmdvs"), binding.check),
    "/sa/bind/list": _route("sa.bind.list", "bind_list", _OWNER, binding.listed),
    "/sa/bind/add": _route("sa.bind.add", "bind", _ADD, binding.add),
    "/sa/bind/remove": _route("sa.bind.remove", "unbind", (*_OWNER, "bindId", "reqSn"), binding.remove),
    "/sa/acct/balance": _route("sa.acct.balance", "balance", (*_OWNER, "insuplcAdmdvs"), binding.balance),
    "/sa/pay/charge": _route("sa.pay.charge", "create", _CHARGE, paying.charge),
    "/sa/pay/query": _route("sa.pay.query", "query", (), paying.query),
    "/sa/pay/revoke": _route("sa.pay.revoke", "refund", _REVOKE, revoking.revoke),
    "/sa/recon/file": _route("sa.recon.file", "bill", ("stmtDate", "insuplcAdmdvs"), statement),
    "/sa/pay/reserve": _route("sa.pay.reserve", "create", (), closed_operation),
    "/sa/pay/confirm": _route("sa.pay.confirm", "create", (), closed_operation),
    "/sa/pay/release": _route("sa.pay.release", "cancel", (), closed_operation),
}

USER_IDS: Final = ("default", "app_secret")


class SharedAccountSimulator(ProviderSimulator[World, tuple[Route, Data], Order]):
    """医保个人账户共济 as one application sees it. Paths below the base URL are those of `ROUTES`."""

    writing_faults = frozenset({Fault.SIGNATURE_DER, Fault.ANSWER_BAD_SIGNATURE})

    def __init__(
        self,
        keys: SharedAccountKeys,
        surroundings: Surroundings,
        *,
        notify_url: str = "",
        settle_seconds: float | None = 0,
        signature_form: str = RAW,
        sm2_user_id: str = USER_IDS[0],
    ) -> None:
        """
        Build it.

        Args:
            notify_url: Where callbacks go when a charge names no address.
            settle_seconds: How long a charge is under way; 0 settles at once, None waits for a person.
            signature_form: raw or der, of both sides.
            sm2_user_id: default or app_secret, of both sides.

        Raises:
            ValueError: An unknown form or user ID.
        """
        if signature_form not in SIGNATURE_FORMS or sm2_user_id not in USER_IDS:
            raise ValueError("signature_form or sm2_user_id is unknown")
        envelope = Envelope(
            app_id=keys.identity.app_id,
            app_secret=keys.app_secret,
            own=keys.platform,
            peer=keys.app.public_key,
            user_id=sm.DEFAULT_USER_ID if sm2_user_id == USER_IDS[0] else keys.app_secret.encode("utf-8"),
            signature_form=signature_form,
        )
        courier = surroundings.courier(retry_seconds=RETRY_SECONDS, accepts=accepts, spoils=DELIVERY_FAULTS)
        super().__init__(
            World(
                surroundings=surroundings,
                courier=courier,
                book=Book(surroundings.orders_max),
                registry=Registry(),
                envelope=envelope,
                notify_url=notify_url,
                settle_seconds=settle_seconds,
            )
        )

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """
        Answer one request.

        Args:
            path: Path as on the wire; a query string is not read.
            headers: Not read: everything that counts is in the envelope.
        """
        del headers
        route = ROUTES.get(urlsplit(path).path.removeprefix(self._base_path))
        if route is None or method != "POST":
            return _page(404, "Not Found")
        try:
            data = admit(self._world, body, route)
        except Refusal as refusal:
            return self._sealed(route, refusal)
        return self._answered((route, data))

    def rotate_certificate(self) -> str:
        """A new platform key signs from now on; returns its public key, base64 of 04‖X‖Y."""
        fresh = sm.new_pair()
        with self._world.lock:
            self._world.renew(fresh)
        return public_text(fresh.public_key)

    def bindings(self) -> list[Json]:
        """Every binding ever made, oldest first; identity numbers are masked."""
        with self._world.lock:
            return [
                {
                    "bind_id": item.bind_id,
                    "member_id_no": item.member_masked,
                    "relation": item.rel_code,
                    "state": item.state,
                    "effective_at": rfc3339(item.effective_at),
                }
                for item in self._world.registry.bindings.values()
            ]

    def decide(self, bind_id: str, decision: str) -> None:
        """
        A person decides about a binding: approve or refuse one that waits, remove one in force.

        Raises:
            PayRefused: Unknown binding, or one that the decision does not fit.
            ValueError: Unknown decision.
        """
        with self._world.lock:
            binding.decide(self._world, bind_id, decision)

    def set_account(self, owner_id_no: str, *, balance_fen: int, state: str) -> Json:
        """
        Say what an owner's account holds, and whether it is normal (1), frozen (2) or closed (3).

        Raises:
            ValueError: Below zero, or no such state.
        """
        if balance_fen < 0 or state not in ACCOUNT_STATES:
            raise ValueError("balance_fen must not be below zero, state must be 1, 2 or 3")
        with self._world.lock:
            account = self._world.registry.account(owner_id_no)
            account.balance_fen, account.state = balance_fen, state
        return {"balance_fen": balance_fen, "state": state}

    def _about(self, call: tuple[Route, Data]) -> tuple[str, str]:
        route, data = call
        order = self._world.book.by_pay_ord_id.get(str(data.get("payOrdId", "")))
        return route.operation, order.out_trade_no if order else str(data.get("outTradeNo", ""))

    def _run(self, call: tuple[Route, Data]) -> Any:
        route, data = call
        return route.run(self._world, data)

    def _written(self, call: tuple[Route, Data], outcome: Any, fault: AnyFault | None) -> Answer:
        route, _ = call
        if fault is Fault.SIGNATURE_DER:
            return self._sealed(route, outcome, signature_form=DER)
        if fault is Fault.ANSWER_BAD_SIGNATURE:
            return self._sealed(route, outcome, own=self._world.stranger)
        return self._sealed(route, outcome)

    def _limited(self, call: tuple[Route, Data]) -> Answer:
        route, _ = call
        return self._sealed(route, Refusal("SA1008"))

    def _broken(self, call: tuple[Route, Data]) -> Answer:
        del call
        return _page(500, "系统繁忙")

    def _sealed(self, route: Route, outcome: Data | Refusal, **changes: Any) -> Answer:
        """Refusals are sealed too, without data. Source: sheet shared_account.md section 3."""
        refused = isinstance(outcome, Refusal)
        message = {
            "transType": route.trans_type,
            "code": outcome.code if isinstance(outcome, Refusal) else ACCEPTED,
            "message": outcome.message if isinstance(outcome, Refusal) else "成功",
            "success": not refused,
        }
        sealed = self._world.sealed(message, None if isinstance(outcome, Refusal) else outcome, **changes)
        return Answer(status=200, headers={"Content-Type": "application/json; charset=utf-8"}, body=body_of(sealed))

    def _find(self, out_trade_no: str) -> Order | None:
        return self._world.book.orders.get(out_trade_no)

    def _visited(self, token: str) -> Order:
        order = self._world.book.by_visit.get(token)
        if order is None:
            raise PayRefused("页面地址无效，请返回订单列表")
        return order

    def _paid_by_payer(self, order: Order) -> Json:
        """A charge that waits is approved and debited now; when that is impossible by now, it has failed."""
        paying.settle(self._world, order)
        return {}

    def _turned_away(self, order: Order) -> Json:
        """A charge that waits is not approved and ends unpaid; any other stays as it is."""
        paying.end_unpaid(self._world, order)
        return {}

    def _all_orders(self) -> Iterable[Order]:
        return self._world.book.orders.values()

    def _paid_orders(self) -> Iterable[Order]:
        return (order for order in self._world.book.orders.values() if order.paid_at is not None)

    def _shown(self, order: Order) -> Json:
        return {
            "out_trade_no": order.out_trade_no,
            "kind": "charge",
            "state": order.state(self._world.clock.now()),
            "amount_fen": order.amount_fen,
            "refunded_fen": order.amount_fen if order.revoke_done else 0,
            "subject": f"{order.request['insuYear']}年度城乡居民医保缴费（共济账户）",
            "provider_trade_no": order.pay_ord_id,
            "prepay": order.visit,
            "created_at": rfc3339(order.created_at),
            "expires_at": rfc3339(order.expires_at) if order.expires_at else None,
        }

    def _payment(self, order: Order) -> Json:
        return {
            "out_trade_no": order.out_trade_no,
            "provider_trade_no": order.pay_ord_id,
            "amount_fen": order.amount_fen,
            "paid_at": rfc3339(order.paid_at) if order.paid_at else None,
        }

    def _refunds(self, order: Order) -> Iterable[Json]:
        return [
            {
                "out_trade_no": order.out_trade_no,
                "out_refund_no": item.revoke_sn,
                "provider_refund_no": "",
                "amount_fen": order.amount_fen,
                "outcome": item.outcome,
                "undo": True,
                "accepted_at": rfc3339(item.accepted_at),
            }
            for item in order.revokes
        ]


def _page(status: int, text: str) -> Answer:
    """An outage, or an unknown address: nothing sealed."""
    page = f'<!doctype html><html lang="zh-CN"><meta charset="utf-8"><h1>{html.escape(text)}</h1></html>'
    return Answer(status=status, headers={"Content-Type": "text/html;charset=utf-8"}, body=page.encode("utf-8"))
