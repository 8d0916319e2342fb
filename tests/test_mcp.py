"""``kortom mcp`` as a program, driven by the official SDK's own client."""

import asyncio
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fakes import FakeTranslator
from fastapi import FastAPI
from mcp import Client as MCPClient
from mcp import StdioServerParameters

from service.app import create_app
from service.cli import main
from service.keys.store import KeyStore
from service.settings import Settings
from service.storage.database import open_database

if TYPE_CHECKING:
    from loopback import Client

ROOT = Path(__file__).resolve().parents[1]
TEXT = "De bouw kost 12,5 miljoen euro.\n\nHet werk begint in mei."


def call(url: str, *calls: tuple[str, dict[str, Any]], key: str = "") -> list[Any]:
    """The tools' names, then the result of each call."""
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "service.cli", "mcp", "--url", url],
        env={"KORTOM_KEY": key},
        cwd=ROOT,
    )

    async def run() -> list[Any]:
        async with MCPClient(command) as client:
            tools = await client.list_tools()
            return [
                [tool.name for tool in tools.tools],
                *[await client.call_tool(name, arguments) for name, arguments in calls],
            ]

    return asyncio.run(run())


def test_a_model_s_tools(server: "Client") -> None:
    names, article, short, summary, empty, wrong = call(
        f"http://127.0.0.1:{server.port}",
        ("translate_article", {"text": TEXT, "title": "Een brug", "bullets": 1}),
        ("translate_article", {"text": TEXT, "bullets": 0}),
        ("summarize", {"text": "The council met. It voted for a bridge.", "bullets": 1}),
        ("translate_article", {"text": " "}),
        ("translate_article", {"tekst": TEXT}),
    )
    assert names == ["translate_article", "summarize"]
    plain = server.post(
        "/v1/articles", {"text": TEXT, "title": "Een brug", "summary": {"bullets": 1}}
    ).json()
    made = article.structured_content
    assert made["title"] == plain["title"]
    assert made["text"] == plain["translation"]["text"]
    (bullet,) = plain["summary"]["bullets"]
    assert made["bullets"] == [f"{bullet['text']} [{bullet['sources'][0]}]"]
    hard = [
        f"{sentence['id']}: {warning['code']} ({warning['severity']}) {warning['evidence']}"
        for block in plain["translation"]["blocks"]
        for sentence in block["sentences"]
        for warning in sentence["warnings"]
    ]
    assert hard
    assert {line.rstrip() for line in hard} <= set(made["warnings"])
    assert short.structured_content["bullets"] == []
    assert summary.structured_content["result"][0].endswith("]")
    assert empty.is_error
    assert "422 text_empty" in empty.content[0].text
    assert wrong.is_error


def test_a_server_that_wants_a_key_gets_that_of_the_environment(
    settings: Settings, start_server: Callable[[FastAPI], AbstractContextManager["Client"]]
) -> None:
    url = settings.database_url.get_secret_value()
    with closing(open_database(url)) as database:
        key = KeyStore(database).create("desk")[1]
    app = create_app(
        settings.model_copy(update={"require_keys": True, "jobs": False}),
        translator=FakeTranslator(str.upper),
    )
    asked = ("translate_article", {"text": "Het regent.", "bullets": 0})
    with start_server(app) as server:
        address = f"http://127.0.0.1:{server.port}"
        _, answer = call(address, asked, key=key)
        _, refusal = call(address, asked)
    assert answer.structured_content["text"] == "HET REGENT."
    assert refusal.is_error
    assert "401 unauthorized" in refusal.content[0].text


def test_a_key_that_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KORTOM_KEY", "ge heim")
    assert main(["mcp"]) == 1
    assert capsys.readouterr().err == "kortom: key must be printable ASCII without spaces\n"


def test_an_address_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mcp", "--url", "localhost"]) == 1
    error = capsys.readouterr().err
    assert error == "kortom: url must begin with http:// or https:// and name a host\n"
