"""
The demonstration: starts simulators, gateway and worker as their own processes and walks orders through them over HTTP.

It knows the gateway only from outside, by the `jiaofei` command and the public interface.
"""

import argparse
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import requests

_READY_SECONDS: Final = 30.0
_PAID_SECONDS: Final = 45.0
_LOOK_SECONDS: Final = 0.2
_CALL_SECONDS: Final = 15.0
_STOP_SECONDS: Final = 15.0
AMOUNT_FEN: Final = 38001


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """
    One order to walk through.

    Attributes:
        opens: The payer opens the cashier in a browser before paying, which is when such a trade comes to be.
        faults: Switched on at the simulator for this payment alone, after it was started.
    """

    title: str
    provider: str
    method: str
    fields: Mapping[str, str] = field(default_factory=dict)
    opens: bool = False
    faults: tuple[str, ...] = ()


SCENARIOS: Final = (
    Scenario(
        title="callback arrives",
        provider="wechatpay",
        method="jsapi",
        fields={"openid": "oTest-not-a-person-000000001"},
    ),
    Scenario(title="callback arrives", provider="wechatpay", method="native"),
    Scenario(title="callback arrives", provider="alipay", method="wap", opens=True),
    Scenario(title="callback arrives", provider="alipay", method="qr"),
    Scenario(
        title="callback arrives",
        provider="unionpay",
        method="wap",
        fields={"return_url": "https://front.example/paid"},
        opens=True,
    ),
    Scenario(title="callback arrives", provider="unionpay", method="app"),
    Scenario(title="callback never comes", provider="wechatpay", method="native", faults=("callback_never",)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one scenario."""

    scenario: Scenario
    order_id: str
    proof: str
    seconds: float


class Installation:
    """A gateway with its sandbox, made fresh in a folder and run on free ports of the loopback interface."""

    def __init__(self, folder: Path, *, port: int, sandbox_port: int) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{port}"
        self.sandbox_url = f"http://127.0.0.1:{sandbox_port}"
        self._port = port
        self._sandbox_port = sandbox_port
        self._http = requests.Session()
        self._http.trust_env = False

    def prepare(self) -> None:
        """Write configuration and keys, make the database."""
        if not (self.folder / "gateway.toml").exists():
            self._jiaofei(
                "init",
                "--folder",
                str(self.folder),
                "--port",
                str(self._port),
                "--sandbox-port",
                str(self._sandbox_port),
            )
        self._jiaofei("db", "upgrade")

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run sandbox, gateway and worker; all are stopped at the end."""
        with ExitStack() as stack:
            for name, arguments in (
                ("sandbox", ("sandbox", "--port", str(self._sandbox_port))),
                ("gateway", ("serve", "--port", str(self._port))),
                ("worker", ("worker",)),
            ):
                stack.enter_context(self._process(name, arguments))
            self._wait_until_ready()
            yield

    @property
    def api_key(self) -> str:
        return (self.folder / "secrets" / "demo_api_key").read_text(encoding="utf-8").strip()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call the gateway as the demo app; anything but success is an error."""
        headers = {"Authorization": f"Bearer {self.api_key}", "Idempotency-Key": uuid.uuid4().hex}
        return self._json(method, self.url + path, body, headers)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Call the sandbox's control interface."""
        return self._json(method, f"{self.sandbox_url}/control{path}", body, {})

    def open_cashier(self, instruction: Mapping[str, Any]) -> None:
        """Do with a redirect or a form what the payer's browser does."""
        payload = instruction["payload"]
        method = "POST" if instruction["kind"] == "form" else "GET"
        answer = self._http.request(method, payload["url"], data=payload.get("fields"), timeout=_CALL_SECONDS)
        answer.raise_for_status()

    def _json(self, method: str, url: str, body: Any, headers: Mapping[str, str]) -> Any:
        answer = self._http.request(method, url, json=body, headers=dict(headers), timeout=_CALL_SECONDS)
        if not answer.ok:
            raise RuntimeError(f"{method} {url} was answered {answer.status_code}: {answer.text[:300]}")
        return answer.json()

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "gateway.cli", *arguments]

    def _environment(self) -> dict[str, str]:
        return {
            "GATEWAY_CONFIG": str(self.folder / "gateway.toml"),
            "PYTHONPATH": str(Path(__file__).parent.parent),
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
        }

    def _jiaofei(self, *arguments: str) -> None:
        subprocess.run(self._command(*arguments), env=self._environment(), check=True, stdout=subprocess.DEVNULL)  # noqa: S603  our own command

    @contextmanager
    def _process(self, name: str, arguments: tuple[str, ...]) -> Iterator[None]:
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(  # noqa: S603  our own command
                self._command(*arguments), env=self._environment(), stdout=log, stderr=log
            )
            try:
                yield
            finally:
                process.terminate()
                try:
                    process.wait(_STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def _wait_until_ready(self) -> None:
        _wait(self._is_ready, _READY_SECONDS, f"the gateway did not get ready; see the logs in {self.folder}")

    def _is_ready(self) -> bool:
        try:
            self.control("GET", "/orders")
            return bool(self._http.get(f"{self.url}/readyz", timeout=_CALL_SECONDS).ok)
        except (requests.RequestException, RuntimeError):
            return False


def _wait(done: Callable[[], bool], seconds: float, complaint: str) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise RuntimeError(complaint)
        time.sleep(_LOOK_SECONDS)


def walk(installation: Installation, scenario: Scenario) -> Callable[[], Outcome]:
    """Open an order, start a payment, pay it at the simulator; the returned function waits for the order to be paid."""
    began = time.monotonic()
    order = installation.call(
        "POST",
        "/v1/orders",
        {
            "client_order_no": f"demo-{uuid.uuid4().hex[:20]}",
            "amount_fen": AMOUNT_FEN,
            "description": "城乡居民医保缴费（演示）",
        },
    )
    path = f"/v1/orders/{order['order_id']}"
    payment = installation.call(
        "POST",
        f"{path}/payments",
        {"provider": scenario.provider, "method": scenario.method, "fields": dict(scenario.fields)},
    )
    paid = {"provider": scenario.provider, "out_trade_no": payment["out_trade_no"]}
    for fault in scenario.faults:
        installation.control("POST", "/faults", {"fault": fault, **paid})
    if scenario.opens:
        installation.open_cashier(payment["instruction"])
    installation.control("POST", "/pay", paid)

    def finish() -> Outcome:
        def is_paid() -> bool:
            return bool(installation.call("GET", path)["state"] == "paid")

        _wait(is_paid, _PAID_SECONDS, f"order {order['order_id']} was not paid in time; logs: {installation.folder}")
        events = installation.call("GET", f"{path}/events")["events"]
        proof = next(event["detail"]["source"] for event in events if event["kind"] == "payment_paid")
        seconds = time.monotonic() - began
        return Outcome(scenario=scenario, order_id=order["order_id"], proof=proof, seconds=seconds)

    return finish


def _table(outcomes: list[Outcome]) -> str:
    head = ("provider", "method", "situation", "order", "proved by", "seconds", "order_id")
    rows = [
        (
            outcome.scenario.provider,
            outcome.scenario.method,
            outcome.scenario.title,
            "paid",
            outcome.proof,
            f"{outcome.seconds:.1f}",
            outcome.order_id,
        )
        for outcome in outcomes
    ]
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows)]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def demonstrate(folder: Path) -> None:
    """Walk every scenario through a fresh installation and print what happened."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    installation = Installation(folder, port=_free_port(), sandbox_port=_free_port())
    installation.prepare()
    with installation.running():
        waiting = [walk(installation, scenario) for scenario in SCENARIOS]
        outcomes = [finish() for finish in waiting]
    print(_table(outcomes))  # noqa: T201  this is what the command is for
    print(  # noqa: T201
        f"\nEvery order was paid exactly once. Logs, configuration and database: {folder}/\n"
        "Keep it running and press the buttons yourself: make run\n"
        "A first order with curl: README.md"
    )


def keep_running(folder: Path, port: int, sandbox_port: int) -> None:
    """Run an installation until interrupted, and say where everything is."""
    folder.mkdir(parents=True, exist_ok=True)
    installation = Installation(folder, port=port, sandbox_port=sandbox_port)
    installation.prepare()
    with installation.running():
        print(  # noqa: T201
            f"gateway       {installation.url}\n"
            f"interface     {installation.url}/docs\n"
            f"readiness     {installation.url}/readyz   metrics {installation.url}/metrics\n"
            f"payer's pages {installation.sandbox_url}/   (pay, cancel, clock, faults)\n"
            f"API key       {installation.api_key}\n"
            f"files         {folder}/\n"
            "Stop with Ctrl-C."
        )
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            print("stopping")  # noqa: T201


def main() -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(description="Try the gateway against its own provider simulators.")
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--keep", action="store_true", help="keep running instead of walking the scenarios")
    parser.add_argument("--port", type=int, default=8300)
    parser.add_argument("--sandbox-port", type=int, default=8400)
    arguments = parser.parse_args()
    base = Path("var").absolute()
    if arguments.keep:
        keep_running(arguments.folder or base / "run", arguments.port, arguments.sandbox_port)
    else:
        demonstrate(arguments.folder or base / "demo")


if __name__ == "__main__":
    main()
