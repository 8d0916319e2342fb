"""``kortom mcp`` as a program, driven by the official SDK's own client."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client as MCPClient
from mcp import StdioServerParameters

from service.cli import main

if TYPE_CHECKING:
    from loopback import Client

ROOT = Path(__file__).resolve().parents[1]
TEXT = "De bouw kost 12,5 miljoen euro.\n\nHet werk begint in mei."


def call(url: str, *calls: tuple[str, dict[str, Any]]) -> list[Any]:
    """The tools' names, then the result of each call."""
    command = StdioServerParameters(
        command=sys.executable, args=["-m", "service.cli", "mcp", "--url", url], cwd=ROOT
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
    assert set(hard) <= set(made["warnings"])
    assert short.structured_content["bullets"] == []
    assert summary.structured_content["result"][0].endswith("]")
    assert empty.is_error
    assert "422 text_empty" in empty.content[0].text
    assert wrong.is_error


def test_an_address_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mcp", "--url", "localhost"]) == 1
    error = capsys.readouterr().err
    assert error == "kortom: --url: url must begin with http:// or https:// and name a host\n"
