"""The view a user writes today: wechatpayv3, a fresh schema per request, SQLAlchemy's ORM; no more than it must do."""

import tempfile
from datetime import UTC, datetime
from typing import Any

from flask import Flask, request
from marshmallow import EXCLUDE, Schema, fields
from sqlalchemy import BigInteger, String, create_engine, event, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from bench.ground import APIV3_KEY, APPID, MCHID, MERCHANT_SERIAL, PUBLIC_KEY_ID, Keys
from bench.wechat import CALLBACK_PATH


class Base(DeclarativeBase):
    """The peer's own schema."""


class PeerOrder(Base):
    """What a user keeps of an order."""

    __tablename__ = "peer_orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    out_trade_no: Mapped[str] = mapped_column(String(32), unique=True)
    amount_fen: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(16))
    transaction_id: Mapped[str | None] = mapped_column(String(32))
    paid_at: Mapped[datetime | None]


class PeerNotification(Base):
    """What a user keeps of a callback."""

    __tablename__ = "peer_notifications"

    id: Mapped[int] = mapped_column(primary_key=True)
    notification_id: Mapped[str] = mapped_column(String(64), unique=True)
    body: Mapped[str]
    received_at: Mapped[datetime]


class AmountIn(Schema):
    """The amount's members that count."""

    total = fields.Integer(required=True)
    currency = fields.String(required=True)


class PaidIn(Schema):
    """The decrypted resource."""

    mchid = fields.String(required=True)
    appid = fields.String(required=True)
    out_trade_no = fields.String(required=True)
    transaction_id = fields.String(required=True)
    trade_state = fields.String(required=True)
    success_time = fields.AwareDateTime(required=True)
    amount = fields.Nested(AmountIn, unknown=EXCLUDE, required=True)


def peer_engine(database_url: str) -> Any:
    """The usual engine; on SQLite with the durability that the gateway asks for."""
    engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"), pool_size=32)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def _durable(connection: Any, _record: Any) -> None:
            for pragma in ("journal_mode = WAL", "synchronous = FULL", "busy_timeout = 10000"):
                connection.execute(f"PRAGMA {pragma}")

    return engine


def peer_app(keys: Keys, database_url: str) -> Flask:
    """The view under Flask."""
    from wechatpayv3 import WeChatPay, WeChatPayType

    pay = WeChatPay(
        wechatpay_type=WeChatPayType.JSAPI,
        mchid=MCHID,
        private_key=keys.merchant_pem,
        cert_serial_no=MERCHANT_SERIAL,
        appid=APPID,
        apiv3_key=APIV3_KEY.decode(),
        cert_dir=tempfile.gettempdir(),
        public_key=keys.platform_public_pem,
        public_key_id=PUBLIC_KEY_ID,
    )
    engine = peer_engine(database_url)
    app = Flask("peer", static_folder=None)

    @app.post(CALLBACK_PATH)
    def callback() -> tuple[dict[str, str], int]:
        message = pay.callback(request.headers, request.data)
        if not message or message.get("event_type") != "TRANSACTION.SUCCESS":
            return {"code": "FAIL", "message": "失败"}, 500
        paid = PaidIn(unknown=EXCLUDE).load(message["resource"])
        with Session(engine) as session, session.begin():
            order = session.scalars(
                select(PeerOrder).where(PeerOrder.out_trade_no == paid["out_trade_no"]).with_for_update()
            ).one()
            if order.state == "paid":
                return {"code": "SUCCESS", "message": "成功"}, 200
            if paid["amount"]["total"] != order.amount_fen:
                return {"code": "FAIL", "message": "金额不符"}, 500
            order.state, order.transaction_id = "paid", paid["transaction_id"]
            order.paid_at = paid["success_time"].astimezone(UTC).replace(tzinfo=None)
            session.add(
                PeerNotification(
                    notification_id=message["id"],
                    body=request.get_data(as_text=True),
                    received_at=datetime.now(UTC).replace(tzinfo=None),
                )
            )
        return {"code": "SUCCESS", "message": "成功"}, 200

    return app


def create_peer_tables(database_url: str) -> None:
    """The peer's whole schema."""
    engine = peer_engine(database_url)
    Base.metadata.create_all(engine)
    engine.dispose()


PEER_ORDER_INSERT = "INSERT INTO peer_orders (out_trade_no, amount_fen, state) VALUES (?, ?, 'waiting')"
