"""Both clients, and the address of the server that all tests share."""

from typing import TYPE_CHECKING

import pytest
from calling import Caller

if TYPE_CHECKING:
    from loopback import Client


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Caller:
    return Caller(request.param, monkeypatch)


@pytest.fixture
def url(server: "Client") -> str:
    return f"http://127.0.0.1:{server.port}"
