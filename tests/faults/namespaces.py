"""Two hosts of a test's own: network namespaces joined by a cable, with a packet filter between them.

`near` is the router's, `far` the providers'. Names are unique, nothing outside the two is touched, both are removed in
the end whatever happens. A thread steps into one with `entered`; sockets belong to the host where they were made.
"""

import contextlib
import ctypes
import functools
import os
import secrets
import shutil
import subprocess
from pathlib import Path

NEAR = "10.213.7.1"
FAR = "10.213.7.2"
OTHERS = ("10.213.7.3", "10.213.7.4", "10.213.7.5")  # more addresses of the far host
CLONE_NEWNET = 0x40000000
FILTER = """
table inet faults {
  chain out { type filter hook output priority 0; }
  chain in { type filter hook input priority 0; }
  chain lost { type filter hook output priority 1; }
}
"""


@functools.cache
def why_not():
    """Why this machine cannot make such hosts; empty when it can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [program for program in ("ip", "nft") if shutil.which(program) is None]
    if missing:
        return f"needs the programs {missing} (Debian: iproute2, nftables)"
    try:
        with TwoHosts():
            return ""
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no network namespaces here: {getattr(error, 'stderr', '') or error}"


def run(*command, given=None):
    return subprocess.run(command, input=given, check=True, capture_output=True, text=True).stdout


class TwoHosts:
    """`with TwoHosts() as hosts`: `hosts.near` and `hosts.far` are the names of the namespaces."""

    def __init__(self):
        token = f"rr-{os.getpid()}-{secrets.token_hex(3)}"
        self.near, self.far = f"{token}-near", f"{token}-far"

    def __enter__(self):
        sweep()
        try:
            for name in (self.near, self.far):
                run("ip", "netns", "add", name)
                run("ip", "-n", name, "link", "set", "lo", "up")
            cable = ("type", "veth", "peer", "name", "cable", "netns", self.far)
            run("ip", "-n", self.near, "link", "add", "cable", *cable)
            for name, addresses in ((self.near, (NEAR,)), (self.far, (FAR, *OTHERS))):
                for address in addresses:
                    run("ip", "-n", name, "address", "add", f"{address}/24", "dev", "cable")
                run("ip", "-n", name, "link", "set", "cable", "up")
            run(*self.command, "nft", "-f", "-", given=FILTER)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for name in (self.near, self.far):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
            shutil.rmtree(self._etc(name), ignore_errors=True)

    @staticmethod
    def _etc(name):
        return Path("/etc/netns") / name

    def name_server(self, address):
        """What `command` sees as its name server."""
        folder = self._etc(self.near)
        folder.mkdir(parents=True)
        (folder / "resolv.conf").write_text(f"nameserver {address}\noptions timeout:1 attempts:2\n")

    @property
    def command(self):
        """What starts a program on the near host, with its name server."""
        return ("ip", "netns", "exec", self.near)

    @contextlib.contextmanager
    def entered(self, name):
        """This thread is on that host."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            step_into(name)
            yield
        finally:
            _set(home)
            os.close(home)

    def rule(self, text, *, chain="out"):
        """One more rule of the near host's packet filter; those of `lost` stay."""
        run("ip", "netns", "exec", self.near, "nft", "add", "rule", "inet", "faults", chain, *text.split())

    def heal(self, chain):
        """No rule of the near host's is left in a chain."""
        run("ip", "netns", "exec", self.near, "nft", "flush", "chain", "inet", "faults", chain)

    @contextlib.contextmanager
    def broken(self, *rules, chain="out"):
        """These rules of the near host hold inside."""
        for rule in rules:
            self.rule(rule, chain=chain)
        try:
            yield
        finally:
            self.heal(chain)

    def counted(self):
        """The packets that met a rule with a counter, rule by rule."""
        listing = run("ip", "netns", "exec", self.near, "nft", "list", "table", "inet", "faults").split()
        return [int(listing[at + 1]) for at, word in enumerate(listing) if word == "packets"]


def sweep():
    """Remove the hosts of tests that were killed."""
    for place in Path("/run/netns").glob("rr-*-*"):
        if not Path("/proc", place.name.split("-")[1]).exists():
            subprocess.run(["ip", "netns", "del", place.name], check=False, capture_output=True)


def step_into(name):
    """This thread goes to a host, for good."""
    place = os.open(f"/run/netns/{name}", os.O_RDONLY)
    try:
        _set(place)
    finally:
        os.close(place)


def _set(descriptor):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
