"""Where a request ends: never a second one hidden in it, never an answer to another's.

Raw bytes, each followed by a request for ``/version`` on the same connection. Where the bounds of
the first are clear, both are answered; else the first is refused and the connection closed.
"""

import logging
import re
import socket
import time
from typing import TYPE_CHECKING

import pytest
from faulty import WAIT_SECONDS

if TYPE_CHECKING:
    from loopback import Client

BODY = b'{"texts": ["De boot GEHEIM vaart."]}'
SIZE = len(BODY)
SECOND = b"GET /version HTTP/1.1\r\nHost: kortom\r\nConnection: close\r\n\r\n"
POST = b"POST /v1/translate HTTP/1.1\r\nHost: kortom\r\nContent-Type: application/json\r\n"
CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (SIZE, BODY)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
LENGTH = b"Content-Length: %d\r\n" % SIZE

CLEAR = {
    "a length": LENGTH + b"\r\n" + BODY,
    "a length with zeros": b"Content-Length: 000%d\r\n\r\n" % SIZE + BODY,
    "the same length twice": LENGTH + LENGTH + b"\r\n" + BODY,
    "chunks": CHUNKED + b"\r\n" + CHUNKS,
    "chunks with extensions": CHUNKED + b'\r\n%x;a=b;c="d"\r\n%s\r\n0;e\r\n\r\n' % (SIZE, BODY),
    "chunks with trailers": CHUNKED + b"\r\n" + CHUNKS[:-2] + b"Content-Length: 3\r\nX: y\r\n\r\n",
    "a name that is no length": LENGTH + b"Content_Length: 3\r\nTransfer_Encoding: chunked\r\n\r\n"
    + BODY,
}  # fmt: skip
UNCLEAR = {
    "length and chunks": LENGTH + CHUNKED + b"\r\n" + CHUNKS,
    "two lengths": LENGTH + b"Content-Length: 0\r\n\r\n" + BODY,
    "two lengths in a list": b"Content-Length: %d, 0\r\n\r\n" % SIZE + BODY,
    "a length with a sign": b"Content-Length: +%d\r\n\r\n" % SIZE + BODY,
    "a length with an underscore": b"Content-Length: 3_6\r\n\r\n" + BODY,
    "a length in other digits": "Content-Length: ٣٦\r\n\r\n".encode() + BODY,
    "a length after a vertical tab": b"Content-Length:\x0b%d\r\n\r\n" % SIZE + BODY,
    "a length with no end": b"Content-Length: %s\r\n\r\n" % (b"9" * 30) + BODY,
    "a length and a fold": b"Content-Length:\r\n %d\r\n\r\n" % SIZE + BODY,
    "a folded length": b"X: y\r\n Content-Length: %d\r\n\r\n" % SIZE + BODY,
    "a folded coding": b"X: y\r\n Transfer-Encoding: chunked\r\n\r\n" + CHUNKS,
    "xchunked": b"Transfer-Encoding: xchunked\r\n\r\n" + CHUNKS,
    "identity": b"Transfer-Encoding: identity\r\n\r\n" + CHUNKS,
    "chunked twice": CHUNKED + CHUNKED + b"\r\n" + CHUNKS,
    "chunked in quotes": b'Transfer-Encoding: "chunked"\r\n\r\n' + CHUNKS,
    "chunked after a vertical tab": b"Transfer-Encoding: \x0bchunked\r\n\r\n" + CHUNKS,
    "chunked with a NUL": b"Transfer-Encoding: chunked\x00\r\n\r\n" + CHUNKS,
    "chunked and gzip": b"Transfer-Encoding: chunked, gzip\r\n\r\n" + CHUNKS,
    "a space before the colon": b"Transfer-Encoding : chunked\r\n\r\n" + CHUNKS,
    "a tab before the colon": b"Content-Length\t: %d\r\n\r\n" % SIZE + BODY,
    "a bare line feed": b"X: y\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS,
    "a bare line feed at the end": LENGTH + b"\n" + BODY,
    "a bare carriage return": b"X: y\rTransfer-Encoding: chunked\r\n\r\n" + CHUNKS,
    "a chunk size with 0x": CHUNKED + b"\r\n0x" + CHUNKS,
    "a chunk size with a sign": CHUNKED + b"\r\n+" + CHUNKS,
    "a chunk size with an underscore": CHUNKED + b"\r\n2_4" + CHUNKS[2:],
    "a chunk size after a space": CHUNKED + b"\r\n " + CHUNKS,
    "a chunk size and a bare line feed": CHUNKED + b"\r\n" + CHUNKS.replace(b"\r\n", b"\n", 1),
    "a chunk extension with a line feed": CHUNKED + b"\r\n%x;\n" % SIZE + CHUNKS[4:],
    "a chunk that is longer than it says": CHUNKED + b"\r\n%x\r\n%sXX0\r\n\r\n" % (SIZE, BODY),
    "a chunk without its end": CHUNKED + b"\r\n%x\r\n%s0\r\n\r\n" % (SIZE, BODY),
    "a request in the trailers": CHUNKED + b"\r\n" + CHUNKS[:-2] + SECOND,
    "a length that is too small": b"Content-Length: %d\r\n\r\n" % (SIZE - 3) + BODY,
}


def statuses(answer: bytes) -> list[bytes]:
    return re.findall(rb"(?:^|\r\n|\})HTTP/1\.1 (\d{3}) ", answer)


@pytest.mark.parametrize("name", CLEAR)
def test_a_request_with_clear_bounds_and_the_next_one_are_answered(
    server: "Client", name: str
) -> None:
    answer = server.send_and_drain(POST + CLEAR[name] + SECOND)
    assert statuses(answer) == [b"200", b"200"]
    first, second = answer.split(b"HTTP/1.1 ")[1:]
    assert b'"translations"' in first
    assert b'"version"' in second


@pytest.mark.parametrize("name", UNCLEAR)
def test_of_a_request_with_unclear_bounds_nothing_is_taken_for_a_second_one(
    server: "Client", name: str
) -> None:
    answer = server.send_and_drain(POST + UNCLEAR[name] + SECOND)
    assert set(statuses(answer)) == {b"400"}
    assert b'"version"' not in answer
    assert b"GEHEIM" not in answer
    assert b"connection: close" in answer.lower()


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD"])
@pytest.mark.parametrize("path", ["/livez", "/v1/translate", "/no-such-path"])
def test_a_body_that_nobody_reads_is_no_request(server: "Client", method: str, path: str) -> None:
    hidden = SECOND.replace(b"close", b"keep-alive")
    for request in (
        server.request(method, path, hidden),
        server.request(method, path, b"", {"Content-Length": None, "Transfer-Encoding": "chunked"})  # type: ignore[dict-item]
        + b"%x\r\n%s\r\n0\r\n\r\n" % (len(hidden), hidden),
    ):
        answer = server.send_and_drain(request + SECOND)
        assert len(statuses(answer)) == 2
        assert answer.count(b'{"version"') == 1


def test_answers_come_in_the_order_of_the_requests(server: "Client") -> None:
    """Pipelined, the slow ones first."""
    requests = [POST + CLEAR["a length"], server.request("GET", "/livez")] * 5
    answer = server.send_and_drain(b"".join(requests) + SECOND)
    parts = answer.split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert len(parts) == 11
    assert [b'"translations"' in part for part in parts] == [True, False] * 5 + [False]
    assert b'"version"' in parts[-1]


@pytest.mark.parametrize(
    ("version", "body"), [(b"1.0", CHUNKED + b"\r\n" + CHUNKS), (b"1.0", CLEAR["a length"])]
)
def test_after_an_old_request_the_connection_is_closed(
    server: "Client", version: bytes, body: bytes
) -> None:
    request = POST.replace(b"HTTP/1.1", b"HTTP/" + version) + b"Connection: keep-alive\r\n" + body
    assert statuses(server.send_and_drain(request + SECOND)) == [b"200"]


@pytest.mark.parametrize(
    "start",
    [
        b"GET /livez\r\n",  # HTTP/0.9
        b"GET /livez http/1.1\r\n",
        b"GET /livez HTTP/1.1 x\r\n",
        b"GET  /livez HTTP/1.1\r\n",
        b"GET /livez /version HTTP/1.1\r\n",
        b"GET /li\x01vez HTTP/1.1\r\n",
        b"G\x00T /livez HTTP/1.1\r\n",
        b"\r\n\r\nGET /livez HTTP/1.1\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS handshake
    ],
)
def test_what_is_no_request_line_ends_the_connection(server: "Client", start: bytes) -> None:
    answer = server.send_and_drain(start + b"Host: kortom\r\n\r\n" + SECOND)
    assert statuses(answer) == [b"400"]


@pytest.mark.parametrize("hosts", [b"", b"Host: a\r\nHost: b\r\n"])
def test_a_request_has_one_host(server: "Client", hosts: bytes) -> None:
    answer = server.send_and_drain(b"GET /livez HTTP/1.1\r\n" + hosts + b"\r\n" + SECOND)
    assert statuses(answer) == [b"400"]


def test_a_request_without_an_end_is_no_request(server: "Client") -> None:
    """The caller says that no more is coming."""
    with server.connect() as connection:
        connection.sendall(POST + b"Content-Length: 9999\r\n\r\n" + BODY + SECOND)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(65_536) == b""


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/translate"), ("POST", "/no-such-path"), ("HEAD", "/v1/models")],
)
def test_a_chunk_that_is_none_ends_its_request_and_is_no_failure_of_the_server(
    server: "Client", caplog: pytest.LogCaptureFixture, method: str, path: str
) -> None:
    """It comes with the head, so that nothing has looked at the request when it is refused."""
    caplog.set_level(logging.INFO)
    name = f"broken-{path.rpartition('/')[2]}"
    head = {"X-Request-ID": name, "Transfer-Encoding": "chunked"}
    request = server.request(method, path, headers=head) + b"x\r\n"
    answer = server.send_and_drain(request)
    assert statuses(answer) == [b"400"]
    assert answer.endswith(b"\r\n\r\n") == (method == "HEAD")
    deadline = time.monotonic() + WAIT_SECONDS
    while not any(f"id={name}" in line for line in caplog.messages):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_chunk_that_is_none_after_the_answer_closes_the_connection(
    server: "Client", caplog: pytest.LogCaptureFixture
) -> None:
    head = server.request("POST", "/no-such-path", headers={"Transfer-Encoding": "chunked"})
    with server.connect() as connection:
        connection.sendall(head)
        assert server.receive(connection).status == 404
        connection.sendall(b"x\r\n")
        assert connection.recv(65_536) == b""
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
