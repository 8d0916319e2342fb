"""A sentence whose translation fails gets another one that passes, in few decodes, or none."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.errors import InferenceError
from service.evaluation.checkpoints import write_marian_checkpoint
from service.models.card import load_card
from service.models.pull import pull
from service.models.store import ModelStore
from service.translation.ct2 import CTranslate2Translator
from service.translation.decoding import Decoding
from service.translation.marian import TorchTranslator
from service.translation.repair import BATCH_SENTENCES, MOST_PARTS, Failure, Repair, repair
from service.translation.translator import Translation

SENTENCE = "De trein reed niet, omdat er sneeuw op het spoor lag."
PARTS = ["De trein reed niet,", "omdat er sneeuw op het spoor lag."]
GOOD = "A good translation."
BAD = "A bad translation."


def translation(text: str, *alternatives: str, reached_limit: bool = False) -> Translation:
    return Translation(
        text=text,
        score=-0.5,
        source_tokens=8,
        target_tokens=len(text.split()),
        reached_limit=reached_limit,
        alternatives=tuple(map(translation, alternatives)),
    )


def is_good(candidate: Translation) -> bool:
    return candidate.text == GOOD


def is_not_bad(candidate: Translation) -> bool:
    return candidate.text != BAD


def never(_candidate: Translation) -> bool:
    return False


def go_on() -> None:
    """The checkpoint of work that always goes on."""


@dataclass
class Engine:
    """Gives the hypotheses of ``plain``, or of ``careful`` where given; records its calls."""

    plain: Callable[[str], tuple[str, ...]]
    careful: Callable[[str], tuple[str, ...]] | None = None
    engine: str = "fake"
    longest: int = 1000
    calls: list[tuple[bool, list[str]]] = field(default_factory=list)

    def translate(self, sentences: Sequence[str], *, careful: bool = False) -> list[Translation]:
        self.calls.append((careful, list(sentences)))
        answer = (careful and self.careful) or self.plain
        return [translation(*answer(text)) for text in sentences]

    def fits(self, text: str) -> bool:
        return len(text) <= self.longest


def looping_engine() -> Engine:
    """Says the same word over and over unless it is careful."""
    return Engine(lambda _text: ("no " * 20,), careful=lambda _text: (GOOD,))


def stubborn_engine() -> Engine:
    """Gives the same bad translation of whatever it is asked."""
    return Engine(lambda _text: (BAD, BAD))


def dropping_engine() -> Engine:
    """Translates seven words (here: to capitals) and drops the rest."""
    return Engine(lambda text: (" ".join(text.split()[:7]).upper(),))


def mangling_engine() -> Engine:
    """Spoils every address and piece of code that it sees."""
    return Engine(lambda text: (re.sub(r"[`/.:]", "", text).upper(),))


def failure(
    source: str = SENTENCE,
    first: Translation | None = None,
    verbatim: Sequence[str] = (),
    passes: Callable[[Translation], bool] = is_good,
) -> Failure:
    return Failure(source, first or translation(BAD), tuple(verbatim), passes)


def text_of(outcome: Repair) -> str | None:
    return None if outcome.translation is None else outcome.translation.text


def test_another_hypothesis_that_passes_is_taken_at_no_cost() -> None:
    engine = looping_engine()
    [outcome] = repair(engine, [failure(first=translation(BAD, BAD, GOOD))], checkpoint=go_on)
    assert (text_of(outcome), outcome.decodes, engine.calls) == (GOOD, 0, [])


def test_the_first_of_several_hypotheses_that_pass_is_taken() -> None:
    one = failure(first=translation(BAD, BAD, "better", "best"), passes=is_not_bad)
    [outcome] = repair(looping_engine(), [one], checkpoint=go_on)
    assert text_of(outcome) == "better"


def test_a_loop_is_repaired_by_careful_decoding() -> None:
    engine = looping_engine()
    [outcome] = repair(engine, [failure(first=translation("no " * 20, BAD))], checkpoint=go_on)
    assert (text_of(outcome), outcome.decodes) == (GOOD, 1)
    assert engine.calls == [(True, [SENTENCE])]


def test_the_other_hypotheses_of_careful_decoding_count_too() -> None:
    engine = Engine(lambda _text: (BAD, BAD, GOOD))
    [outcome] = repair(engine, [failure()], checkpoint=go_on)
    assert (text_of(outcome), outcome.decodes) == (GOOD, 1)


def test_dropped_words_come_back_when_the_clauses_are_translated_apart() -> None:
    engine = dropping_engine()

    def complete(candidate: Translation) -> bool:
        return len(candidate.text.split()) == len(SENTENCE.split())

    [outcome] = repair(engine, [failure(passes=complete)], checkpoint=go_on)
    assert (text_of(outcome), outcome.decodes) == (SENTENCE.upper(), 2)
    assert engine.calls == [(True, [SENTENCE]), (False, PARTS)]


def test_a_full_stop_that_the_engine_adds_to_a_clause_does_not_end_the_sentence() -> None:
    made = {PARTS[0]: "The train stood still.", PARTS[1]: "because it snowed."}
    engine = Engine(lambda text: (made.get(text, BAD),))
    [outcome] = repair(engine, [failure(passes=is_not_bad)], checkpoint=go_on)
    assert text_of(outcome) == "The train stood still, because it snowed."


@pytest.mark.parametrize("end", ["at 9 a.m.", "and so on...", "why?", "in the U.S."])
def test_other_ends_of_a_clause_stay(end: str) -> None:
    made = {PARTS[0]: end, PARTS[1]: "the last."}
    engine = Engine(lambda text: (made.get(text, BAD),))
    [outcome] = repair(engine, [failure(passes=is_not_bad)], checkpoint=go_on)
    assert text_of(outcome) == f"{end} the last."


def test_a_sentence_without_clauses_is_not_cut() -> None:
    engine = stubborn_engine()
    [outcome] = repair(engine, [failure("De trein reed toen.")], checkpoint=go_on)
    assert outcome == Repair(None, 1)
    assert engine.calls == [(True, ["De trein reed toen."])]


def test_nothing_that_fails_is_ever_taken() -> None:
    [outcome] = repair(
        stubborn_engine(), [failure(first=translation(BAD, BAD, BAD))], checkpoint=go_on
    )
    assert outcome == Repair(None, 2)


def test_parts_stopped_by_the_length_limit_are_known_as_such() -> None:
    class Stopped(Engine):
        def translate(
            self, sentences: Sequence[str], *, careful: bool = False
        ) -> list[Translation]:
            del careful
            return [translation(text, reached_limit=text == PARTS[0]) for text in sentences]

    judged: list[Translation] = []

    def refuse(candidate: Translation) -> bool:
        judged.append(candidate)
        return False

    repair(Stopped(lambda _text: ()), [failure(passes=refuse)], checkpoint=go_on)
    whole, joined = judged
    assert (whole.reached_limit, joined.reached_limit) == (False, True)
    assert (joined.source_tokens, joined.target_tokens) == (16, len(SENTENCE.split()))
    assert joined.score == pytest.approx(-0.5)


ADDRESS = "https://example.org/a.html"


def test_a_mangled_address_is_copied_from_the_source() -> None:
    source = f"Lees alles op onze site ({ADDRESS}), en reageer."
    engine = mangling_engine()
    candidate = failure(source, verbatim=[ADDRESS], passes=lambda made: ADDRESS in made.text)
    [outcome] = repair(engine, [candidate], checkpoint=go_on)
    assert text_of(outcome) == f"LEES ALLES OP ONZE SITE ({ADDRESS}), EN REAGEER"
    assert engine.calls == [
        (True, [source]),
        (False, ["Lees alles op onze site", "en reageer."]),
    ]
    assert outcome.decodes == 2


@pytest.mark.parametrize(
    ("source", "verbatim", "decoded"),
    [
        ("Typ `ls -l` in.", ["`ls -l`"], ["Typ", "in."]),
        ('"Yes we can", zei hij.', ["Yes we can"], ["zei hij."]),
        ("`rm` 's nachts draaien mag.", ["`rm`"], ["'s nachts draaien mag."]),
        ("Met `a` of `b` en `a`.", ["`a`", "`b`"], ["Met", "of", "en"]),
        ("Zie x.nl/y en x.nl.", ["x.nl", "x.nl/y"], ["Zie", "en"]),
        ("De x is `x`, en x blijft.", ["x"], ["De", "is", "en", "blijft."]),
        ("`a` 25", ["`a`"], []),
    ],
)
def test_words_to_copy_stay_and_the_rest_is_translated(
    source: str, verbatim: list[str], decoded: list[str]
) -> None:
    engine = Engine(lambda text: (text,), careful=lambda _text: (BAD,))
    candidate = failure(source, verbatim=verbatim, passes=is_not_bad)
    [outcome] = repair(engine, [candidate], checkpoint=go_on)
    assert text_of(outcome) == source
    assert engine.calls[1:] == ([(False, decoded)] if decoded else [])
    assert outcome.decodes == 1 + bool(decoded)


def test_words_that_the_first_translation_kept_do_not_stop_a_cut_at_clauses() -> None:
    engine = stubborn_engine()
    repair(engine, [failure(verbatim=["bad"])], checkpoint=go_on)
    assert engine.calls[1] == (False, PARTS)


def test_words_that_are_not_in_the_sentence_can_not_be_copied() -> None:
    engine = stubborn_engine()
    [outcome] = repair(engine, [failure(verbatim=["`elders`"])], checkpoint=go_on)
    assert outcome == Repair(None, 1)


def test_a_part_that_does_not_fit_is_not_given_to_the_engine() -> None:
    engine = stubborn_engine()
    engine.longest = len(PARTS[1]) - 1
    [outcome] = repair(engine, [failure()], checkpoint=go_on)
    assert outcome == Repair(None, 1)


def test_a_sentence_of_very_many_parts_is_not_split() -> None:
    engine = stubborn_engine()
    words = " en ".join(["`x`"] * (MOST_PARTS + 2))
    [outcome] = repair(engine, [failure(words, verbatim=["`x`"])], checkpoint=go_on)
    assert outcome == Repair(None, 1)


def test_every_step_is_one_call_for_all_sentences_and_only_for_those_that_need_it() -> None:
    def careful(text: str) -> tuple[str, ...]:
        return (GOOD if text.startswith("Een") else BAD,)

    engine = Engine(lambda _text: (BAD,), careful)
    failures = [
        failure("Een zin."),
        failure(first=translation(BAD, GOOD)),
        failure(SENTENCE),
        failure("Een andere zin."),
        failure(f"Gisteren: {SENTENCE}"),
    ]
    outcomes = repair(engine, failures, checkpoint=go_on)
    assert [text_of(outcome) for outcome in outcomes] == [GOOD, GOOD, None, GOOD, None]
    assert [outcome.decodes for outcome in outcomes] == [1, 0, 2, 1, 2]
    assert engine.calls == [
        (True, ["Een zin.", SENTENCE, "Een andere zin.", f"Gisteren: {SENTENCE}"]),
        (False, [*PARTS, f"Gisteren: {PARTS[0]}", PARTS[1]]),
    ]


def test_nothing_to_repair_asks_nothing_of_the_engine() -> None:
    engine = stubborn_engine()
    assert repair(engine, [], checkpoint=lambda: pytest.fail("there is no batch")) == []
    assert engine.calls == []


def test_work_that_nobody_waits_for_ends_before_the_next_batch() -> None:
    class Gone(Exception):
        pass

    engine = stubborn_engine()

    def checkpoint() -> None:
        if len(engine.calls) == 2:
            raise Gone

    failures = [failure()] * (3 * BATCH_SENTENCES)
    with pytest.raises(Gone):
        repair(engine, failures, checkpoint=checkpoint)
    assert [len(texts) for _, texts in engine.calls] == [BATCH_SENTENCES] * 2


def test_an_engine_that_loses_a_sentence_is_an_error() -> None:
    class Losing(Engine):
        def translate(
            self, sentences: Sequence[str], *, careful: bool = False
        ) -> list[Translation]:
            return super().translate(sentences, careful=careful)[1:]

    with pytest.raises(InferenceError, match="another number of sentences"):
        repair(Losing(lambda _text: (BAD,)), [failure()], checkpoint=go_on)


SENTENCES = st.lists(
    st.sampled_from(["De", "trein", ",", ";", "omdat", "`x`", "3,5", "%", "(", '"', "."]),
    min_size=1,
    max_size=12,
).map(" ".join)


@given(st.lists(SENTENCES, max_size=6), st.integers(0, 3))
def test_a_sentence_costs_two_decodes_at_most_and_its_result_depends_on_it_alone(
    sources: list[str], lucky: int
) -> None:
    def answer(text: str) -> tuple[str, ...]:
        return (GOOD,) if len(text) % 4 == lucky else (text.upper(), text.lower())

    failures = [
        failure(
            source,
            verbatim=["`x`"] * ("`x`" in source),
            passes=lambda made: GOOD in made.text or "`x`" in made.text,
        )
        for source in sources
    ]
    together = repair(Engine(answer), failures, checkpoint=go_on)
    alone = [repair(Engine(answer), [one], checkpoint=go_on)[0] for one in failures]
    assert together == alone
    assert all(outcome.decodes <= 2 for outcome in together)
    assert all(
        outcome.translation is None or one.passes(outcome.translation)
        for one, outcome in zip(failures, together, strict=True)
    )


@given(st.text(max_size=40), st.lists(st.text(max_size=6), max_size=3), st.text(max_size=6))
@example("\u2028", ["\u2028"], "")
@example("", [""], "")
def test_no_text_is_too_strange(source: str, verbatim: list[str], made: str) -> None:
    engine = Engine(lambda _text: (made,))
    [outcome] = repair(engine, [failure(source, verbatim=verbatim, passes=never)], checkpoint=go_on)
    assert outcome.translation is None


@given(st.lists(st.text("ab ,.('\"", max_size=8), min_size=2, max_size=5))
def test_copied_words_are_in_the_result_for_certain(between: list[str]) -> None:
    engine = Engine(lambda text: (text[::-1],), careful=lambda _text: ("",))
    source = "`x`".join(between)
    candidate = failure(source, verbatim=["`x`"], passes=lambda made: bool(made.text))
    [outcome] = repair(engine, [candidate], checkpoint=go_on)
    found = len(re.findall(r"(?<!\w)`x`(?!\w)", source))
    text = text_of(outcome)
    assert text is None if not found else (text or "").count("`x`") >= found


@pytest.mark.parametrize("hostile", ["a", "( ", "`x` ", "'", ", ", "a, ", "én "])
def test_a_hostile_sentence_takes_little_time(hostile: str) -> None:
    engine = stubborn_engine()
    engine.longest = 1_000_000
    source = hostile * (100_000 // len(hostile))
    for verbatim in ([], ["`x`"], [hostile]):
        started = time.process_time()
        [outcome] = repair(engine, [failure(source, verbatim=verbatim)], checkpoint=go_on)
        assert time.process_time() - started < 2
        assert outcome.translation is None


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random Marian that never ends a sentence."""
    root = tmp_path_factory.mktemp("repair")
    source = write_marian_checkpoint(
        root / "source", d_model=16, layers=1, ffn_dim=32, heads=2, never_ends=True
    )
    store = ModelStore(root / "models")
    pull(load_card("opus-mt-nl-en"), store, source=source)
    return store.path("opus-mt-nl-en")


@pytest.mark.parametrize("engine", [CTranslate2Translator, TorchTranslator])
def test_real_engines_take_every_step(
    engine: type[CTranslate2Translator] | type[TorchTranslator], checkpoint: Path
) -> None:
    decoding = Decoding(
        beam_size=2,
        length_penalty=1.0,
        max_source_tokens=128,
        max_target_tokens=16,
        max_target_ratio=1.0,
        max_target_margin=0,
    )
    translator = engine(checkpoint, decoding)
    source = f"De trein reed niet, omdat er sneeuw lag, zie {ADDRESS}."
    [first] = translator.translate([source])
    [careful] = translator.translate([source], careful=True)
    candidates = [
        *first.alternatives,
        careful,
        *careful.alternatives,
    ]
    for wanted in candidates:
        one = Failure(source, first, (ADDRESS,), lambda made, wanted=wanted: made == wanted)  # type: ignore[misc]  # mypy knows no lambda with a default
        [outcome] = repair(translator, [one], checkpoint=go_on)
        assert outcome.translation == wanted
    copied = Failure(source, first, (ADDRESS,), lambda made: ADDRESS in made.text)
    [outcome] = repair(translator, [copied], checkpoint=go_on)
    assert outcome.translation is not None
    assert outcome.translation.text.endswith(f" {ADDRESS}.")
    assert outcome.decodes == 2
