"""
A question and an answer over plain TCP, for a bank's own client program inside our network. It says for certain whether
the question can have arrived. Nothing here is encrypted or proven: never for an address outside that network.
"""

import socket
import time
from typing import Final

from gateway.domain.gate import Gate
from gateway.domain.provider import NoVerdict, ProviderUnavailable

ANSWER_BYTES_MAX: Final = 1 << 20
_CHUNK_BYTES: Final = 1 << 16


def exchange(
    host: str,
    port: int,
    question: bytes,
    *,
    connect_seconds: float = 3.0,
    answer_seconds: float = 30.0,
    answer_bytes_max: int = ANSWER_BYTES_MAX,
    gate: Gate | None = None,
) -> bytes:
    """
    Write the question and read until the other side closes.

    Args:
        answer_seconds: For the whole exchange after connecting, however slowly the bytes drip in.
        gate: The account's; asked before, and told afterwards whether there was an answer.

    Raises:
        ProviderUnavailable: No connection was made, or the gate lets none be made: nothing was sent.
        NoVerdict: A first byte may have left, and no whole answer came back in time or within the size limit.
    """
    if gate is not None:
        gate.enter()
    answer = b""
    try:
        answer = _exchanged((host, port), question, connect_seconds, answer_seconds, answer_bytes_max)
    finally:
        if gate is not None:
            gate.leave(answered=bool(answer))
    return answer


def _exchanged(
    address: tuple[str, int], question: bytes, connect_seconds: float, answer_seconds: float, answer_bytes_max: int
) -> bytes:
    try:
        connection = socket.create_connection(address, timeout=connect_seconds)
    except (OSError, UnicodeError, OverflowError) as exc:
        raise ProviderUnavailable(f"the client program cannot be reached: {type(exc).__name__}") from None
    with connection:
        try:
            return _asked(connection, question, time.monotonic() + answer_seconds, answer_bytes_max)
        except OSError as exc:
            raise NoVerdict(f"no whole answer: {type(exc).__name__}") from None


def _asked(connection: socket.socket, question: bytes, deadline: float, answer_bytes_max: int) -> bytes:
    connection.settimeout(_left(deadline))
    connection.sendall(question)
    answer = bytearray()
    while True:
        connection.settimeout(_left(deadline))
        chunk = connection.recv(_CHUNK_BYTES)
        if not chunk:
            return bytes(answer)
        answer += chunk
        if len(answer) > answer_bytes_max:
            raise NoVerdict("the answer is too long")


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
