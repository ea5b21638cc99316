"""Collected records and review items."""

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
    bindparam,
    func,
    or_,
    select,
)

from gateway.domain.collection import Collection, CollectionState, UnpaidOrder
from gateway.domain.review import ReviewItem, ReviewKind, ReviewState
from gateway.domain.states import OrderState
from gateway.store.columns import METADATA, fen, instant, key_id, ref, words
from gateway.store.row_map import RowMap
from gateway.store.tables import ORDERS
from gateway.store.write import Write

if TYPE_CHECKING:
    from gateway.store.tx import Tx

_ROWS_MAX: Final = 50
"""How many contents of one proof, and how many unpaid orders of one premium, are looked at."""

COLLECTIONS: Final = Table(
    "collections",
    METADATA,
    key_id(),
    words("app"),
    words("agent"),
    words("agent_code"),
    words("proof_no"),
    Column("version", Integer, nullable=False),
    words("content"),
    words("state"),
    words("reason"),
    fen("amount_fen"),
    words("collected_on"),
    words("method"),
    words("region"),
    Column("insured_year", Integer, nullable=False),
    words("insurance_kind"),
    words("insured_index"),
    words("slot"),
    Column("batch_id", String(40), nullable=False),
    Column("line_no", Integer, nullable=False),
    ref("evidence_id", "notifications.id"),
    ref("order_id", "orders.id", nullable=True),
    ref("payment_id", "payments.id", nullable=True),
    instant("created_at"),
    instant("updated_at"),
    UniqueConstraint("agent_code", "proof_no", "version"),
    CheckConstraint("amount_fen > 0", name="amount"),
    CheckConstraint("(state = 'accepted') = (payment_id IS NOT NULL)", name="paid_by"),
    Index(None, "app", "id"),
    Index(None, "insured_index"),
)

REVIEW_ITEMS: Final = Table(
    "review_items",
    METADATA,
    key_id(),
    words("kind"),
    Column("subject_id", String(40), nullable=False),
    words("state"),
    words("reason"),
    words("region", nullable=True),
    Column("insured_year", Integer),
    ref("order_id", "orders.id", nullable=True),
    ref("payment_id", "payments.id", nullable=True),
    ref("collection_id", "collections.id", nullable=True),
    words("resolution", nullable=True),
    Column("note_sealed", LargeBinary),
    words("resolved_by", nullable=True),
    instant("opened_at"),
    instant("resolved_at", nullable=True),
    UniqueConstraint("kind", "subject_id"),
    CheckConstraint("(state = 'resolved') = (resolution IS NOT NULL AND resolved_by IS NOT NULL)", name="resolved"),
    Index(None, "state", "id"),
)

COLLECTION: Final = RowMap(
    Collection,
    COLLECTIONS,
    fixed=(
        "app",
        "agent",
        "agent_code",
        "proof_no",
        "version",
        "content",
        "amount_fen",
        "collected_on",
        "method",
        "region",
        "insured_year",
        "insurance_kind",
        "insured_index",
        "slot",
        "batch_id",
        "line_no",
        "evidence_id",
        "created_at",
    ),
)
REVIEW_ITEM: Final = RowMap(
    ReviewItem,
    REVIEW_ITEMS,
    fixed=(
        "kind",
        "subject_id",
        "reason",
        "region",
        "insured_year",
        "order_id",
        "payment_id",
        "collection_id",
        "opened_at",
    ),
)
ROW_MAPS: Final[tuple[RowMap[Any], ...]] = (COLLECTION, REVIEW_ITEM)

_RESOLVE: Final = Write(
    name="update_review_items",
    sql=(
        f"UPDATE review_items SET {', '.join(f'{name} = ?' for name in REVIEW_ITEM.changing)}"  # noqa: S608  names of our own schema
        " WHERE id = ? AND state = 'open'"
    ),
    guarded=True,
)

_C, _R, _O = COLLECTIONS.c, REVIEW_ITEMS.c, ORDERS.c
_collections = select(*(_C[name] for name in COLLECTION.columns))
_reviews = select(*(_R[name] for name in REVIEW_ITEM.columns))

_BY_ID: Final = _collections.where(_C.id == bindparam("id"))
_BY_PROOF: Final = (
    _collections.where(_C.agent_code == bindparam("agent_code"), _C.proof_no == bindparam("proof_no"))
    .order_by(_C.version)
    .limit(_ROWS_MAX)
)
_BY_PERSON: Final = (
    _collections.where(_C.insured_index == bindparam("insured_index")).order_by(_C.id.desc()).limit(_ROWS_MAX)
)
_PAGE: Final = (
    _collections.where(
        _C.app == bindparam("app"),
        _C.id < bindparam("before"),
        or_(bindparam("any_state", type_=Integer()) == 1, _C.state == bindparam("state")),
        or_(bindparam("any_batch", type_=Integer()) == 1, _C.batch_id == bindparam("batch_id")),
    )
    .order_by(_C.id.desc())
    .limit(bindparam("limit"))
)
_UNPAID_ORDERS: Final = (
    select(_O.id, _O.app, _O.amount_fen)
    .where(
        _O.insured_index == bindparam("insured_index"),
        _O.slot == bindparam("slot"),
        _O.state == OrderState.OPEN.value,
    )
    .order_by(_O.id)
    .limit(_ROWS_MAX)
)
_REVIEW: Final = _reviews.where(_R.id == bindparam("id"))
_REVIEW_OF: Final = _reviews.where(_R.kind == bindparam("kind"), _R.subject_id == bindparam("subject_id"))
_REVIEWS_PAGE: Final = (
    _reviews.where(_R.state == bindparam("state"), _R.id > bindparam("after")).order_by(_R.id).limit(bindparam("limit"))
)
_OPEN_COUNTS: Final = (
    select(_R.kind, func.count()).where(_R.state == ReviewState.OPEN.value).group_by(_R.kind).order_by(_R.kind)
)


def collection(tx: "Tx", collection_id: str) -> Collection | None:
    return tx.one(COLLECTION, _BY_ID, id=collection_id)


def collections_of_proof(tx: "Tx", agent_code: str, proof_no: str) -> list[Collection]:
    """Every content that came under this proof number, the first one first."""
    return tx.all(COLLECTION, _BY_PROOF, agent_code=agent_code, proof_no=proof_no)


def collections_of_person(tx: "Tx", insured_index: str) -> list[Collection]:
    """The newest records about a person."""
    return tx.all(COLLECTION, _BY_PERSON, insured_index=insured_index)


def collections_page(
    tx: "Tx", app: str, *, before: str, limit: int, state: CollectionState | None, batch_id: str | None
) -> list[Collection]:
    """An app's collections with an id below `before`, newest first."""
    return tx.all(
        COLLECTION,
        _PAGE,
        app=app,
        before=before,
        limit=limit,
        any_state=int(state is None),
        state=state.value if state else "",
        any_batch=int(batch_id is None),
        batch_id=batch_id or "",
    )


def unpaid_orders(tx: "Tx", *, insured_index: str, slot: str) -> list[UnpaidOrder]:
    """The open orders of a premium, of every app, oldest first."""
    rows = tx.rows(_UNPAID_ORDERS, insured_index=insured_index, slot=slot)
    return [UnpaidOrder(id=id_, app=app, amount_fen=amount_fen) for id_, app, amount_fen in rows]


def review_item(tx: "Tx", review_id: str) -> ReviewItem | None:
    return tx.one(REVIEW_ITEM, _REVIEW, id=review_id)


def review_of(tx: "Tx", kind: ReviewKind, subject_id: str) -> ReviewItem | None:
    return tx.one(REVIEW_ITEM, _REVIEW_OF, kind=kind.value, subject_id=subject_id)


def reviews_page(tx: "Tx", state: ReviewState, *, after: str, limit: int) -> list[ReviewItem]:
    """Items in a state, oldest first, those with an id above `after`."""
    return tx.all(REVIEW_ITEM, _REVIEWS_PAGE, state=state.value, after=after, limit=limit)


def open_review_counts(tx: "Tx") -> dict[ReviewKind, int]:
    """How many items of each kind wait for a person."""
    return {ReviewKind(kind): count for kind, count in tx.rows(_OPEN_COUNTS)}


def resolve_item(tx: "Tx", item: ReviewItem) -> None:
    """Write what was decided; a Conflict if somebody else was first."""
    tx.write(_RESOLVE, REVIEW_ITEM.encode_update(item))
