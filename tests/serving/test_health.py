"""Health tells a dead server from a stopping one."""

from dataclasses import dataclass

from service.serving.health import Health


@dataclass
class FakeEngine:
    """An engine that is as dead as a test says."""

    dead: str | None = None


def test_a_working_server_lives_and_is_ready() -> None:
    for engines in ([], [FakeEngine(), FakeEngine()]):
        health = Health(engines)
        assert health.dead() is None
        assert health.unready() is None


def test_one_dead_engine_makes_a_dead_server() -> None:
    engines = [FakeEngine(), FakeEngine()]
    health = Health(engines)
    engines[1].dead = "the engine of a model hangs"
    assert health.dead() == "the engine of a model hangs"
    assert health.unready() == "the engine of a model hangs"


def test_a_stopping_server_lives_and_is_not_ready() -> None:
    health = Health([FakeEngine()])
    health.draining = True
    assert health.dead() is None
    assert health.unready() == "the server is stopping"


def test_a_stopping_server_with_a_dead_engine_says_the_worse() -> None:
    health = Health([FakeEngine("the engine of a model hangs")])
    health.draining = True
    assert health.unready() == "the engine of a model hangs"
