"""Where the router may connect: every address is judged here before a socket is made. Pure.

The table is explicit, because `ipaddress.is_global` answers differently from one Python to the next (NAT64, 6to4 and
192.0.0.0/24 count as global on 3.11). A form that carries an IPv4 address inside is judged by the address inside.
"""

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

_PRIVATE = (  # reachable with `allow_private`: somebody's own machines
    ("127.0.0.0/8", "loopback"),
    ("::1/128", "loopback"),
    ("10.0.0.0/8", "private"),
    ("172.16.0.0/12", "private"),
    ("192.168.0.0/16", "private"),
    ("100.64.0.0/10", "carrier-grade NAT"),
    ("fc00::/7", "unique local"),
    ("fec0::/10", "site-local"),
)
_NEVER = (  # no provider lives there; the cloud metadata services do
    ("0.0.0.0/8", "unspecified"),
    ("::/128", "unspecified"),
    ("169.254.0.0/16", "link-local"),
    ("fe80::/10", "link-local"),
    ("fd00:ec2::254/128", "cloud metadata"),
    ("fd20:ce::254/128", "cloud metadata"),
    ("100.100.100.200/32", "cloud metadata"),
    ("192.0.0.0/24", "protocol assignments"),
    ("192.0.2.0/24", "documentation"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("192.88.99.0/24", "6to4 relay"),
    ("198.18.0.0/15", "benchmarking"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
    ("64:ff9b:1::/48", "local-use NAT64"),
    ("100::/64", "discard"),
    ("2001::/32", "Teredo"),
    ("2001:10::/28", "ORCHID"),
    ("2001:20::/28", "ORCHID"),
    ("2001:db8::/32", "documentation"),
    ("3fff::/20", "documentation"),
    ("5f00::/16", "segment routing"),
    ("ff00::/8", "multicast"),
)
_NAT64 = IPv6Network("64:ff9b::/96")
_6TO4 = IPv6Network("2002::/16")
_COMPATIBLE = IPv6Network("::/96")

_Network = IPv4Network | IPv6Network


@lru_cache(maxsize=1)
def _tables() -> tuple[tuple[tuple[_Network, str], ...], tuple[tuple[_Network, str], ...]]:
    never = tuple((ip_network(text), name) for text, name in _NEVER)
    private = tuple((ip_network(text), name) for text, name in _PRIVATE)
    return never, private


def _inside(address: IPv6Address) -> tuple[IPv4Address, str] | None:
    """The IPv4 address a transition form of IPv6 carries, and the name of the form."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped, "IPv4-mapped"
    number = int(address)
    if address in _NAT64:
        return IPv4Address(number & 0xFFFFFFFF), "NAT64"
    if address in _6TO4:
        return IPv4Address((number >> 80) & 0xFFFFFFFF), "6to4"
    if address in _COMPATIBLE and number > 1:
        return IPv4Address(number & 0xFFFFFFFF), "IPv4-compatible"
    return None


@lru_cache(maxsize=1024)
def refusal(address: str, *, allow_private: bool = False) -> str | None:
    """Why `address` (an IP literal, a zone id is ignored) must not be connected to, or None when it may be.

    `allow_private` opens loopback, private, carrier-grade NAT and unique local addresses, and nothing else: link-local
    and metadata addresses, multicast, reserved and transition forms of IPv4 stay closed. Anything that is not an
    address is refused.
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return "not an IP address"
    if isinstance(parsed, IPv6Address) and (found := _inside(parsed)) is not None:
        inner, form = found
        reason = refusal(str(inner), allow_private=allow_private and form == "IPv4-mapped")
        if reason is not None or form == "IPv4-mapped":
            return reason and f"{form} {reason}"
        return f"{form} form"
    never, private = _tables()
    for network, name in never:
        if parsed in network:
            return name
    if not allow_private:
        for network, name in private:
            if parsed in network:
                return f"{name} (set allow_private: true for it if this is meant)"
    return None
