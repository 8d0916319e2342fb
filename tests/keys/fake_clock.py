"""A clock that is set by hand."""

MIDNIGHT = 1_799_971_200.0
"""2027-01-15 00:00 UTC."""


class FakeClock:
    """Tells the time that it was given, in seconds since 1970 UTC."""

    def __init__(self) -> None:
        self.now = MIDNIGHT

    def __call__(self) -> float:
        return self.now
