"""What callers get from the native routes, and what happens around the engine."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI

from service.app import create_app
from service.errors import InferenceError
from service.evaluation.seeds import load_seeds
from service.settings import Settings
from service.translation.faithful import CHECKPOINT_SENTENCES
from service.translation.translator import Translation

if TYPE_CHECKING:
    from loopback import Client, Reply

WAIT_SECONDS = 30.0
SEEDS = Path(__file__).resolve().parents[2] / "seeds"

ARTICLE = (
    "Nieuwe brug over de Rijn\n\n"
    "De gemeenteraad van Arnhem stemde maandag voor een nieuwe brug. De bouw kost 12,5 miljoen "
    "euro. Volgens wethouder J. de Boer begint het werk in mei.\n\n"
    "Bewoners maken zich zorgen over het verkeer. Zij vroegen om een fietspad.\n\n"
    "- Er komt een fietspad.\n- De brug wordt 300 meter lang.\n"
)
SENTENCES = 8
SHOUTED = ARTICLE.upper().replace("12,5", "12.5")


class FakeTranslator:
    """Translates by shouting, remembers every batch, and waits, fails or loses on request.

    Attributes:
        batches: what the engine was asked for, in order.
        entered: set when a batch has come.
        gate: batches wait until it is set.
        error: raised after the gate.
        lost: sentences missing from the end of every batch.
    """

    engine = "fake"
    inter_threads = 1
    length_step = 10_000
    max_batch_tokens = CHECKPOINT_SENTENCES * 9_999

    def __init__(self) -> None:
        self.reset()

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return list(map(len, texts))

    def reset(self) -> None:
        self.batches: list[list[str]] = []
        self.entered = threading.Event()
        self.gate = threading.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.lost = 0

    def fits(self, text: str) -> bool:
        return len(text) <= 500

    def translate(
        self,
        sentences: Sequence[str],
        *,
        careful: bool = False,  # noqa: ARG002 - the fake knows one way to shout
    ) -> list[Translation]:
        self.batches.append(list(sentences))
        self.entered.set()
        assert self.gate.wait(WAIT_SECONDS)
        if self.error:
            raise self.error
        made = [
            Translation(
                text=sentence.upper(),
                score=-0.5,
                source_tokens=len(sentence),
                target_tokens=len(sentence),
                reached_limit=False,
            )
            for sentence in sentences
        ]
        return made[: len(made) - self.lost]


_engine = FakeTranslator()
PLACES = 3
THREADS = 1


@pytest.fixture(scope="module")
def shared_fake_server(
    settings: Settings, start_server: Callable[[FastAPI], AbstractContextManager["Client"]]
) -> Iterator["Client"]:
    """Two threads and three places for requests."""
    small = settings.model_copy(update={"max_queued_requests": PLACES})
    with start_server(create_app(small, translator=_engine)) as client:
        yield client


@pytest.fixture
def fake() -> Iterator[FakeTranslator]:
    _engine.reset()
    yield _engine
    _engine.error = None
    _engine.gate.set()


@pytest.fixture
def fake_server(shared_fake_server: "Client", fake: FakeTranslator) -> "Client":
    return shared_fake_server


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Clients that wait while the test goes on."""
    with ThreadPoolExecutor(8) as executor:
        yield executor


def until(condition: Callable[[], bool]) -> None:
    """Wait, with a bound, for what another thread will do."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def days(count: int) -> list[str]:
    return [f"Dag {number}." for number in range(count)]


def codes(answer: Any) -> list[str]:
    return [warning["code"] for warning in answer["warnings"]]


def sentences_of(answer: Any) -> list[Any]:
    return [s for block in answer["translation"]["blocks"] for s in block["sentences"]]


def texts_in(fake: FakeTranslator) -> list[str]:
    return [text for batch in fake.batches for text in batch]


# An article.


def test_an_article_loses_nothing(server: "Client") -> None:
    answer = server.post("/v1/articles", {"text": ARTICLE}).json()
    sentences = sentences_of(answer)
    assert len(sentences) == SENTENCES
    assert [s["id"] for s in sentences] == [f"s{n + 1}" for n in range(SENTENCES)]
    position = 0
    for sentence in sentences:
        assert sentence["source"] == ARTICLE[sentence["start"] : sentence["end"]]
        assert sentence["start"] >= position
        position = sentence["end"]
        assert sentence["target"] in answer["translation"]["text"]
    kinds = [block["kind"] for block in answer["translation"]["blocks"]]
    assert kinds == ["heading", "paragraph", "paragraph", "list_item", "list_item"]
    assert answer["translation"]["text"].count("\n\n") == ARTICLE.count("\n\n")
    assert answer["language"]["code"] == "nl"
    assert answer["title"] is None
    assert answer["warnings"] == []
    assert answer["models"]["translation"] == {
        "card": "opus-mt-nl-en",
        "revision": "local",
        "engine": "ctranslate2/int8",
    }


def test_the_text_is_the_translated_sentences_in_their_places(fake_server: "Client") -> None:
    answer = fake_server.post("/v1/articles", {"text": ARTICLE}).json()
    assert answer["translation"]["text"] == SHOUTED


def test_bullets_name_their_sources(fake_server: "Client") -> None:
    answer = fake_server.post("/v1/articles", {"text": ARTICLE, "summary": {"bullets": 2}}).json()
    summary = answer["summary"]
    targets = {s["id"]: s["target"] for s in sentences_of(answer)}
    assert summary["method"] == "extractive"
    assert len(summary["bullets"]) == 2
    for bullet in summary["bullets"]:
        assert bullet["sources"]
        assert set(bullet["sources"]) <= set(targets)
        assert bullet["text"] in " ".join(targets[source] for source in bullet["sources"])
        assert 0 <= bullet["support"] <= 1


def test_three_bullets_without_asking_and_none_on_request(fake_server: "Client") -> None:
    assert (
        len(fake_server.post("/v1/articles", {"text": ARTICLE}).json()["summary"]["bullets"]) == 3
    )
    assert (
        fake_server.post("/v1/articles", {"text": ARTICLE, "summary": None}).json()["summary"]
        is None
    )


def test_the_title_is_translated_and_no_bullet(fake_server: "Client", fake: FakeTranslator) -> None:
    title = "Arnhem krijgt een brug"
    request = {"text": ARTICLE, "title": title, "summary": {"bullets": 10}}
    answer = fake_server.post("/v1/articles", request).json()
    assert answer["title"] == title.upper()
    assert title in texts_in(fake)
    assert len(sentences_of(answer)) == SENTENCES
    assert all(title.upper() not in bullet["text"] for bullet in answer["summary"]["bullets"])
    assert answer["usage"]["characters"] == len(ARTICLE) + len(title)


def test_alignment_can_be_left_out(fake_server: "Client") -> None:
    answer = fake_server.post("/v1/articles", {"text": ARTICLE, "alignment": False}).json()
    assert answer["translation"] == {"text": SHOUTED, "blocks": None}
    assert answer["summary"]["bullets"]


def test_usage_and_timing(fake_server: "Client", fake: FakeTranslator) -> None:
    answer = fake_server.post("/v1/articles", {"text": ARTICLE}).json()
    tokens = sum(map(len, fake.batches[0]))
    again = len(texts_in(fake)) - len(fake.batches[0])
    assert answer["usage"] == {
        "characters": len(ARTICLE),
        "sentences": SENTENCES,
        "source_tokens": tokens,
        "target_tokens": tokens,
        "extra_decodes": again,
    }
    timing = answer["timing_ms"]
    assert list(timing) == [
        *("queue", "tokenization", "inference", "translation", "summarization", "total")
    ]
    assert all(isinstance(value, int) and value >= 0 for value in timing.values())
    assert timing["total"] + 2 >= timing["translation"] + timing["summarization"]
    assert timing["total"] + 2 >= timing["queue"]  # for engines it is a part of the translation


def test_the_request_id_comes_back(server: "Client") -> None:
    reply = server.post("/v1/translate", {"texts": ["Dag."]}, {"X-Request-ID": "redactie-1.a_B"})
    assert reply.headers["x-request-id"] == "redactie-1.a_B"
    assert reply.json()["id"] == "redactie-1.a_B"
    made = [server.post("/v1/translate", {"texts": ["Dag."]}) for _ in range(2)]
    assert made[0].headers["x-request-id"] == made[0].json()["id"]
    assert made[0].headers["x-request-id"] != made[1].headers["x-request-id"]


def test_the_same_article_gets_the_same_answer(server: "Client") -> None:
    answers = [server.post("/v1/articles", {"text": ARTICLE}).json() for _ in range(2)]
    for answer in answers:
        del answer["id"], answer["timing_ms"]
    assert answers[0] == answers[1]


def test_the_demo_knows_the_sample_article(
    settings: Settings,
    start_server: Callable[[FastAPI], AbstractContextManager["Client"]],
    sample_article: str,
) -> None:
    demo = settings.model_copy(update={"profile": "demo", "cards_dir": None})
    with start_server(create_app(demo)) as client:
        answer = client.post("/v1/articles", {"text": sample_article}).json()
    sentences = sentences_of(answer)
    assert sentences[0]["target"] == sentences[0]["source"] == "date 2020-01"
    assert len(sentences) == 20
    [seed] = [article for article in load_seeds(SEEDS) if article.name == "sample-article"]
    assert [s["target"] for s in sentences] == seed.references()
    assert "demo_model" in codes(answer)
    ids = {s["id"] for s in sentences}
    assert len(answer["summary"]["bullets"]) == 3
    for bullet in answer["summary"]["bullets"]:
        assert bullet["sources"]
        assert set(bullet["sources"]) <= ids


# The parts on their own.


def test_translations_come_in_the_order_of_the_texts(fake_server: "Client") -> None:
    texts = ["Dag.", "Eén. Twee.\n\nDrie.", "12:30", "Dag."]
    answer = fake_server.post("/v1/translate", {"texts": texts}).json()
    assert [t["text"] for t in answer["translations"]] == [
        "DAG.",
        "EÉN. TWEE.\n\nDRIE.",
        "12:30",
        "DAG.",
    ]
    assert answer["usage"]["sentences"] == 6
    assert answer["usage"]["characters"] == sum(map(len, texts))


def test_an_english_text_is_summed_up_as_it_is(fake_server: "Client", fake: FakeTranslator) -> None:
    text = "The council met on Monday. It voted for the new bridge. Work will begin in May."
    answer = fake_server.post("/v1/summarize", {"text": text, "bullets": 2}).json()
    assert fake.batches == []
    assert answer["language"]["code"] == "en"
    assert len(answer["summary"]["bullets"]) == 2
    assert_sources(answer, text)
    assert all(bullet["text"] in text for bullet in answer["summary"]["bullets"])


def test_a_dutch_text_is_translated_and_summed_up(
    fake_server: "Client", fake: FakeTranslator
) -> None:
    answer = fake_server.post("/v1/summarize", {"text": ARTICLE, "bullets": 2}).json()
    assert len(fake.batches[0]) == SENTENCES
    assert answer["language"]["code"] == "nl"
    assert_sources(answer, ARTICLE)
    assert all(bullet["text"] == bullet["text"].upper() for bullet in answer["summary"]["bullets"])


def test_the_language_can_be_said(fake_server: "Client", fake: FakeTranslator) -> None:
    request = {"text": ARTICLE, "source_language": "en"}
    answer = fake_server.post("/v1/summarize", request).json()
    assert fake.batches == []
    assert "source_language_suspect" in codes(answer)


def assert_sources(answer: Any, text: str) -> None:
    """Every bullet's sources are listed, with their place in the submitted text."""
    sources = {source["id"]: source for source in answer["sources"]}
    assert set(sources) == {s for b in answer["summary"]["bullets"] for s in b["sources"]}
    for source in sources.values():
        assert source["source"] == text[source["start"] : source["end"]]


def test_the_server_says_what_it_is(server: "Client", settings: Settings) -> None:
    from service import __version__

    assert server.get("/version").json() == {"version": __version__}
    for path in ("/livez", "/readyz", "/healthz"):
        assert server.get(path).json() == {"status": "ok"}
    limits = server.get("/v1/limits").json()
    assert limits["max_article_characters"] == settings.max_article_characters
    assert limits["max_body_bytes"] == settings.max_body_bytes
    assert limits["max_texts_per_request"] == settings.max_texts_per_request
    models = server.get("/v1/models").json()
    assert models["profile"] == "light"
    served = [model["name"] for model in models["models"] if model["served"]]
    assert served == ["extractive", "opus-mt-nl-en"] or set(served) == {
        "extractive",
        "opus-mt-nl-en",
    }


def test_code_in_a_text_is_text(fake_server: "Client") -> None:
    text = "{{7*7}} ${7*7} <%= 7*7 %> %s {0.x} <b>vet</b> &amp; '; DROP TABLE a; -- zei de man."
    answer = fake_server.post("/v1/articles", {"text": text}).json()
    assert answer["translation"]["text"] == text.upper().replace("--", "-").replace(" %>", "%>")


# Around the engine.


def test_livez_answers_while_an_article_is_in_the_engine(
    fake_server: "Client", fake: FakeTranslator, pool: ThreadPoolExecutor
) -> None:
    """Shown by the order of events: the engine can't go on before the answer has come."""
    article = "De man liep naar huis in de regen. " * 715
    assert len(article.split()) >= 5_000
    fake.gate.clear()
    working = pool.submit(fake_server.post, "/v1/articles", {"text": article})
    assert fake.entered.wait(WAIT_SECONDS)
    assert fake_server.get("/livez").status == 200
    assert fake_server.get("/v1/limits").status == 200
    assert not working.done()
    fake.gate.set()
    answer = working.result(WAIT_SECONDS)
    assert answer.status == 200
    assert answer.json()["usage"]["sentences"] == 715


def test_requests_at_the_same_time_get_their_own_answers(
    fake_server: "Client", fake: FakeTranslator, pool: ThreadPoolExecutor
) -> None:
    fake.gate.clear()
    waiting = [
        pool.submit(fake_server.post, "/v1/translate", {"texts": [f"Zin {name}."]}) for name in "ab"
    ]
    until(lambda: len(fake.batches) == THREADS)
    fake.gate.set()
    texts = [w.result(WAIT_SECONDS).json()["translations"][0]["text"] for w in waiting]
    assert texts == ["ZIN A.", "ZIN B."]


def test_requests_at_the_same_time_on_the_real_engine(
    server: "Client", pool: ThreadPoolExecutor
) -> None:
    texts = [f"De trein van {hour} uur naar Arnhem rijdt niet." for hour in range(16)]
    alone = [
        server.post("/v1/translate", {"texts": [text]}).json()["translations"] for text in texts
    ]
    together = list(pool.map(lambda text: server.post("/v1/translate", {"texts": [text]}), texts))
    assert [reply.json()["translations"] for reply in together] == alone


def test_what_is_late_is_answered_504(fake_server: "Client", fake: FakeTranslator) -> None:
    reply = send_too_late(fake_server, fake, ["Dag."])
    assert reply.status == 504
    assert reply.json()["code"] == "deadline_exceeded"
    assert (
        fake_server.post("/v1/translate", {"texts": ["Dag."], "deadline_ms": 30_000}).status == 200
    )
    fill_all_places(fake_server, fake)


def test_no_batch_is_started_after_the_deadline(
    fake_server: "Client", fake: FakeTranslator
) -> None:
    reply = send_too_late(fake_server, fake, days(3 * CHECKPOINT_SENTENCES))
    assert reply.status == 504
    for _ in range(4):
        assert fake_server.post("/v1/translate", {"texts": ["Dag."]}).status == 200
    assert [len(batch) for batch in fake.batches] == [CHECKPOINT_SENTENCES, 1, 1, 1, 1]


def send_too_late(client: "Client", fake: FakeTranslator, texts: list[str]) -> "Reply":
    """The answer when the deadline passes during the first batch; that one still runs."""
    fake.gate.clear()
    try:
        # 2 s are enough to reach the engine.
        reply = client.post("/v1/translate", {"texts": texts, "deadline_ms": 2_000})
        assert fake.entered.is_set()
    finally:
        fake.gate.set()
    return reply


def test_work_for_a_client_that_has_gone_is_stopped(
    fake_server: "Client", fake: FakeTranslator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    body = json.dumps({"texts": days(3 * CHECKPOINT_SENTENCES)}).encode()
    fake.gate.clear()
    connection = fake_server.connect()
    connection.sendall(fake_server.request("POST", "/v1/translate", body))
    assert fake.entered.wait(WAIT_SECONDS)
    connection.close()
    # The server has read the end of the stream before it answers a connection made after it.
    for _ in range(3):
        assert fake_server.get("/livez").status == 200
    fake.gate.set()
    until(lambda: "status=499" in caplog.text)
    assert len(fake.batches) == 1
    fill_all_places(fake_server, fake)


def test_a_full_queue_is_answered_503(
    fake_server: "Client", fake: FakeTranslator, pool: ThreadPoolExecutor
) -> None:
    fake.gate.clear()
    waiting = {
        pool.submit(fake_server.post, "/v1/translate", {"texts": ["Dag."]})
        for _ in range(PLACES + 1)
    }
    # Whichever comes last is refused, so every place is taken when that one returns.
    refused, waiting = wait(waiting, WAIT_SECONDS, FIRST_COMPLETED)
    assert [reply.result().status for reply in refused] == [503]
    for route, body in (
        ("/v1/articles", {"text": "Dag."}),
        ("/v1/translate", {"texts": ["Dag."]}),
        ("/v1/summarize", {"text": "Dag."}),
    ):
        reply = fake_server.post(route, body)
        assert reply.status == 503
        assert reply.json()["code"] == "overloaded"
        assert int(reply.headers["retry-after"]) >= 1
    assert fake_server.get("/livez").status == 200
    fake.gate.set()
    assert [w.result(WAIT_SECONDS).status for w in waiting] == [200] * PLACES
    assert fake_server.post("/v1/translate", {"texts": ["Dag."]}).status == 200


def fill_all_places(client: "Client", fake: FakeTranslator) -> None:
    """As many requests as there are places are let in: none is still taken."""
    fake.reset()
    fake.gate.clear()
    with ThreadPoolExecutor(PLACES) as pool:
        waiting = [
            pool.submit(client.post, "/v1/translate", {"texts": [f"Dag {number}."]})
            for number in range(PLACES)
        ]
        until(lambda: len(fake.batches) == THREADS)
        fake.gate.set()
        assert [w.result(WAIT_SECONDS).status for w in waiting] == [200] * PLACES


def test_a_request_that_outlives_the_drain_is_told_so(
    settings: Settings,
    start_server: Callable[[FastAPI], AbstractContextManager["Client"]],
    fake: FakeTranslator,
    pool: ThreadPoolExecutor,
) -> None:
    brief = settings.model_copy(update={"drain_seconds": 1})
    app = create_app(brief, translator=fake)
    fake.reset()
    fake.gate.clear()
    with start_server(app) as client:
        waiting = pool.submit(client.post, "/v1/translate", {"texts": ["Dag."]})
        # The engine goes on when the caller has its answer, and not before.
        waiting.add_done_callback(lambda _: fake.gate.set())
        assert fake.entered.wait(WAIT_SECONDS)
    reply = waiting.result(WAIT_SECONDS)
    assert reply.status == 503
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["code"] == "draining"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InferenceError("the engine failed on GEHEIM"), "inference_failed"),
        (RuntimeError("GEHEIM"), "inference_failed"),
        (MemoryError("GEHEIM"), "inference_failed"),
    ],
    ids=["engine", "bug", "memory"],
)
def test_a_failing_engine_fails_its_own_request_alone(
    fake_server: "Client",
    fake: FakeTranslator,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    code: str,
) -> None:
    fake.error = error
    reply = fake_server.post("/v1/articles", {"text": "GEHEIM is het woord."})
    assert reply.status == 500
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["code"] == code
    assert reply.json()["instance"] == reply.headers["x-request-id"]
    assert "Traceback" not in reply.body.decode()
    assert reply.headers["x-request-id"] in caplog.text
    assert type(error).__name__ in caplog.text
    assert "GEHEIM" not in caplog.text
    fake.error = None
    assert fake_server.post("/v1/articles", {"text": "Dag."}).status == 200
    fill_all_places(fake_server, fake)


def test_an_engine_that_loses_sentences_is_not_believed(
    fake_server: "Client", fake: FakeTranslator
) -> None:
    fake.lost = 1
    reply = fake_server.post("/v1/articles", {"text": ARTICLE})
    assert reply.status == 500
    assert reply.json()["code"] == "inference_failed"
    fake.lost = 0
    assert fake_server.post("/v1/articles", {"text": ARTICLE}).status == 200


@pytest.mark.parametrize("text", ["a" * 100_000, "a " * 100_000, "heel mooi huis " * 10_000])
def test_a_text_without_end_reaches_the_engine_in_parts_that_fit(
    fake_server: "Client", fake: FakeTranslator, text: str
) -> None:
    answer = fake_server.post("/v1/articles", {"text": text}).json()
    assert all(fake.fits(part) for part in texts_in(fake))
    [sentence] = sentences_of(answer)
    assert "hard_split" in codes(sentence)
    assert sentence["target"].replace(" ", "") == text.upper().replace(" ", "")
