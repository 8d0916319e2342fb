"""Articles that arrive part by part, and how the client puts them together."""

import asyncio
import json
from contextlib import aclosing
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from calling import OVERLOADED, TEXT, Caller, plain, problem, refused
from fake_server import Passed, answer, fake_server
from hypothesis import given
from hypothesis import strategies as st

from service.client import (
    ArticleEvent,
    AsyncKortom,
    BlockEvent,
    BulletEvent,
    Kortom,
    KortomError,
    TitleEvent,
)
from service.client.events import EventReader

if TYPE_CHECKING:
    from loopback import Client

EVENTS = "text/event-stream; charset=utf-8"
WARNING = {"code": "demo_model", "severity": "notice", "evidence": "a\u2028b\x85c\rd"}
SENTENCE = {
    "id": "s1",
    "start": 0,
    "end": 4,
    "source": "Dag.",
    "target": "Hello\u2028\u0085 \U0001f600.",
    "score": -0.5,
    "warnings": [WARNING],
    "terms": [{"term": "dag", "start": 0, "end": 5}],
}
BULLET = {"text": "Hello.", "sources": ["s1"], "support": 1, "written": False, "warnings": []}
DONE = {
    "id": "abc",
    "page": None,
    "language": {"code": "nl", "confidence": 0.5},
    "translation": {"text": "Hello."},
    "summary": {"method": "extractive", "headline": None, "sources": None},
    "warnings": [WARNING],
    "models": {
        name: {"card": "demo", "revision": None, "engine": "fake"}
        for name in ("translation", "summarization")
    },
    "usage": dict.fromkeys(
        ("characters", "sentences", "source_tokens", "target_tokens", "extra_decodes"), 1
    ),
    "timing_ms": dict.fromkeys(
        ("queue", "tokenization", "inference", "translation", "summarization", "total"), 1
    ),
}


def block(index: int, **changes: Any) -> tuple[str, Any]:
    return "block", {"index": index, "kind": "paragraph", "sentences": [SENTENCE | changes]}


STREAM: list[tuple[str, Any]] = [
    ("title", {"title": "A day"}),
    block(0),
    block(1, id="s2"),
    ("bullet", {"index": 0, **BULLET}),
    ("done", DONE),
]


def encode(*events: tuple[str, Any], end: str = "\n") -> bytes:
    """Server-sent events with the JSON's own characters as they are."""
    return b"".join(
        f"event: {name}{end}data: {json.dumps(data, ensure_ascii=False)}{end}{end}".encode()
        for name, data in events
    )


def stream(*events: tuple[str, Any]) -> bytes:
    return answer(200, encode(*events), EVENTS)


def read(*chunks: bytes, alignment: bool = True) -> list[Any]:
    response = httpx.Response(200, headers={"Content-Type": EVENTS})
    reader = EventReader(response, alignment=alignment)
    events = [event for chunk in chunks for event in reader.feed(chunk)]
    reader.end()
    return events


def test_the_parts_and_the_whole(call: Caller) -> None:
    with fake_server(stream(*STREAM)) as fake:
        title, first, second, bullet, last = call(fake.url, "stream", text="Dag.")
    assert title == TitleEvent("A day")
    assert isinstance(first, BlockEvent)
    assert isinstance(bullet, BulletEvent)
    assert isinstance(last, ArticleEvent)
    assert (first.index, second.index, bullet.index) == (0, 1, 0)
    article = last.article
    assert article.title == title.title
    assert article.translation.blocks
    assert [b.sentences for b in article.translation.blocks] == [first.sentences, second.sentences]
    assert article.summary
    assert article.summary.bullets == (bullet.bullet,)
    assert first.sentences
    assert first.sentences[0].target == SENTENCE["target"]
    assert first.sentences[0].warnings[0].evidence == WARNING["evidence"]
    assert b"\r\nAccept: text/event-stream\r\n" in fake.requests[0]


def test_the_last_word_counts() -> None:
    again = [("title", {"title": "The day"}), block(0, target="Goodbye.")]
    article = read(encode(*STREAM[:-1], *again, STREAM[-1]))[-1].article
    assert article.title == "The day"
    assert [b.sentences[0].target for b in article.translation.blocks] == [
        "Goodbye.",
        SENTENCE["target"],
    ]


def test_without_title_alignment_and_summary() -> None:
    events = read(
        encode(
            ("block", {"index": 0, "kind": "paragraph", "text": "Hello."}),
            ("done", DONE | {"summary": None}),
        ),
        alignment=False,
    )
    assert events[0] == BlockEvent(0, "paragraph", text="Hello.")
    article = events[-1].article
    assert (article.title, article.summary, article.translation.blocks) == (None, None, None)


@given(
    cuts=st.lists(st.integers(0, len(encode(*STREAM))), max_size=20),
    end=st.sampled_from(["\n", "\r\n"]),
    heartbeats=st.lists(st.integers(0, len(STREAM)), max_size=3),
)
def test_bytes_may_come_in_any_pieces(cuts: list[int], end: str, heartbeats: list[int]) -> None:
    events = [encode(event, end=end) for event in STREAM]
    for place in sorted(heartbeats, reverse=True):
        events.insert(place, f": {end}".encode())
    data = b"".join(events)
    places = [0, *sorted(cuts), len(data)]
    pieces = [data[start:stop] for start, stop in pairwise(places)]
    assert read(*pieces) == read(encode(*STREAM))


def test_events_and_fields_of_a_newer_server_are_left_out() -> None:
    newer = [("mood", {"good": True}), ("mood", [1])]
    data = encode(*newer, *STREAM).replace(b'"kind"', b'"weight": 3, "kind"')
    data = b"id: 5\nretry: 10\nevent: title\n\n" + data
    assert read(data) == read(encode(*STREAM))


def test_an_error_in_the_middle_is_the_server_s_and_is_not_tried_again(call: Caller) -> None:
    with fake_server(stream(*STREAM[:2], ("error", OVERLOADED))) as fake:
        error = refused(call, fake.url, "stream", text="Dag.")
    assert (error.status, error.code, error.request_id) == (503, "overloaded", "abc")
    assert call.pauses == []


@pytest.mark.parametrize("events", [[], STREAM[:1], STREAM[:-1]])
def test_a_stream_that_ends_early_is_no_article(call: Caller, events: list[Any]) -> None:
    with fake_server(stream(*events)) as fake:
        error = refused(call, fake.url, "stream", text="Dag.")
    assert (error.status, error.code) == (None, "incomplete_answer")
    assert call.pauses == []


def test_a_stream_that_breaks_off_is_not_tried_again(call: Caller) -> None:
    with fake_server(stream(*STREAM)[:-20]) as fake:
        error = refused(call, fake.url, "stream", text="Dag.")
    assert (error.status, error.code) == (None, "incomplete_answer")
    assert call.pauses == []


def test_what_comes_before_the_first_event_is_tried_again(call: Caller) -> None:
    with fake_server(problem(Retry_After="2"), b"", stream(*STREAM)) as fake:
        assert len(call(fake.url, "stream", text="Dag.")) == len(STREAM)
    assert len(call.pauses) == 2
    assert call.pauses[0] >= 2


@pytest.mark.parametrize(
    "data",
    [
        b"event: block\ndata: GEHEIM\n\n",
        b"event: block\ndata: \xff\n\n",
        b"event: title\ndata: {}\n\n",
        b"event: title\ndata: []\n\n",
        b'event: title\ndata: {"title": 5}\n\n',
        b'event: bullet\ndata: {"index": 0}\n\n',
        b'event: bullet\ndata: "GEHEIM"\n\n',
        b'event: block\ndata: {"index": "GEHEIM", "kind": "p"}\n\n',
        b"event: done\ndata: {}\n\n",
        b"event: done\ndata: null\n\n",
        b'event: done\ndata: {"translation": "GEHEIM"}\n\n',
        b'event: error\ndata: {"status": "GEHEIM"}\n\n',
        b"event: error\ndata: 5\n\n",
        b"event: title\ndata: " + b"[" * 100_000 + b"\n\n",
        encode(block(1), STREAM[-1]),
    ],
)
def test_a_stream_that_is_none(data: bytes) -> None:
    with pytest.raises(KortomError) as raised:
        read(data)
    assert (raised.value.status, raised.value.code) == (None, "invalid_answer")
    assert "GEHEIM" not in str(raised.value)


def test_an_answer_that_is_no_stream(call: Caller) -> None:
    with fake_server(answer(200, b"{}")) as fake:
        error = refused(call, fake.url, "stream", text="Dag.")
    assert (error.status, error.code) == (None, "invalid_answer")


# On a real server.


@pytest.mark.parametrize(
    "options",
    [
        {"text": TEXT, "title": "Een brug"},
        {"text": TEXT, "bullets": 0},
        {"text": TEXT, "alignment": False},
        {"html": f"<h1>Brug</h1><p>{TEXT}</p>", "headline": True},
    ],
)
def test_a_stream_put_together_is_the_plain_answer(
    url: str, call: Caller, options: dict[str, Any]
) -> None:
    last = call(url, "stream", **options)[-1]
    assert plain(last.article) == plain(call(url, "article", **options))


def test_a_real_stream_that_breaks_off(server: "Client", call: Caller) -> None:
    with fake_server(Passed(server, length=900)) as fake:
        error = refused(call, fake.url, "stream", text=TEXT)
    assert (error.status, error.code) == (None, "incomplete_answer")


def test_a_stream_left_early_leaves_the_client_usable(url: str) -> None:
    with Kortom(url) as kortom:
        events = kortom.stream(text=TEXT)
        assert next(events)
        events.close()
        assert kortom.article(text=TEXT)


def test_an_async_stream_left_early_leaves_the_client_usable(url: str) -> None:
    async def leave() -> None:
        async with AsyncKortom(url) as kortom:
            async with aclosing(kortom.stream(text=TEXT)) as events:
                async for _ in events:
                    break
            assert await kortom.article(text=TEXT)

    asyncio.run(leave())
