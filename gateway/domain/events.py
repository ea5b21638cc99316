"""The event chain: each order's history, every line bound to the one before it."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from gateway.domain.clock import micros
from gateway.domain.order import Event

CHAIN_START: Final = "0" * 64


def event_hash(
    previous: str, *, order_id: str, seq: int, kind: str, at: datetime, actor: str, evidence_id: str | None, detail: str
) -> str:
    """SHA-256, hex, over the hash before and every field of the event."""
    text = "\x1f".join((previous, order_id, str(seq), kind, str(micros(at)), actor, evidence_id or "", detail))
    return hashlib.sha256(text.encode()).hexdigest()


def next_event(
    *,
    order_id: str,
    after_seq: int,
    after_hash: str,
    kind: str,
    at: datetime,
    actor: str,
    evidence_id: str | None = None,
    detail: Mapping[str, Any],
) -> Event:
    """The event that follows the given position; `detail` holds no personal data."""
    text = json.dumps(detail, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    seq = after_seq + 1
    digest = event_hash(
        after_hash,
        order_id=order_id,
        seq=seq,
        kind=kind,
        at=at,
        actor=actor,
        evidence_id=evidence_id,
        detail=text,
    )
    return Event(
        order_id=order_id,
        seq=seq,
        kind=kind,
        at=at,
        actor=actor,
        evidence_id=evidence_id,
        detail=text,
        hash=digest,
    )
