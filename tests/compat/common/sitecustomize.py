"""Imported by every Python driver before anything else: a library that dials out of this machine fails loudly."""

import ipaddress
import sys


def _local(host):
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in {"localhost", ""}


def _guard(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host is not None and not _local(host):
        print(f"dials out: {host}", file=sys.stderr, flush=True)
        raise ConnectionRefusedError(f"drivers stay on this machine; {host} is not on it")


sys.addaudithook(_guard)
