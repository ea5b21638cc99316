"""Reads notifies, proof first, and writes our signed answers to them. Refuses what is not proven."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from adapters.bank.icbc.config import Config
from adapters.bank.icbc.messages import Form, Malformed, read_form
from adapters.bank.icbc.reports import notify_report
from adapters.bank.icbc.signing import canonical, is_from_bank, sign
from adapters.kit.aes import encrypt_content
from gateway.domain.provider import (
    Acknowledgement,
    Callback,
    CallbackRefused,
    CallbackUnreadable,
    RawCallback,
    Verdict,
)

EVENT: Final = "notify"

_CONTENT_TYPE: Final = "application/json; charset=utf-8"
_MSG_ID: Final = re.compile(r"[!-~]{1,64}")
_TAKEN: Final[Mapping[str, int | str]] = {"return_code": 0, "return_msg": "success."}
_NOT_PROVEN: Final[Mapping[str, int | str]] = {"return_code": -12345, "return_msg": "icbc sign not pass."}
_NOT_YET: Final[Mapping[str, int | str]] = {"return_code": -12345, "return_msg": "not stored yet."}
_REFUSALS: Final = {
    Verdict.REFUSED: (400, _NOT_PROVEN),
    Verdict.ORPHAN: (503, _NOT_YET),
    Verdict.UNSTORED: (503, _NOT_YET),
}


def read_callback(config: Config, raw: RawCallback) -> Callback:
    """
    Verify and read one notify; the signed path is the configured one, parameters of the URL are no part of it.

    Source: sheet section 4.4; vector icbc_notify.json.

    Raises:
        CallbackRefused: malformed or signature.
        CallbackUnreadable: Proven, but not what the sheet describes.
    """
    form = _proven(config, raw)
    try:
        report = notify_report(config, form.content(config.content_key), form.text("app_id"))
    except UnicodeError:
        raise CallbackUnreadable("biz_content") from None
    except ValueError as exc:
        raise CallbackUnreadable(str(exc)[:100]) from None
    # Names the fact: everything that is judged is part of it, so that no message stands in for another.
    fact = hashlib.sha256(repr(replace(report, occurred_at=None)).encode()).hexdigest()
    return Callback(dedup_key=f"{EVENT}:{fact}", event=EVENT, report=report)


def _proven(config: Config, raw: RawCallback) -> Form:
    try:
        form = read_form(raw.body)
        # A poster that does not escape its base64 has every `+` arrive as a blank. Source: sheet section 9, no. 20.
        signature = form.text("sign").replace(" ", "+")
    except Malformed:
        raise CallbackRefused("malformed") from None
    if not is_from_bank(config.bank_keys, canonical(config.notify_sign_path, form.fields), signature):
        raise CallbackRefused("signature")
    return form


class Answers:
    """
    Our signed answers: the bank repeats a notify until it has one with return_code 0.

    The refusals are the same for everybody and signed once; only a proven notify makes us sign.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._refusals = {
            verdict: self._answer(status, _json(members)) for verdict, (status, members) in _REFUSALS.items()
        }

    def to(self, verdict: Verdict, raw: RawCallback) -> Acknowledgement:
        """
        The answer that repeats the notify's own msg_id, encrypted if the notify was.

        Source: sheet section 4.4; vector icbc_notify.json, answers; the encrypted form: a public client.
        """
        if verdict in self._refusals:
            return self._refusals[verdict]
        msg_id, is_encrypted = self._asked(raw)
        content = _json({**_TAKEN, "msg_id": msg_id} if msg_id else _TAKEN)
        if is_encrypted and self._config.content_key is not None:
            content = f'"{encrypt_content(self._config.content_key, content)}"'
        return self._answer(200, content)

    def _asked(self, raw: RawCallback) -> tuple[str, bool]:
        try:
            form = read_form(raw.body)
            msg_id = form.content(self._config.content_key).get("msg_id")
        except ValueError:
            return "", False
        known = isinstance(msg_id, str) and _MSG_ID.fullmatch(msg_id) is not None
        return (str(msg_id) if known else ""), form.is_encrypted

    def _answer(self, status: int, content: str) -> Acknowledgement:
        config = self._config
        text = f'"response_biz_content":{content},"sign_type":"{config.sign_type}"'
        body = f'{{{text},"sign":"{sign(config.private_key, text.encode(), config.sign_type)}"}}'
        return Acknowledgement(status=status, body=body.encode(), content_type=_CONTENT_TYPE)


def _json(members: Mapping[str, int | str]) -> str:
    return json.dumps(dict(members), ensure_ascii=False, separators=(",", ":"))
