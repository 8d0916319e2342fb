"""What a person sees of a run: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from dataclasses import dataclass
from typing import Self

from tqdm import tqdm

from service.bulk.rows import Row

BAR_SECONDS = 0.2
"""Time between two looks of the bar."""
LINE_SECONDS = 10.0
"""Time between two lines where there is no terminal."""


@dataclass(slots=True)
class Tally:
    """What a run has done so far.

    Attributes:
        before: rows that were there when it began.
        before_failed: how many of these are errors.
        translated: articles of this run with an answer.
        failed: articles of this run with an error.
        characters: of the JSON of both.
    """

    before: int = 0
    before_failed: int = 0
    translated: int = 0
    failed: int = 0
    characters: int = 0

    def add(self, row: Row) -> None:
        """Count a row of this run."""
        self.translated += not row.is_error
        self.failed += row.is_error
        self.characters += row.characters

    def words(self, seconds: float) -> str:
        """This run in words.

        Args:
            seconds: that it has taken.
        """
        seconds = max(seconds, 0.001)
        return (
            f"{self.translated:,} translated, {self.failed:,} failed, "
            f"{(self.translated + self.failed) / seconds:,.1f} articles/s, "
            f"{self.characters / seconds:,.0f} characters/s"
        )


class Progress:
    """Shows a run on standard error, as it goes.

    Args:
        total: how much of the source there is; ``None`` when nobody knows.
        tally: what is shown.
        begin: how much of the source earlier runs have done, in the same unit.
    """

    def __init__(self, total: int | None, tally: Tally, begin: int) -> None:
        self._tally, self._total, self._begin = tally, total, begin
        self._started = self._shown = time.monotonic()
        is_terminal = sys.stderr is not None and sys.stderr.isatty()
        self._interval_seconds = BAR_SECONDS if is_terminal else LINE_SECONDS
        self._bar = tqdm(
            total=total,
            initial=begin,
            desc=tally.words(0),
            bar_format="{percentage:3.0f} % |{bar}| {desc}, {elapsed}, {remaining} left",
            leave=False,
            disable=not is_terminal,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def show(self, end: int) -> None:
        """Show how far the run is, unless that was shown a moment ago.

        Args:
            end: how much of the source is done, in the unit of its total.
        """
        now = time.monotonic()
        if now - self._shown < self._interval_seconds:
            return
        self._shown = now
        words = self._tally.words(now - self._started)
        if self._bar.disable:
            print(f"{self._percent(end)}{words}{self._left(end)}", file=sys.stderr)
        else:
            self._bar.set_description_str(words, refresh=False)
            self._bar.n = end
            self._bar.refresh()

    def summary(self, skipped: int) -> str:
        """The run in one line.

        Args:
            skipped: files that are no articles.
        """
        seconds = time.monotonic() - self._started
        earlier = f", {self._tally.before:,} rows by earlier runs" if self._tally.before else ""
        files = f"{skipped:,} file{'' if skipped == 1 else 's'} skipped"
        return f"{self._tally.words(seconds)}, {files}, {seconds:.1f} s{earlier}"

    def _percent(self, end: int) -> str:
        return f"{100 * end / self._total:.0f} %, " if self._total else ""

    def _left(self, end: int) -> str:
        if not self._total or end <= self._begin:
            return ""
        seconds = time.monotonic() - self._started
        left = seconds * (self._total - end) / (end - self._begin)
        return f", {tqdm.format_interval(left)} left"
