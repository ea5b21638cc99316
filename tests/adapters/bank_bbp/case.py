"""A collecting institution before the conformance suite: it can be asked nothing, and no ordinary callback comes."""

from typing import Final

from gateway.domain.clock import Clock
from gateway.domain.provider import Acknowledgement, Provider, Verdict
from tests.adapters.bank_bbp import peer
from tests.conformance.case import AdapterCase, Outgoing, WireAnswer, WireRequest

NOT_HERE: Final = Acknowledgement(status=404, body=b"", content_type="text/plain")


def build(clock: Clock) -> Provider:
    return peer.front(clock.now())


def nothing(_given: WireRequest) -> str:
    return ""


def unsigned(answer: WireAnswer) -> WireAnswer:
    return answer


def case() -> AdapterCase:
    return AdapterCase(
        name="bank_bbp",
        now=peer.NOW,
        build=build,
        base_url="https://bank.example.test",
        callbacks=None,
        acknowledgements=dict.fromkeys(Verdict, NOT_HERE),
        outgoing=Outgoing(calls=(), unsigned=unsigned, business=nothing, number=nothing, amount_fen=lambda _: 0),
        canaries=tuple(peer.key_file(name).split("\n")[5] for name in ("gateway_rsa_private.pem",)),
    )
