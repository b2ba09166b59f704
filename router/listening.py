"""Addresses to listen on, and the options that accepted connections inherit."""

import resource
import socket
from dataclasses import dataclass
from pathlib import Path

_USER_TIMEOUT_MS = 45_000


@dataclass(frozen=True, slots=True)
class Binding:
    """Where to listen, and with which certificate."""

    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    certificate: Path | None = None
    key: Path | None = None


def connection_limit() -> int:
    """Half of the file descriptors this process may open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 500_000 if soft == resource.RLIM_INFINITY else max(16, soft // 2)


def listeners(binding: Binding) -> list[socket.socket]:
    """Bound sockets, one per address of the host. Raises OSError that names the address."""
    found = socket.getaddrinfo(binding.host or None, binding.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    bound: list[socket.socket] = []
    port = binding.port
    for family, address in {(info[0], info[4][:2]): None for info in found}:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            _prepare(sock, share=binding.workers > 1)
            sock.bind((address[0], port))
        except OSError as error:
            sock.close()
            if bound and error.errno is not None and family is not bound[0].family:
                continue  # localhost with one family switched off
            raise OSError(error.errno, f"cannot listen on {address[0]}:{port}: {error.strerror}") from error
        port = sock.getsockname()[1]
        bound.append(sock)
    return bound


def _prepare(sock: socket.socket, *, share: bool) -> None:
    """Options that accepted connections inherit: dead peers are noticed within a minute."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if share:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 20)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
