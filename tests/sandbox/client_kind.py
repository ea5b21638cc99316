"""An invented client of the gateway, for tests of the frame alone: it takes money and tells the gateway."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from sandbox.frame import Surroundings
from sandbox.keyfiles import identity_bytes, read_identity
from sandbox.kind import ControlCall, Kind, Page, Reference, Sections, integer_of, text_of
from sandbox.simulator import Simulator
from sandbox.wire import Json, PayRefused

PROVIDER: Final = "counter"


class CounterFault(StrEnum):
    FORGETFUL = "forgetful"


@dataclass(frozen=True, kw_only=True)
class CounterKeys:
    """Whose counter it is."""

    number: str = "C-1"


@dataclass(kw_only=True)
class Counter(Simulator):
    """Takes money at a counter and tells the gateway; where that is, is an option."""

    keys: CounterKeys
    surroundings: Surroundings
    gateway_url: str = "http://127.0.0.1:8080"
    taken: list[Json] = field(default_factory=list)

    def orders(self) -> list[Json]:
        return list(self.taken)

    def deliveries(self) -> list[Json]:
        return [{"provider": PROVIDER, "at": entry["created_at"]} for entry in self.taken]

    def take(self, number: str, amount_fen: int) -> Json:
        """Raises PayRefused when the gateway does not answer 200."""
        forgetful = self.surroundings.faults.take(
            frozenset(CounterFault), provider=PROVIDER, operation="take", out_trade_no=number
        )
        if forgetful is None and self.surroundings.post(self.gateway_url, {}, number.encode())[0] != 200:
            raise PayRefused("对方未受理")
        self.taken.append(
            {
                "provider": PROVIDER,
                "out_trade_no": number,
                "kind": "cash",
                "state": "TAKEN",
                "amount_fen": amount_fen,
                "refunded_fen": 0,
                "subject": "柜面缴费",
                "created_at": self.surroundings.clock.now().isoformat(),
            }
        )
        return self.taken[-1]


def _load(folder: Path) -> CounterKeys:
    return read_identity(folder, PROVIDER, CounterKeys)


def _configuration(keys: CounterKeys, base_url: str, reference: Reference) -> Sections:
    return {"counters.one": {"number": keys.number, "url": base_url, "identity": reference("counter_identity.json")}}


def _build(keys: CounterKeys, surroundings: Surroundings, **options: Any) -> Counter:
    return Counter(keys=keys, surroundings=surroundings, **options)


def _act(counter: Counter, form: Mapping[str, str]) -> None:
    counter.take(form["number"], 38001)


KIND: Final = Kind(
    provider=PROVIDER,
    title="柜面",
    colour="#333333",
    new_files=lambda: {"counter_identity.json": identity_bytes(CounterKeys())},
    load_keys=_load,
    configuration=_configuration,
    build=_build,
    pages=(
        Page(
            path="/desk",
            title="收款",
            template="refused.html",
            show=lambda counter, _query: {"reason": f"{len(counter.taken)} 笔"},
            act=_act,
        ),
    ),
    calls=(
        ControlCall(
            method="POST",
            path="/counter",
            run=lambda counter, content: counter.take(text_of(content, "number"), integer_of(content, "amount_fen")),
        ),
    ),
    state_texts={"TAKEN": "已收款"},
    operations=("take",),
    faults=CounterFault,
    answer_seconds=7,
)
