"""Limits in characters: never more than is allowed, whoever else asks at the same moment."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from fake_clock import MIDNIGHT, FakeClock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.errors import ContentTooLarge, RateLimited
from service.keys.limits import Limits, Period, Spending
from service.keys.store import Key, KeyStore
from service.storage.database import Database


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def limits(database: Database, clock: FakeClock) -> Limits:
    return Limits(database, clock=clock)


@pytest.fixture
def key(database: Database) -> Key:
    return KeyStore(database).create("a", characters_per_minute=100, characters_per_day=250)[0]


def refused(limits: Limits, key: Key, characters: int) -> tuple[str, str]:
    with pytest.raises(RateLimited) as caught:
        limits.spend(key, characters)
    return caught.value.code, caught.value.headers["Retry-After"]


def test_a_minute_and_a_day_end_on_the_clock(limits: Limits, key: Key, clock: FakeClock) -> None:
    clock.now += 30.5
    limits.spend(key, 60)
    assert refused(limits, key, 41) == ("rate_limited", "30")
    limits.spend(key, 40)
    assert refused(limits, key, 1) == ("rate_limited", "30")
    clock.now += 29.5
    limits.spend(key, 100)
    clock.now += 60
    limits.spend(key, 50)
    assert refused(limits, key, 1) == ("quota_exceeded", str(86_400 - 120))
    assert limits.spent_today(key) == 250
    clock.now = MIDNIGHT + 86_400
    assert limits.spent_today(key) == 0
    limits.spend(key, 100)


def test_what_can_never_fit_is_told_apart(limits: Limits, key: Key) -> None:
    with pytest.raises(ContentTooLarge) as caught:
        limits.spend(key, 101)
    assert caught.value.code == "over_key_limit"
    limits.spend(key, 101, [Period.DAY])
    with pytest.raises(ContentTooLarge):
        limits.spend(key, 251, [Period.DAY])


def test_jobs_count_against_the_day_alone(limits: Limits, key: Key) -> None:
    limits.spend(key, 200, [Period.DAY])
    limits.spend(key, 50)
    assert refused(limits, key, 1)[0] == "quota_exceeded"


def test_what_is_given_back_can_be_spent_again(limits: Limits, key: Key, clock: FakeClock) -> None:
    spending = limits.spend(key, 100)
    limits.give_back(spending)
    assert limits.spent_today(key) == 0
    spending = limits.spend(key, 100)
    clock.now += 60
    limits.spend(key, 100)
    limits.give_back(spending)  # of a minute that is over: its day alone
    assert limits.spent_today(key) == 100
    assert refused(limits, key, 1)[0] == "rate_limited"


def test_limits_outlive_the_server_and_keys_do_not_share_them(
    limits: Limits, key: Key, database: Database, clock: FakeClock
) -> None:
    other = KeyStore(database).create("b", characters_per_minute=100)[0]
    limits.spend(key, 100)
    again = Limits(database, clock=clock)
    assert refused(again, key, 1)[0] == "rate_limited"
    again.spend(other, 100)


def test_a_server_whose_clock_is_behind_makes_no_new_window(
    limits: Limits, key: Key, clock: FakeClock
) -> None:
    clock.now += 60
    limits.spend(key, 100)
    clock.now -= 1
    assert refused(limits, key, 1)[0] == "rate_limited"


def test_a_clock_that_was_wrong_for_a_while_locks_nobody_out(
    limits: Limits, key: Key, clock: FakeClock
) -> None:
    clock.now += 10 * 86_400
    limits.spend(key, 100)
    clock.now = MIDNIGHT
    limits.spend(key, 100)


rounds = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 30, 59, 60, 3_600, 86_399]),
        st.lists(st.integers(0, 60), min_size=1, max_size=8),
        st.booleans(),
    ),
    min_size=1,
    max_size=5,
)


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(rounds=rounds, per_minute=st.integers(1, 150), per_day=st.integers(1, 300))
def test_no_window_ever_has_more_than_its_limit(
    database: Database,
    rounds: list[tuple[int, list[int], bool]],
    per_minute: int,
    per_day: int,
) -> None:
    """Eight threads spend at the same moment, and some of it is given back."""
    store, clock = KeyStore(database), FakeClock()
    key, _ = store.create(
        f"key-{len(store.keys())}", characters_per_minute=per_minute, characters_per_day=per_day
    )
    limits = Limits(database, clock=clock)
    spent: Counter[tuple[Period, int]] = Counter()

    def spend(characters: int) -> Spending | None:
        try:
            return limits.spend(key, characters)
        except (RateLimited, ContentTooLarge):
            return None

    with ThreadPoolExecutor(8) as threads:
        for seconds, amounts, is_given_back in rounds:
            clock.now += seconds
            made = [spending for spending in threads.map(spend, amounts) if spending]
            for spending in made:
                for period, started in spending.windows.items():
                    assert started <= clock.now < started + period.seconds
                    spent[period, started] += spending.characters
            for period, limit in ((Period.MINUTE, per_minute), (Period.DAY, per_day)):
                window = int(clock.now // period.seconds) * period.seconds
                assert spent[period, window] <= limit
            if made and is_given_back:
                limits.give_back(made[0])
                spent.subtract(dict.fromkeys(made[0].windows.items(), made[0].characters))
            day = int(clock.now // 86_400) * 86_400
            assert limits.spent_today(key) == spent[Period.DAY, day]
