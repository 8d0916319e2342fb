"""One model in a process of its own: what a Ray Serve deployment of a model runs."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from service import logs
from service.errors import InferenceError, ServiceError
from service.loading import CLOSE_SECONDS, Loader
from service.models.card import load_card
from service.models.profiles import PROFILES
from service.serving.batcher import Batcher
from service.serving.metrics import Metrics
from service.serving.work import Timings, Work, working_on
from service.settings import Settings
from service.summarization.generator import Generated
from service.translation.translator import Translation

logger = logging.getLogger(__name__)

TRANSLATOR = "translator"
SUMMARIZER = "summarizer"
"""Names of the deployments."""
MAX_ONGOING_CALLS = 32
"""Calls that one replica has at the same time, each on a thread that waits for its batches; more
wait with their callers. Each brings the sentences of an article or a part of it, so that far fewer
fill the largest batch."""

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Made]):
    """What came of a call, and where its seconds went.

    An error is given back, not raised: Ray would write it into its log with all that caused it,
    which may quote an article.
    """

    made: Made | ServiceError
    timings: Timings


class _Replica:
    """A model behind its queue, as in the plain server.

    Calls share batches through the :class:`Batcher` rather than through Ray's ``serve.batch``,
    which would put whole calls together: ours takes sentence by sentence, so that a headline does
    not wait for an article, puts together only what can't change each other's results, halves a
    batch that fails, and drops what nobody waits for any more.
    """

    def __init__(self, settings: Settings) -> None:
        logs.configure(settings.log_level, json_lines=True)
        self._settings = settings
        self._loader = Loader(settings, Metrics())
        self._threads = ThreadPoolExecutor(MAX_ONGOING_CALLS, thread_name_prefix="call")

    def check_health(self) -> None:
        """Asked by Ray every few seconds; it replaces the replica after some failures.

        Raises:
            RuntimeError: the engine hangs, ended or fails on everything.
        """
        for batcher in self._batchers:
            if reason := batcher.dead:
                raise RuntimeError(reason)

    def __del__(self) -> None:
        """Ray's end of a replica, after its last call."""
        for batcher in self._batchers:
            batcher.close(CLOSE_SECONDS)

    @property
    def _batchers(self) -> Sequence[Batcher[Any, Any]]:
        return self._loader.batchers

    async def _run(self, function: Callable[[], Made]) -> Outcome[Made]:
        """What the function makes on a thread of its own; a cancelled call ends its work."""
        work = Work()

        def run() -> Made | ServiceError:
            try:
                with working_on(work):
                    return function()
            except ServiceError as exc:
                return type(exc)(exc.detail, code=exc.code)
            except Exception as exc:
                logger.error("a call failed: %s", type(exc).__name__)  # noqa: TRY400 - see Outcome
                return InferenceError("the model failed on this request")

        try:
            made = await asyncio.get_running_loop().run_in_executor(self._threads, run)
        except asyncio.CancelledError:
            work.cancel()
            raise
        return Outcome(made, work.timings)


class TranslatorReplica(_Replica):
    """The profile's translation model.

    Args:
        settings: ``models_dir`` is that of the replica's node.

    Raises:
        StartupError: the model is missing or damaged, or does not run.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        card = load_card(PROFILES[settings.profile].translation, settings.cards_dir)
        self._loader.verify(card)
        self._translator = self._loader.translator(card)

    async def engine(self) -> str:
        """Engine and arithmetic, for example ``ctranslate2/int8``."""
        return self._translator.engine

    async def translate(
        self, sentences: Sequence[str], careful: bool
    ) -> Outcome[list[Translation]]:
        """See ``Translator.translate``."""
        return await self._run(lambda: self._translator.translate(sentences, careful=careful))


class GeneratorReplica(_Replica):
    """The profile's summarization model.

    Args:
        settings: see :class:`TranslatorReplica`.

    Raises:
        StartupError: see there.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        card = load_card(PROFILES[settings.profile].summarization, settings.cards_dir)
        self._loader.verify(card)
        self._generator = self._loader.generator(card)

    async def engine(self) -> str:
        """Engine and arithmetic, for example ``ctranslate2/int8``."""
        return self._generator.engine

    async def generate(
        self, sources: Sequence[str], min_tokens: int, max_tokens: int
    ) -> Outcome[list[Generated]]:
        """See ``Generator.generate``."""
        return await self._run(
            lambda: self._generator.generate(sources, min_tokens=min_tokens, max_tokens=max_tokens)
        )
