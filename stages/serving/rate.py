"""How many requests an address may send. Without a clock or a socket."""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address

from .limits import ADDRESSES, BURST_S


class RateLimit:
    """A generic cell rate algorithm, as telephone networks have it: one number for each address."""

    def __init__(self, per_s: float):
        """`per_s`: requests a second, on average."""
        self._apart_s = 1 / per_s
        self._ahead_s = max(BURST_S, self._apart_s)
        self._due_s: OrderedDict[str, float] = OrderedDict()  # when all requests so far would have come at that rate

    def wait_s(self, address: str, now_s: float) -> float:
        """Take one request; returns 0, or the seconds after which it may be sent again if it is refused."""
        key = _network(address)
        due_s = max(self._due_s.pop(key, now_s), now_s)
        early_s = due_s + self._apart_s - now_s - self._ahead_s
        is_taken = early_s <= 1e-9  # of rounding
        self._due_s[key] = due_s + self._apart_s if is_taken else due_s
        while len(self._due_s) > ADDRESSES:
            self._due_s.popitem(last=False)
        return 0.0 if is_taken else early_s


def _network(address: str) -> str:
    """Whose address it is: a machine with IPv6 has 2**64 of them."""
    try:
        known = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(known, IPv6Address) and known.ipv4_mapped is None:
        return known.exploded[:19]
    return str(known)
