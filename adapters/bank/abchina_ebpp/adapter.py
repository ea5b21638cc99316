"""One merchant's front in the bank's biller mode: proof first, then the message. It remembers nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from adapters.bank.abchina_ebpp.answers import bills_answer
from adapters.bank.abchina_ebpp.config import Config
from adapters.bank.abchina_ebpp.messages import Conditions, is_question, question, read_conditions, read_payment
from adapters.bank.collector import Collector
from adapters.bank.trustpay import Malformed, NotAuthentic, decode_msg, form_msg, open_xml
from gateway.domain.biller import (
    BillerAsk,
    BillerOutcome,
    BillerReason,
    BillerRefused,
    BillPage,
    DayLine,
    Institution,
)
from gateway.domain.biller_front import Admitted, BillerAnswer, BillerRequest, DayFileRefused, NotAdmitted

_BODY_BYTES_MAX: Final = 65536
_TEXT: Final = "text/plain; charset=gbk"
_HTML: Final = "text/html; charset=utf-8"
_STATUS_BY_REASON: Final = {BillerReason.BUSY: 503, BillerReason.UNDECIDED: 503}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    """The proven text; `conditions` of a question that could be read."""

    inner: str = field(repr=False)
    conditions: Conditions | None = field(repr=False)


class EbppInstitution(Collector):
    """
    See `gateway.domain.biller_front.BillerFront`. Messages carry neither time nor nonce: payments are told apart by the
    bank's own serial, and a question may be asked again.
    """

    name = "bank_abchina_ebpp"

    def __init__(self, config: Config) -> None:
        self._config = config

    @property
    def institution(self) -> Institution:
        return self._config.institution

    def key_expiries(self) -> Mapping[str, datetime]:
        return self._config.expiries

    def speaks(self, path: str) -> bool:
        return path == self._config.address

    def is_addressed(self, request: BillerRequest) -> bool:
        return self.speaks(request.path)

    def body_bytes_max(self, path: str) -> int:
        return _BODY_BYTES_MAX

    def admit(self, request: BillerRequest) -> Admitted:
        try:
            msg = form_msg(request.body)
            # A question is posted as it is, a payment in base64, which has no such sign.
            document = msg.encode("ascii") if msg.startswith("<") else decode_msg(msg)
            inner = open_xml(document, self._config.bank_keys)
        except (Malformed, NotAuthentic):
            raise NotAdmitted(BillerReason.SIGNATURE) from None
        return Admitted(
            request=request,
            nonce=None,
            message=_Message(inner=inner, conditions=self._conditions(inner)),
            tells_of_money=not is_question(inner),
        )

    def _conditions(self, inner: str) -> Conditions | None:
        try:
            return read_conditions(self._config, inner) if is_question(inner) else None
        except BillerRefused:
            return None

    def read(self, admitted: Admitted) -> BillerAsk:
        message: _Message = admitted.message
        if not is_question(message.inner):
            return read_payment(self._config, message.inner)
        if message.conditions is None:
            raise BillerRefused(BillerReason.FORMAT)
        return question(self._config, message.conditions)

    def day_lines(self, content: bytes) -> Iterator[DayLine]:
        raise DayFileRefused("this bank's days come as statements of the ordinary kind")

    def answer(self, admitted: Admitted, outcome: BillerOutcome, *, answer_no: str) -> BillerAnswer:
        """
        A question gets its bills; a payment the page that names the payer's next address, once it is on record, or kept
        for a person. Any other status asks for another delivery (what the bank makes of it is unverified).
        """
        reason = outcome if isinstance(outcome, BillerReason) else None
        code = reason.value if reason is not None else "done"
        if reason in _STATUS_BY_REASON:
            return _plain(_STATUS_BY_REASON[reason], code)
        message: _Message = admitted.message
        if is_question(message.inner):
            bills = outcome.bills if isinstance(outcome, BillPage) else ()
            body = bills_answer(self._config, message.conditions, bills)
            return BillerAnswer(status=200, headers={"Content-Type": _TEXT}, body=body, code=code)
        page = f"<URL>{self._config.result_url}</URL>\n"
        return BillerAnswer(status=200, headers={"Content-Type": _HTML}, body=page.encode("ascii"), code=code)

    def turn_away(self, request: BillerRequest, reason: BillerReason, *, answer_no: str) -> BillerAnswer:
        return _plain(401, reason.value)


def _plain(status: int, code: str) -> BillerAnswer:
    return BillerAnswer(status=status, headers={"Content-Type": "text/plain"}, body=b"", code=code)
