"""Who is let in, and what is said to those who are not."""

from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import DeadlineExceeded, Overloaded
from service.serving.admission import LOADED_REQUESTS, MEMORY_SECONDS, Admission
from service.serving.metrics import Metrics


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def admission(requests: int = 8, tokens: int = 1_000) -> tuple[Admission, Clock, Metrics]:
    clock, metrics = Clock(), Metrics()
    return Admission(requests, tokens, metrics, clock), clock, metrics


def test_one_request_over_the_limit_is_refused_and_gets_in_when_a_place_is_free() -> None:
    gate, _, metrics = admission(requests=2)
    with ExitStack() as places:
        places.enter_context(gate.place(10, None))
        second = ExitStack()
        second.enter_context(gate.place(10, None))
        with pytest.raises(Overloaded) as refusal:
            places.enter_context(gate.place(10, None))
        assert int(refusal.value.headers["Retry-After"]) >= 1
        second.close()
        places.enter_context(gate.place(10, None))
        assert metrics.registry.get_sample_value("kortom_inflight_requests") == 2
    assert metrics.registry.get_sample_value("kortom_inflight_requests") == 0


def test_tokens_are_limited_too_but_the_largest_request_gets_in_when_it_is_alone() -> None:
    gate, _, _ = admission(tokens=100)
    with gate.place(1_000_000, None), pytest.raises(Overloaded), gate.place(4, None):
        pass
    with gate.place(4, None), pytest.raises(Overloaded), gate.place(1_000_000, None):
        pass


@given(st.lists(st.tuples(st.integers(1, 5_000), st.booleans()), max_size=40))
def test_whatever_comes_and_goes_the_limits_hold_and_nothing_is_left(
    steps: list[tuple[int, bool]],
) -> None:
    gate, clock, _ = admission(requests=3, tokens=1_000)
    held: list[ExitStack] = []
    for characters, leave in steps:
        clock.now += 0.1
        if leave and held:
            held.pop(0).close()
            continue
        place = ExitStack()
        try:
            place.enter_context(gate.place(characters, None))
        except Overloaded:
            continue
        held.append(place)
        assert gate.requests <= 3
        assert gate.tokens <= 1_000
    for place in held:
        place.close()
    assert (gate.requests, gate.tokens) == (0, 0)


def test_retry_after_comes_from_the_measured_pace() -> None:
    gate, clock, _ = admission(requests=LOADED_REQUESTS + 1, tokens=10_000)
    with ExitStack() as places:
        for _ in range(LOADED_REQUESTS):
            places.enter_context(gate.place(4_000, None))
        with gate.place(400, None):
            clock.now += 1.0  # 100 tokens in a second
        places.enter_context(gate.place(4_000, None))
        with pytest.raises(Overloaded) as refusal, gate.place(4, None):
            pass
    # 5,000 tokens are ahead.
    assert refusal.value.headers["Retry-After"] == "50"


def test_a_deadline_that_no_request_of_this_size_kept_of_late_is_refused_at_once() -> None:
    gate, clock, _ = admission()
    with gate.place(400, None):
        clock.now += 2.0
    with pytest.raises(DeadlineExceeded) as refusal, gate.place(400, 1.0):
        pass
    assert refusal.value.code == "deadline_unreachable"
    with gate.place(400, 2.1):  # may be kept
        clock.now += 2.1
    with gate.place(40, 0.5):  # a smaller one may be faster
        clock.now += 0.5
    with pytest.raises(DeadlineExceeded), gate.place(3_000, 1.0):  # a larger one is not
        pass


def test_a_slow_moment_is_forgotten() -> None:
    gate, clock, _ = admission()
    with gate.place(400, None):
        clock.now += 2.0
    clock.now += MEMORY_SECONDS + 1
    with gate.place(400, 1.0):
        pass


def test_a_request_that_failed_says_nothing_of_the_pace() -> None:
    gate, clock, _ = admission()

    def failing() -> None:
        with gate.place(400, None):
            clock.now += 30.0
            raise KeyError

    with pytest.raises(KeyError):
        failing()
    with gate.place(400, 1.0):
        pass


def test_a_queue_longer_than_the_deadline_is_refused_with_a_time_to_come_back() -> None:
    gate, clock, _ = admission(requests=100, tokens=100_000)
    with ExitStack() as places:
        for _ in range(LOADED_REQUESTS):
            places.enter_context(gate.place(40_000, None))
        with gate.place(400, None):
            clock.now += 0.5  # 200 tokens a second
        with pytest.raises(Overloaded) as refusal:
            places.enter_context(gate.place(400, 1.0))
        assert "Retry-After" in refusal.value.headers
        places.enter_context(gate.place(400, 10.0))


def test_time_spent_in_company_does_not_make_a_deadline_unreachable_alone() -> None:
    gate, clock, _ = admission()
    with ExitStack() as places:
        for _ in range(4):
            places.enter_context(gate.place(400, None))
        clock.now += 8.0  # two seconds of work for each
    with gate.place(400, 2.5):
        clock.now += 2.0
    with pytest.raises(DeadlineExceeded), gate.place(400, 1.0):
        pass


def test_reading_a_file_says_nothing_of_how_long_translations_take() -> None:
    gate, clock, _ = admission()
    with gate.place(0, None):
        clock.now += 5.0
    with gate.place(400, 1.0):
        pass
