"""A real server on this machine's loopback that behaves as badly as it is told to: one thread, few connections."""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Behaviour = Callable[[socket.socket], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loopback:
    """
    Where the server listens, and what it saw.

    Attributes:
        accepted: One entry for each connection.
        received: The first bytes of each request.
        over: Set when the test is done: a behaviour that must hold a connection waits for it.
    """

    port: int
    accepted: list[str] = field(default_factory=list)
    received: list[bytes] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/pay?no=1"

    @property
    def tls_url(self) -> str:
        return f"https://127.0.0.1:{self.port}/pay?no=1"


@contextmanager
def serving(behave: Callable[[socket.socket, Loopback], None]) -> Iterator[Loopback]:
    """Run the behaviour on every connection, one after the other, until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Loopback(port=listener.getsockname()[1])

        def accept() -> None:
            while not server.over.is_set():
                with contextlib.suppress(OSError):
                    connection, _address = listener.accept()
                    server.accepted.append("connection")
                    with connection:
                        connection.settimeout(2)
                        behave(connection, server)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.over.set()
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)
            assert not thread.is_alive()


def receive(connection: socket.socket, server: Loopback) -> bytes:
    """Read one request: its head, and as much body as its Content-Length says."""
    got = b""
    while b"\r\n\r\n" not in got:
        piece = connection.recv(65536)
        if not piece:
            return got
        got += piece
    head, body = got.split(b"\r\n\r\n", 1)
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    while lengths and len(body) < int(lengths[0]):
        body += connection.recv(65536)
    server.received.append(head + b"\r\n\r\n" + body)
    return got


def answering(*pieces: bytes) -> Callable[[socket.socket, Loopback], None]:
    """Read the request, send these bytes, close."""

    def behave(connection: socket.socket, server: Loopback) -> None:
        if receive(connection, server):
            connection.sendall(b"".join(pieces))

    return behave


def dripping(head: bytes, drop: bytes) -> Callable[[socket.socket, Loopback], None]:
    """Read the request, send the head, and then one drop every 20 ms for ever."""

    def behave(connection: socket.socket, server: Loopback) -> None:
        receive(connection, server)
        connection.sendall(head)
        while not server.over.wait(0.02):
            connection.sendall(drop)

    return behave


def silent(connection: socket.socket, server: Loopback) -> None:
    """Read the request and never answer."""
    receive(connection, server)
    server.over.wait(5)


def deaf(connection: socket.socket, server: Loopback) -> None:
    """Accept, and neither read nor answer: a TLS handshake gets no reply."""
    server.over.wait(5)


def resetting(connection: socket.socket, server: Loopback) -> None:
    """Read the request, then break the connection with a RST."""
    receive(connection, server)
    reset(connection)


def resetting_at_once(connection: socket.socket, server: Loopback) -> None:
    """Break the connection after the first bytes came, without an answer: a TLS handshake dies."""
    connection.recv(1)
    reset(connection)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def self_signed(folder: Path, host: str = "127.0.0.1", *, name_of_host: str | None = None) -> Path:
    """A file with a fresh self-signed certificate of the host (or of a name) and its key; it belongs to nobody."""
    subject = x509.DNSName(name_of_host) if name_of_host else x509.IPAddress(IPv4Address(host))
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([subject]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name_of_host or host}.pem"
    file.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return file


def over_tls(
    file: Path, behave: Callable[[socket.socket, Loopback], None]
) -> Callable[[socket.socket, Loopback], None]:
    """The same behaviour behind a TLS handshake with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)

    def behave_secured(connection: socket.socket, server: Loopback) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            behave(secured, server)

    return behave_secured
