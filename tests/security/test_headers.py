"""What every answer says and does not say in its head, whoever asks for what."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import pytest
from fakes import FakeTranslator
from fastapi import FastAPI

from service import __version__
from service.app import create_app
from service.settings import Settings

if TYPE_CHECKING:
    from loopback import Client, Reply

EVIL = "evil.example"
TEXTS = b'{"texts": ["Dag."]}'
ANSWERS: dict[str, tuple[str, str, bytes | None]] = {
    "a translation": ("POST", "/v1/translate", TEXTS),
    "a stream": ("POST", "/v1/articles", b'{"text": "Dag."}'),
    "LibreTranslate": ("GET", "/languages", None),
    "DeepL": ("GET", "/v2/languages", None),
    "a probe": ("GET", "/livez", None),
    "metrics": ("GET", "/metrics", None),
    "the page": ("GET", "/", None),
    "a script": ("GET", "/page/main.js", None),
    "the docs": ("GET", "/docs", None),
    "a file of the docs": ("GET", "/docs/static/swagger-ui.css", None),
    "the description": ("GET", "/openapi.json", None),
    "no such path": ("GET", "/no-such-path", None),
    "another method": ("TRACE", "/v1/translate", None),
    "an invalid body": ("POST", "/v1/translate", b"{}"),
    "no such job": ("GET", "/v1/jobs/no-such-job", None),
}


def ask(server: "Client", name: str, **headers: str) -> "Reply":
    method, path, body = ANSWERS[name]
    more = {"Accept": "text/event-stream"} if name == "a stream" else {}
    given = {key.replace("_", "-"): value for key, value in headers.items()}
    lengths = {} if body is None else {
        "Content-Type": "application/json", "Content-Length": str(len(body))
    }  # fmt: skip
    return server.send(server.request(method, path, body, lengths | more | given))


@pytest.mark.parametrize("name", ANSWERS)
def test_no_answer_is_sniffed_shared_or_signed(server: "Client", name: str) -> None:
    reply = ask(server, name, Origin=f"https://{EVIL}", Cookie="a=b")
    headers = reply.headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] in ("no-store", "no-cache")
    assert "charset=utf-8" in headers["content-type"] or "json" in headers["content-type"]
    for telling in ("server", "x-powered-by", "via", "set-cookie"):
        assert telling not in headers
    assert not any(name.startswith("access-control-") for name in headers)
    assert not re.search(r"uvicorn|starlette|fastapi", " ".join(headers.values()), re.IGNORECASE)
    if "text/html" in headers["content-type"]:
        policy = headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "default-src 'none'" in policy
        assert "unsafe" not in re.search(r"script-src ([^;]*)", policy)[1]  # type: ignore[index]
    if reply.status >= 400:
        assert __version__.encode() not in reply.body


def test_what_is_no_http_is_answered_with_the_same_head(server: "Client") -> None:
    headers = server.send(b"HELLO\r\n\r\n").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


@pytest.mark.parametrize("name", ANSWERS)
def test_the_host_header_comes_back_in_no_answer(server: "Client", name: str) -> None:
    headers = {"X_Forwarded_Host": EVIL, "X_Forwarded_Proto": EVIL, "Forwarded": f"host={EVIL}"}
    plain = ask(server, name)
    for host in (f"kortom@{EVIL}:99999/x?y#z", f"{EVIL}:{'9' * 5_000}", ""):
        reply = ask(server, name, Host=host, **headers)
        assert reply.status == plain.status
        assert EVIL not in f"{reply.headers} {reply.body.decode()}"


@pytest.mark.parametrize("path", ["/", "/v1/jobs", "/livez", "/no-such-path"])
@pytest.mark.parametrize(
    "name",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "evil-localhost", "x@y"],
)
def test_a_name_that_others_may_give_this_machine_is_refused(
    server: "Client", path: str, name: str
) -> None:
    """A page whose name leads to this machine (DNS rebinding) is of one origin with the server."""
    reply = server.get(path, Host=f"{name}:{server.port}")
    assert reply.status == 400
    assert reply.json()["code"] == "bad_request"
    assert name not in f"{reply.headers} {reply.json()}"


@pytest.mark.parametrize(
    "name",
    ["localhost", "LocalHost", "localhost.", "kortom.localhost", "127.0.0.1", "127.8.9.1", "[::1]"],
)
def test_this_machine_is_asked_by_its_own_names(server: "Client", name: str) -> None:
    assert server.get("/livez", Host=f"{name}:{server.port}").status == 200


@pytest.mark.parametrize("host", ["kortom.example", "kortom.example:443", "kortom.example:8443"])
def test_a_proxy_may_pass_on_the_name_that_it_was_asked_for(server: "Client", host: str) -> None:
    assert server.get("/livez", Host=host).status == 200


@pytest.mark.parametrize("require_keys", [True, False])
def test_who_decides_about_keys_decides_about_names(
    settings: Settings,
    start_server: Callable[[FastAPI], AbstractContextManager["Client"]],
    require_keys: bool,
) -> None:
    """With keys a stranger's page has none; without them by choice, any name may be in use."""
    wanted = settings.model_copy(update={"require_keys": require_keys})
    with start_server(create_app(wanted, translator=FakeTranslator())) as client:
        assert client.get("/livez", Host=f"kortom.example:{client.port}").status == 200


@pytest.mark.parametrize("path", ["/v1/articles", "/v1/models", "/", "/no-such-path", "*"])
def test_no_origin_is_let_in_unless_the_operator_says_so(server: "Client", path: str) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    reply = server.send(server.request("OPTIONS", path, headers=asked))
    assert reply.status in (404, 405)
    assert not any(name.startswith("access-control-") for name in reply.headers)


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_a_header_changes_no_method(server: "Client", header: str) -> None:
    body = server.request("GET", "/v1/translate", TEXTS, {header: "POST"} | {
        "Content-Type": "application/json", "Content-Length": str(len(TEXTS))
    })  # fmt: skip
    assert server.send(body).status == 405
    assert server.get("/livez", **{header: "DELETE"}).status == 200


def test_trace_and_connect_echo_nothing(server: "Client") -> None:
    for method in ("TRACE", "CONNECT", "PROPFIND", "A" * 5_000):
        reply = server.send(server.request(method, "/livez", headers={"Cookie": "GEHEIM"}))
        assert reply.status in (400, 405)
        assert b"GEHEIM" not in reply.body
        assert method.encode() not in reply.body


@pytest.mark.parametrize("protocol", ["websocket", "h2c"])
def test_no_other_protocol_is_spoken(server: "Client", protocol: str) -> None:
    asked = {"Connection": "Upgrade", "Upgrade": protocol, "HTTP2-Settings": "AAMAAABkAARAAAAA"}
    reply = server.get("/livez", **asked)
    assert reply.status == 200
    assert "upgrade" not in reply.headers


@pytest.mark.parametrize(
    "path",
    [
        "/page/../page.py",
        "/page/..%2f..%2fapp.py",
        "/page/%2e%2e/%2e%2e/app.py",
        "/page/%252e%252e/app.py",
        "/page/main.js%00.css",
        "/page/..\\..\\app.py",
        "/docs/static/../../../app.py",
        "/docs/static/..%2f..%2f__init__.py",
        "/docs/static//etc/passwd",
        "/docs/static/%2fetc%2fpasswd",
        "/download_file/..%2f..%2fetc%2fpasswd",
        "/v1/jobs/..%2f..%2flivez",
        "//livez",
        "/livez/",
        "/LIVEZ",
        "/livez;a=b",
    ],
)
def test_a_path_leads_nowhere_else(server: "Client", path: str) -> None:
    reply = server.get(path)
    assert reply.status == 404
    assert b"import" not in reply.body
    assert b"root:" not in reply.body
