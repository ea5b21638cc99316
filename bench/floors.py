"""
The floors: what the same work costs with nothing of the gateway in it.

F1 is a Flask view that verifies, decrypts and does one durable insert. F2 is the sum of a callback's parts, each
measured apart. F3 is the crypto of a create. F4 is how fast one connection inserts single rows.
"""

import base64
import json
import sqlite3
import threading
import time
import uuid
from collections.abc import Sequence
from typing import Any, Final, Protocol

import psycopg
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from flask import Flask, Response, request
from sqlalchemy.engine import make_url

from bench.ground import APIV3_KEY, Keys
from bench.wechat import CALLBACK_PATH

_TABLE: Final = "CREATE TABLE floor (id TEXT PRIMARY KEY, body BYTEA NOT NULL)"
_INSERT: Final = "INSERT INTO floor (id, body) VALUES (?, ?)"
_PADDING: Final = padding.PKCS1v15()
_SHA256: Final = hashes.SHA256()
_ANSWER: Final = '{"code":"SUCCESS","message":"成功"}'.encode()

Row = tuple[str, bytes]


class OneInsert(Protocol):
    """Makes one row durable."""

    def insert(self, row: Row) -> None: ...


def open_sqlite(path: str) -> sqlite3.Connection:
    """A connection with the durability that the gateway asks for."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "busy_timeout = 10000"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


class GroupCommit:
    """SQLite: whoever gets the turn commits the rows of all who wait."""

    def __init__(self, path: str) -> None:
        self._connection = open_sqlite(path)
        self._queue: list[Row] = []
        self._done: set[str] = set()
        self._mutex = threading.Lock()
        self._turn = threading.Lock()

    def insert(self, row: Row) -> None:
        with self._mutex:
            self._queue.append(row)
        with self._turn:
            if row[0] in self._done:
                self._done.remove(row[0])
                return
            with self._mutex:
                rows, self._queue = self._queue, []
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(_INSERT, rows)
            self._connection.execute("COMMIT")
            self._done.update(other[0] for other in rows)
            self._done.remove(row[0])


class PostgresCommit:
    """PostgreSQL: a connection for each thread, autocommit, prepared."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._local = threading.local()

    def insert(self, row: Row) -> None:
        connection: psycopg.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = psycopg.connect(self._uri, autocommit=True, prepare_threshold=1)
        connection.execute(_INSERT.replace("?", "%s"), row)


def create_floor_table(database_url: str) -> None:
    """The floor's whole schema."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        open_sqlite(url.database or "").execute(_TABLE)
        return
    with psycopg.connect(database_url) as connection:
        connection.execute(_TABLE)


def _store(database_url: str) -> OneInsert:
    url = make_url(database_url)
    return GroupCommit(url.database or "") if url.get_backend_name() == "sqlite" else PostgresCommit(database_url)


def floor_app(keys: Keys, database_url: str) -> Flask:
    """F1."""
    app = Flask("floor", static_folder=None)
    key, cipher, store = keys.platform.public_key(), AESGCM(APIV3_KEY), _store(database_url)

    @app.post(CALLBACK_PATH)
    def callback() -> Response:
        body = request.get_data(cache=False)
        verify(key, request.headers["Wechatpay-Timestamp"], request.headers["Wechatpay-Nonce"], body,
               request.headers["Wechatpay-Signature"])  # fmt: skip
        paid = json.loads(decrypt(cipher, json.loads(body)["resource"]))
        store.insert((paid["out_trade_no"], body))
        return Response(_ANSWER, content_type="application/json")

    return app


def verify(key: rsa.RSAPublicKey, timestamp: str, nonce: str, body: bytes, signature: str) -> None:
    """Raise unless the signature is right."""
    key.verify(base64.b64decode(signature), f"{timestamp}\n{nonce}\n".encode() + body + b"\n", _PADDING, _SHA256)


def decrypt(cipher: AESGCM, resource: dict[str, Any]) -> bytes:
    """Open the resource of a callback."""
    return cipher.decrypt(
        resource["nonce"].encode(), base64.b64decode(resource["ciphertext"]), resource["associated_data"].encode()
    )


def body_only_app() -> Flask:
    """The part of F2 that is Flask's: a route, the body, an answer."""
    app = Flask("body_only", static_folder=None)

    @app.post("/callbacks/<path:path>")
    def callback(path: str) -> Response:
        request.get_data(cache=False)
        return Response(_ANSWER, content_type="application/json")

    return app


def create_crypto(merchant: rsa.RSAPrivateKey, platform: rsa.RSAPrivateKey) -> float:
    """F3: processor seconds of two signatures and one verification."""
    text = b"POST\n/v3/pay/transactions/jsapi\n1772331630\nnonce\n" + bytes(420) + b"\n"
    signature, key = platform.sign(text, _PADDING, _SHA256), platform.public_key()
    rounds = 100
    began = time.process_time()
    for _ in range(rounds):
        merchant.sign(text, _PADDING, _SHA256)
        merchant.sign(text, _PADDING, _SHA256)
        key.verify(signature, text, _PADDING, _SHA256)
    return (time.process_time() - began) / rounds


def insert_rate(database_url: str, rows: Sequence[Row]) -> float:
    """F4: single-row inserts per second of one connection, each committed."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        connection = open_sqlite(url.database or "")
        began = time.perf_counter()
        for row in rows:
            connection.execute(_INSERT, row)
        return len(rows) / (time.perf_counter() - began)
    store = PostgresCommit(database_url)
    store.insert((uuid.uuid4().hex, b""))
    began = time.perf_counter()
    for row in rows:
        store.insert(row)
    return len(rows) / (time.perf_counter() - began)
