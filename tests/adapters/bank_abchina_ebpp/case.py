"""The bank's biller mode before the conformance suite: it can be asked nothing, and no ordinary callback comes."""

from gateway.domain.clock import Clock
from gateway.domain.provider import Acknowledgement, Provider, Verdict
from tests.adapters.bank_abchina_ebpp import peer
from tests.conformance.case import AdapterCase, Outgoing


def build(_clock: Clock) -> Provider:
    return peer.front()


def case() -> AdapterCase:
    return AdapterCase(
        name="bank_abchina_ebpp",
        now=peer.NOW,
        build=build,
        base_url="https://bank.example.test",
        callbacks=None,
        acknowledgements=dict.fromkeys(Verdict, Acknowledgement(status=404, body=b"", content_type="text/plain")),
        outgoing=Outgoing(
            calls=(),
            unsigned=lambda answer: answer,
            business=lambda _: "",
            number=lambda _: "",
            amount_fen=lambda _: 0,
        ),
        canaries=(peer.key_file("abc_merchant_private.pem").split("\n")[5],),
    )
