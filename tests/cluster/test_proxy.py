"""What Ray's proxy answers itself, other than the plain server does; docs/scaling.md lists it."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from loopback import Client

BODY = b'{"texts": ["Ja."]}'
SECOND = b"GET /version HTTP/1.1\r\nHost: kortom\r\n\r\n"


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 18\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 18\r\n",
        b"Content-Length: 18\r\nContent-Length: 17\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 0x12\r\n",
        b"Content-Length : 18\r\n",
    ],
)
def test_a_body_with_unclear_bounds_is_refused_and_ends_the_connection(
    server: "Client", headers: bytes
) -> None:
    head = b"POST /v1/translate HTTP/1.1\r\nHost: kortom\r\nContent-Type: application/json\r\n"
    said = server.send_and_drain(head + headers + b"\r\n" + BODY + SECOND)
    assert said.startswith(b"HTTP/1.1 400 ")
    assert said.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" in said.lower()


@pytest.mark.parametrize("request_id", ["a b", "x" * 65, "a/../b"])
def test_a_bad_request_id_is_repeated_by_the_proxy_but_not_used(
    server: "Client", request_id: str
) -> None:
    reply = server.send(server.request("GET", "/no-such", headers={"X-Request-ID": request_id}))
    assert reply.status == 404
    assert reply.json()["instance"] != request_id
    assert reply.headers["x-request-id"] == request_id


def test_the_proxy_says_whether_it_works(server: "Client") -> None:
    assert server.get("/-/healthz").body == b"success"
