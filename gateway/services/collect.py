"""Takes in premiums that agents and the tax side collected: each record pays an order of its own, or asks a person."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.domain.clock import CHINA
from gateway.domain.collection import (
    Agent,
    CollectedRecord,
    Collection,
    CollectionState,
    LineOutcome,
    LineResult,
    SubmittedLine,
    UnpaidOrder,
)
from gateway.domain.order import IdempotencyKey, TaskKind
from gateway.domain.review import ReviewKind
from gateway.services.collected_payment import content_of, keep_unpaid, new_collection, pay_own_order
from gateway.services.deps import Deps
from gateway.services.idempotent import KeyedRequest, Replayed, Reply, finish, known_key, new_key, take_over
from gateway.services.open_order import premium_indexes
from gateway.services.order_change import OrderChange
from gateway.services.review import open_review
from gateway.services.tasks import due_task
from gateway.store import Tx
from gateway.store.families.collections import collections_of_proof, review_of, unpaid_orders

VERSIONS_MAX: Final = 20
"""Contents under one proof number; an agent that sends more is at fault, not in doubt."""

_REASONS: Final = {
    ReviewKind.PREMIUM_PAID_TWICE: "the premium of this person and year is paid by another order",
    ReviewKind.AMOUNT_DIFFERS: "the app's own open order for this premium has another amount",
    ReviewKind.PROOF_REUSED: "this proof number was used for a record with other content",
    ReviewKind.RECORD_LATE: "the record is older than its agent may be late",
}


def collect_batch(
    deps: Deps,
    app: str,
    lines: Sequence[SubmittedLine],
    request: KeyedRequest,
    render: Callable[[str, list[LineResult]], Reply],
) -> Reply:
    """
    Take every line in, each in a unit of work of its own, under one idempotency key.

    After a crash the same request resumes: lines that were taken in before give the results they had.

    Raises:
        Refusal: idempotency_key_reused, idempotency_in_flight.
    """
    try:
        held = deps.store.run(lambda tx: _hold(tx, deps, request))
    except Replayed as replayed:
        return replayed.reply
    batch_id = held.subject_id or ""
    collector = Collector(deps, app, batch_id=batch_id, actor=f"app:{app}")
    reply = render(batch_id, [collector.take(line) for line in lines])
    return finish(deps, held, reply)


def _hold(tx: Tx, deps: Deps, request: KeyedRequest) -> IdempotencyKey:
    """The batch's key, its own id as subject, so that a resume goes on with it."""
    held = known_key(tx, deps, request)
    if held is not None:
        return take_over(tx, deps, held)
    held = new_key(deps, request, subject_id=f"bat_{deps.ids.new()}")
    tx.insert(held)
    return held


def preview_batch(deps: Deps, app: str, lines: Iterable[SubmittedLine]) -> list[LineResult]:
    """What would happen to every line if they were taken in now, one after the other; nothing is written."""
    foresight = Foresight(deps, app)
    return [foresight.look(line) for line in lines]


# --- one line ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """
    What a record is judged against, as this unit of work has read it.

    Attributes:
        content: The record's keyed digest.
        earlier: What came under its proof number before.
    """

    content: str
    earlier: Sequence[Collection]
    slot: str
    slot_holder: str | None
    unpaid: Sequence[UnpaidOrder]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """Why a record does not count by itself, and the order concerned."""

    kind: ReviewKind
    order_id: str | None = None
    payment_id: str | None = None


def _facts(tx: Tx, deps: Deps, record: CollectedRecord) -> _Facts:
    insured_index, slot = premium_indexes(deps, record.subject)
    return _Facts(
        content=content_of(deps, record),
        earlier=collections_of_proof(tx, record.agent_code, record.proof_no),
        slot=slot,
        slot_holder=tx.slot_holder(slot),
        unpaid=unpaid_orders(tx, insured_index=insured_index, slot=slot),
    )


class _Desk:
    """Knows the agents that an app may submit for, and the questions that a record can raise."""

    def __init__(self, deps: Deps, app: str) -> None:
        self.deps = deps
        self.app = app
        self._agents = {agent.code: agent for agent in deps.settings.agents.values() if app in agent.apps}
        self._app_regions = deps.settings.apps[app].regions

    def agent(self, record: CollectedRecord) -> Agent:
        """The record's agent, once `faults` has found none."""
        return self._agents[record.agent_code]

    def faults(self, record: CollectedRecord) -> dict[str, list[str]]:
        """What the configuration forbids, per field."""
        agent = self._agents.get(record.agent_code)
        if agent is None:
            return {"agent_code": ["is not an agent that this app submits for"]}
        region = record.subject.region
        in_future = record.collected_on > self.deps.clock.now().astimezone(CHINA).date()
        checks = (
            ("collected_on", in_future, "lies in the future"),
            ("amount_fen", record.amount_fen > agent.amount_fen_max, f"is above {agent.amount_fen_max}"),
            ("region", not _allows(agent.regions, region), "is not a region of this agent"),
            ("region", not _allows(self._app_regions, region), "is not a region of this app"),
            ("proof_no", _names_a_person(record), "holds a person's name or number"),
        )
        faults: dict[str, list[str]] = {}
        for name, hit, text in checks:
            if hit:
                faults.setdefault(name, []).append(text)
        return faults

    def question(self, record: CollectedRecord, facts: _Facts) -> _Question | None:
        """Why this new record cannot count by itself; None if it can."""
        standing = [one for one in facts.earlier if one.state is not CollectionState.REJECTED]
        if standing:
            return _Question(
                kind=ReviewKind.PROOF_REUSED, order_id=standing[0].order_id, payment_id=standing[0].payment_id
            )
        if facts.slot_holder is not None:
            return _Question(kind=ReviewKind.PREMIUM_PAID_TWICE, order_id=facts.slot_holder)
        own = next((o for o in facts.unpaid if o.app == self.app and o.amount_fen != record.amount_fen), None)
        if own is not None:
            return _Question(kind=ReviewKind.AMOUNT_DIFFERS, order_id=own.id)
        days_late = (self.deps.clock.now().astimezone(CHINA).date() - record.collected_on).days
        late = days_late > self.agent(record).days_late_max
        return _Question(kind=ReviewKind.RECORD_LATE) if late else None


def _allows(regions: frozenset[str] | None, region: str) -> bool:
    return regions is None or region in regions


def _names_a_person(record: CollectedRecord) -> bool:
    """True when the proof's number, which is stored in clear, tells who is insured or who has paid."""
    proof_no = record.proof_no.upper()
    people = (record.subject.insured, record.subject.payer)
    texts = [text.upper() for one in people if one for text in (one.id_number, one.name)]
    return any(text in proof_no for text in texts if len(text) > 1)  # a single character tells of nobody


def _invalid(line: SubmittedLine, errors: dict[str, list[str]]) -> LineResult:
    return LineResult(line_no=line.line_no, outcome=LineOutcome.INVALID, errors=errors)


_TOO_MANY: Final = {"proof_no": ["has come with too many different contents"]}


class Collector:
    """Takes lines in for one app, under one batch."""

    def __init__(self, deps: Deps, app: str, *, batch_id: str, actor: str) -> None:
        self._deps = deps
        self._desk = _Desk(deps, app)
        self._batch_id = batch_id
        self._actor = actor

    def take(self, line: SubmittedLine) -> LineResult:
        """
        Take one line in; safe to repeat, at any time and by anyone.

        Raises:
            StoreUnavailable: The database did not answer; send the line again.
        """
        record = line.record
        errors = dict(line.errors) if record is None else self._desk.faults(record)
        if record is None or errors:
            return _invalid(line, errors)
        return self._deps.store.run(lambda tx: self._take(tx, line, record))

    def _take(self, tx: Tx, line: SubmittedLine, record: CollectedRecord) -> LineResult:
        facts = _facts(tx, self._deps, record)
        same = next((one for one in facts.earlier if one.content == facts.content), None)
        if same is not None:
            return self._repeated(tx, line, same)
        if len(facts.earlier) >= VERSIONS_MAX:
            return _invalid(line, _TOO_MANY)
        collection = new_collection(
            self._deps,
            record,
            app=self._desk.app,
            agent=self._desk.agent(record),
            version=len(facts.earlier) + 1,
            content=facts.content,
            batch_id=self._batch_id,
            line_no=line.line_no,
        )
        question = self._desk.question(record, facts)
        if question is None:
            return self._accept(tx, line, record, collection, facts)
        return self._ask(tx, line, record, collection, question)

    def _repeated(self, tx: Tx, line: SubmittedLine, known: Collection) -> LineResult:
        """A record that we have: by the same line of the same batch it is that line's own result, told again."""
        review = review_of(tx, ReviewKind(known.reason), known.id) if known.reason else None
        own = (known.batch_id, known.line_no) == (self._batch_id, line.line_no)
        outcome = LineOutcome.REVIEW if known.reason else LineOutcome.ACCEPTED
        return LineResult(
            line_no=line.line_no,
            outcome=outcome if own else LineOutcome.DUPLICATE,
            reason=known.reason,
            state=known.state,
            collection_id=known.id,
            order_id=known.order_id,
            payment_id=known.payment_id,
            review_id=review.id if review else None,
        )

    def _accept(
        self, tx: Tx, line: SubmittedLine, record: CollectedRecord, collection: Collection, facts: _Facts
    ) -> LineResult:
        collection = pay_own_order(
            tx, self._deps, record, collection, agent=self._desk.agent(record), actor=self._actor
        )
        tx.insert(collection)
        close_rivals(tx, self._deps, facts.unpaid)
        return LineResult(
            line_no=line.line_no,
            outcome=LineOutcome.ACCEPTED,
            state=collection.state,
            collection_id=collection.id,
            order_id=collection.order_id,
            payment_id=collection.payment_id,
        )

    def _ask(
        self, tx: Tx, line: SubmittedLine, record: CollectedRecord, collection: Collection, question: _Question
    ) -> LineResult:
        kind = question.kind
        collection = keep_unpaid(tx, self._deps, record, collection, reason=kind.value)
        tx.insert(collection)
        order = tx.order(question.order_id) if question.order_id else None
        change = OrderChange(tx, self._deps, order, now=collection.created_at, actor=self._actor) if order else None
        item = open_review(
            tx,
            self._deps,
            kind=kind,
            subject_id=collection.id,
            reason=_REASONS[kind],
            change=change,
            region=collection.region,
            insured_year=collection.insured_year,
            payment_id=question.payment_id or (order.paid_payment_id if order else None),
            collection_id=collection.id,
        )
        if change is not None:
            change.write()
        return LineResult(
            line_no=line.line_no,
            outcome=LineOutcome.REVIEW,
            reason=kind.value,
            state=collection.state,
            collection_id=collection.id,
            review_id=item.id,
        )


def close_rivals(tx: Tx, deps: Deps, unpaid: Sequence[UnpaidOrder]) -> None:
    """The premium is paid: what payers have open for it elsewhere is shut, so that less has to go back."""
    now = deps.clock.now()
    for order in unpaid:
        tx.schedule(due_task(TaskKind.CLOSE_ORDER, order.id, None, at=now, now=now))


# --- looking ahead ----------------------------------------------------------------------------------------------------


class Foresight:
    """Says what would become of lines, each as if those before it had been taken in."""

    def __init__(self, deps: Deps, app: str) -> None:
        self._deps = deps
        self._desk = _Desk(deps, app)
        self._contents: dict[tuple[str, str], list[str]] = {}
        self._slots: set[str] = set()

    def look(self, line: SubmittedLine) -> LineResult:
        """What would become of this line."""
        record = line.record
        errors = dict(line.errors) if record is None else self._desk.faults(record)
        if record is None or errors:
            return _invalid(line, errors)
        facts = _facts(self._deps.store.read(), self._deps, record)
        same = next((one for one in facts.earlier if one.content == facts.content), None)
        before = self._contents.setdefault((record.agent_code, record.proof_no), [])
        if same is not None or facts.content in before:
            return LineResult(
                line_no=line.line_no,
                outcome=LineOutcome.DUPLICATE,
                reason=same.reason if same else "",
                state=same.state if same else None,
                collection_id=same.id if same else None,
                order_id=same.order_id if same else None,
                payment_id=same.payment_id if same else None,
            )
        if len(facts.earlier) + len(before) >= VERSIONS_MAX:
            return _invalid(line, _TOO_MANY)
        reason = self._reason(record, facts, before)
        before.append(facts.content)
        if reason is None:
            self._slots.add(facts.slot)
        return LineResult(
            line_no=line.line_no,
            outcome=LineOutcome.REVIEW if reason else LineOutcome.ACCEPTED,
            reason=reason.value if reason else "",
        )

    def _reason(self, record: CollectedRecord, facts: _Facts, before: list[str]) -> ReviewKind | None:
        if before:
            return ReviewKind.PROOF_REUSED
        question = self._desk.question(record, facts)
        if question is not None and question.kind in (ReviewKind.PROOF_REUSED, ReviewKind.PREMIUM_PAID_TWICE):
            return question.kind
        if facts.slot in self._slots:
            return ReviewKind.PREMIUM_PAID_TWICE
        return question.kind if question else None
