"""One institution's front: proof first, then the message; answers are signed. It remembers nothing."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from adapters.bank.bbp.answers import answer_body
from adapters.bank.bbp.calls import CONTENT_CHARACTERS_MAX, Frame, Members, check_head, read_body
from adapters.bank.bbp.config import Config
from adapters.bank.bbp.dayfile import day_lines
from adapters.bank.bbp.signing import answer_text, request_text
from adapters.bank.bbp.tables import CALL_BY_PATH, CODE_BY_REASON, DONE, STATUS_BY_REASON, VERSION, Call
from adapters.bank.collector import Collector
from adapters.kit.base import AdapterTools
from gateway.domain.biller import BillerAsk, BillerOutcome, BillerReason, BillerRefused, DayLine, Institution
from gateway.domain.biller_front import Admitted, BillerAnswer, BillerRequest, NotAdmitted
from gateway.domain.clock import CHINA
from gateway.domain.strict_json import parse_strict_json_object

WINDOW_SECONDS: Final = 300
_ENVELOPE_BYTES: Final = 65536
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")
_NONCE: Final = re.compile(r"[0-9A-Za-z_\-]{16,64}")
_ECHOED: Final = ("tran_code", "tran_date", "tran_time", "tran_seq")
_ECHO_CHARACTERS_MAX: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    """A proven request; `parts` is None for a body that is no envelope."""

    call: Call
    parts: tuple[Members, Members] | None = field(repr=False)


class BbpInstitution(Collector):
    """See `gateway.domain.biller_front.BillerFront`. Source of the protocol: sheet section 8 (ours)."""

    name = "bank_bbp"

    def __init__(self, config: Config, tools: AdapterTools) -> None:
        self._config = config
        self._tools = tools

    @property
    def institution(self) -> Institution:
        return self._config.institution

    def speaks(self, path: str) -> bool:
        return path in CALL_BY_PATH

    def is_addressed(self, request: BillerRequest) -> bool:
        return self.speaks(request.path) and request.headers.get("x-bank-inst") == self.institution.id

    def body_bytes_max(self, path: str) -> int:
        return _ENVELOPE_BYTES + (CONTENT_CHARACTERS_MAX if CALL_BY_PATH.get(path) is Call.FILE else 0)

    # --- in ---------------------------------------------------------------------------------------------------------

    def admit(self, request: BillerRequest) -> Admitted:
        if not self.is_addressed(request):
            raise NotAdmitted(BillerReason.INSTITUTION)
        timestamp, nonce = self._fresh(request)
        key = self._config.bank_keys.get(request.headers.get("x-bank-key-id", ""))
        if key is None or key.sign_type != request.headers.get("x-bank-sign-type"):
            raise NotAdmitted(BillerReason.KEY)
        signed = request_text(request.path, timestamp, nonce, request.body)
        if not key.verify(signed, request.headers.get("x-bank-signature", "")):
            raise NotAdmitted(BillerReason.SIGNATURE)
        message = _Message(call=CALL_BY_PATH[request.path], parts=_parts(request.body))
        said = message.parts[0].values.get("inst_id") if message.parts else None
        if said is not None and said != self.institution.id:
            raise NotAdmitted(BillerReason.INSTITUTION)
        return Admitted(request=request, nonce=nonce, message=message)

    @staticmethod
    def _fresh(request: BillerRequest) -> tuple[str, str]:
        timestamp, nonce = (request.headers.get(f"x-bank-{name}", "") for name in ("timestamp", "nonce"))
        if _TIMESTAMP.fullmatch(timestamp) is None:
            raise NotAdmitted(BillerReason.TIMESTAMP)
        if abs(int(timestamp) - int(request.received_at.timestamp())) > WINDOW_SECONDS:
            raise NotAdmitted(BillerReason.TIMESTAMP)
        if _NONCE.fullmatch(nonce) is None:
            raise NotAdmitted(BillerReason.NONCE)
        return timestamp, nonce

    def read(self, admitted: Admitted) -> BillerAsk:
        message: _Message = admitted.message
        if message.parts is None:
            raise BillerRefused(BillerReason.FORMAT)
        head, body = message.parts
        if not head.has("inst_id"):
            raise BillerRefused(BillerReason.FIELD_MISSING)
        check_head(head, message.call)
        frame = Frame(institution=self.institution, received_at=admitted.request.received_at)
        return read_body(message.call, body, frame)

    def day_lines(self, content: bytes) -> Iterator[DayLine]:
        return day_lines(content, self.institution)

    # --- out --------------------------------------------------------------------------------------------------------

    def answer(self, admitted: Admitted, outcome: BillerOutcome, *, answer_no: str) -> BillerAnswer:
        parts = admitted.message.parts
        echo = _echo(parts[0].values) if parts else {}
        reason = outcome if isinstance(outcome, BillerReason) else None
        return self._signed(self._head(echo, reason, answer_no), answer_body(self._config, outcome), reason)

    def turn_away(self, request: BillerRequest, reason: BillerReason, *, answer_no: str) -> BillerAnswer:
        """Signed for the institution that is named; a stranger is told no more than a code, unsigned."""
        head = self._head({}, reason, answer_no)
        if self.is_addressed(request):
            return self._signed(head, {}, reason)
        stranger = head | {"inst_id": ""}
        return _answer(_json(stranger, {}), reason, {})

    def _head(self, echo: Mapping[str, str], reason: BillerReason | None, answer_no: str) -> dict[str, str]:
        code, text = CODE_BY_REASON[reason] if reason is not None else (DONE, "")
        now = self._tools.clock.now().astimezone(CHINA)
        return {
            "version": VERSION,
            "inst_id": self.institution.id,
            **echo,
            "ret_code": code,
            "ret_msg": text,
            "resp_seq": answer_no,
            "resp_time": now.strftime("%Y%m%d%H%M%S"),
        }

    def _signed(self, head: Mapping[str, str], body: Mapping[str, Any], reason: BillerReason | None) -> BillerAnswer:
        raw, key = _json(head, body), self._config.our_key
        timestamp, nonce = str(int(self._tools.clock.now().timestamp())), self._tools.nonce()
        headers = {
            "X-Bank-Inst": self.institution.id,
            "X-Bank-Key-Id": key.key_id,
            "X-Bank-Timestamp": timestamp,
            "X-Bank-Nonce": nonce,
            "X-Bank-Sign-Type": key.sign_type,
            "X-Bank-Signature": key.sign(answer_text(timestamp, nonce, raw)),
        }
        return _answer(raw, reason, headers)


def _parts(body: bytes) -> tuple[Members, Members] | None:
    try:
        envelope = parse_strict_json_object(body)
    except ValueError:
        return None
    head, content = envelope.get("head"), envelope.get("body")
    if not isinstance(head, dict) or not isinstance(content, dict):
        return None
    return Members(values=head), Members(values=content)


def _echo(head: Mapping[str, Any]) -> dict[str, str]:
    """What the answer repeats of the request's head, as far as it is text."""
    values = {name: head.get(name) for name in _ECHOED}
    return {name: value[:_ECHO_CHARACTERS_MAX] for name, value in values.items() if isinstance(value, str)}


def _json(head: Mapping[str, str], body: Mapping[str, Any]) -> bytes:
    return json.dumps({"head": head, "body": body}, ensure_ascii=False, separators=(",", ":")).encode()


def _answer(raw: bytes, reason: BillerReason | None, headers: Mapping[str, str]) -> BillerAnswer:
    return BillerAnswer(
        status=STATUS_BY_REASON.get(reason, 200) if reason is not None else 200,
        headers={"Content-Type": "application/json; charset=utf-8", **headers},
        body=raw,
        code=CODE_BY_REASON[reason][0] if reason is not None else DONE,
    )
