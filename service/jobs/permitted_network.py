"""Connections to permitted addresses alone, whatever a name's lookup says (no SSRF)."""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future

import httpcore2

CONNECT_SECONDS = 5.0
"""Longest wait for one address of the host, so that another one gets its chance."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""IPv4 addresses as IPv6-only networks reach them, RFC 6052."""
_SPECIAL = (
    ipaddress.ip_network("192.0.0.0/24"),
    ipaddress.ip_network("3fff::/20"),
    ipaddress.ip_network("fec0::/10"),
)
"""Not global, though ``is_global`` of some releases of Python says so: protocol assignments, with
the metadata service of a cloud (RFC 6890), documentation (RFC 9637) and site-local (RFC 3879)."""


def is_public(address: str) -> bool:
    """Whether anybody on the internet could reach this IP address.

    The IPv4 address inside an IPv6 one (mapped, NAT64, 6to4) is what counts. Networks of one's
    own, loopback, link-local (with the metadata services of clouds), carriers' shared addresses,
    multicast and what is reserved are not public.
    """
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64:
            ip = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        else:
            ip = ip.ipv4_mapped or ip.sixtofour or ip
    is_special = any(ip in network for network in _SPECIAL)
    return ip.is_global and not (is_special or ip.is_multicast or ip.is_reserved)


class AddressNotAllowed(Exception):
    """The host has an address that it may not have."""


class PermittedNetwork(httpcore2.AsyncNetworkBackend):
    """Connects to the very addresses that were looked at (OWASP's SSRF cheat sheet).

    A name that is looked up a second time may have another address by then (DNS rebinding).
    Certificate, SNI and ``Host`` stay those of the name.

    Args:
        permits: whether to connect to an IP address; no host is spoken to that has another one.
    """

    def __init__(self, permits: Callable[[str], bool]) -> None:
        self._permits = permits
        self._network = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - of the interface; all attempts have the same
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """A connection to the first address that takes one.

        Raises:
            AddressNotAllowed: one of the host's addresses is not permitted.
            OSError: the host has no address.
            httpcore2.ConnectError, httpcore2.ConnectTimeout: none takes one.
        """
        addresses = await _look_up(host, port)
        if not all(map(self._permits, addresses)):
            raise AddressNotAllowed
        failure: Exception = httpcore2.ConnectError()
        for address in addresses:
            try:
                return await self._network.connect_tcp(
                    address, port, CONNECT_SECONDS, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure


async def _look_up(host: str, port: int) -> Sequence[str]:
    """All addresses of a host, the best first.

    A lookup can't be interrupted: it has a thread of its own, which ends with the resolver's
    timeout, and nobody waits for it longer than for the attempt.
    """
    found: Future[list[str]] = Future()
    found.set_running_or_notify_cancel()

    def look_up() -> None:
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.set_result([str(address[0]) for *_, address in answers])
        except (OSError, UnicodeError) as error:
            found.set_exception(error)

    threading.Thread(target=look_up, name="webhook-lookup", daemon=True).start()
    return await asyncio.wrap_future(found)
