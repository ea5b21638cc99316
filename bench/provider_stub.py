"""A provider that answers every order with the same signed prepay id, after a while; a process of its own."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.ground import Ground, open_keys
from bench.wechat import signed_headers

_BODY = b'{"prepay_id":"wx201410272009395522657a690389285100"}'
_RESIGN_SECONDS = 60.0


class _Stub(asyncio.Protocol):
    """Keeps connections; counts the bytes of each request to know where it ends."""

    def __init__(self, answers: "_Answers", delay_seconds: float) -> None:
        self._answers = answers
        self._delay_seconds = delay_seconds
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, gap, body = self._received.partition(b"\r\n\r\n")
        if not gap:
            return
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        if len(body) >= length:
            self._received = b""
            asyncio.get_running_loop().call_later(self._delay_seconds, self._answer)

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(self._answers.current())


class _Answers:
    """The answer's bytes; one signature serves a minute, because WeChat signs time and body, not the question."""

    def __init__(self, folder: Path) -> None:
        self._key = open_keys(folder).platform
        self._signed_at = float("-inf")
        self._bytes = b""

    def current(self) -> bytes:
        if time.monotonic() - self._signed_at > _RESIGN_SECONDS:
            head = "".join(f"{name}: {value}\r\n" for name, value in signed_headers(self._key, _BODY).items())
            self._bytes = f"HTTP/1.1 200 OK\r\n{head}Content-Length: {len(_BODY)}\r\n\r\n".encode() + _BODY
            self._signed_at = time.monotonic()
        return self._bytes


async def _serve(folder: Path, delay_seconds: float) -> None:
    answers = _Answers(folder)
    server = await asyncio.get_running_loop().create_server(lambda: _Stub(answers, delay_seconds), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def stub_provider(ground: Ground, *, delay_seconds: float) -> Iterator[int]:
    """Run the provider for the block's length and give its port."""
    child = subprocess.Popen(
        [sys.executable, "-m", "bench.provider_stub", str(ground.keys.folder), str(delay_seconds)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parent.parent,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    try:
        assert child.stdout is not None
        yield int(child.stdout.readline())
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), float(sys.argv[2])))
