"""A name server that says what it is told to: addresses, an error, or nothing at all."""

import asyncio
import struct

NXDOMAIN, SERVFAIL = 3, 2
SILENCE = None
A = 1
TTL_S = 10


class Names(asyncio.DatagramProtocol):
    """`known["x.test"]` is a list of addresses, a response code, or `SILENCE`; `asked` is the log."""

    def __init__(self, known):
        self.known = {f"{name}.test": answer for name, answer in known.items()}
        self.asked = []
        self._transport = None

    async def listen(self, address, port=53):
        """Answer from now on."""
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, local_addr=(address, port))

    def connection_made(self, transport):
        self._transport = transport

    def datagram_received(self, data, address):
        name, kind, end = question(data)
        self.asked.append(name)
        answer = self.known.get(name, NXDOMAIN)
        if answer is SILENCE:
            return
        code, addresses = (answer, []) if isinstance(answer, int) else (0, answer if kind == A else [])
        head = data[:2] + struct.pack(">HHHHH", 0x8580 | code, 1, len(addresses), 0, 0)
        rows = [
            b"\xc0\x0c" + struct.pack(">HHIH", A, 1, TTL_S, 4) + bytes(map(int, one.split("."))) for one in addresses
        ]
        self._transport.sendto(head + data[12:end] + b"".join(rows), address)

    async def __aexit__(self, *_):
        self._transport.close()


def question(data):
    """The name asked for, the kind of record, and where the question ends."""
    at, labels = 12, []
    while size := data[at]:
        labels.append(data[at + 1 : at + 1 + size].decode())
        at += size + 1
    return ".".join(labels).lower(), struct.unpack(">H", data[at + 1 : at + 3])[0], at + 5
