"""DNS rebinding: of the pages of other servers none may pass for this server's own."""

import re
from ipaddress import ip_address

from starlette.types import Scope

from service.errors import RequestError
from service.settings import Settings

HTTP_PORT = 80
_HOST = re.compile(rb"(?P<name>\[[0-9A-Fa-f:.]+\]|[^:\[\]/?#]+)(?::(?P<port>[0-9]{0,5}))?")


def check_host(scope: Scope, settings: Settings) -> None:
    """Let in what asks for this machine by a name that is always its own.

    A page may have its own name lead to 127.0.0.1; to a browser that page and a server here are
    then one origin. Only a server that asks for no key because of its address is in danger. A
    browser names the port that it asks, and the pages of a reverse proxy have another one: any
    name with another port is let in, so that proxies may pass on the one they were asked for.

    Args:
        scope: of the request, see ASGI.
        settings: those of the server.

    Raises:
        RequestError: ``Host`` has this server's port and a name that is neither an address nor
            localhost (RFC 6761, 6.3).
    """
    if settings.require_keys is not None or settings.keys_required:
        return
    _, own_port = scope.get("server") or (None, None)
    for header, value in scope["headers"]:
        host = _HOST.fullmatch(value) if header == b"host" else None
        if host and int(host["port"] or HTTP_PORT) == own_port and not _is_local(host["name"]):
            raise RequestError(
                "a server without keys is asked for as localhost or by its address, unless it was "
                "told KORTOM_REQUIRE_KEYS=false"
            )


def _is_local(name: bytes) -> bool:
    text = name.decode("latin-1").lower().removesuffix(".")
    if text == "localhost" or text.endswith(".localhost"):
        return True
    try:
        ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True
