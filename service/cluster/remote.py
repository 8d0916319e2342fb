"""Models in other processes: the protocols of the engines over handles of Ray Serve."""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from ray.exceptions import RayError
from ray.serve.exceptions import BackPressureError, RayServeException
from ray.serve.handle import DeploymentHandle

from service.cluster.replicas import SUMMARIZER, TRANSLATOR, Outcome
from service.errors import InferenceError, Overloaded, ServiceError
from service.loading import Loader
from service.models.card import ModelCard
from service.serving.metrics import Metrics
from service.serving.work import Timings, current_work
from service.settings import Settings
from service.summarization.generator import Generated, Generator
from service.summarization.tokenizer import BartTokenizer
from service.translation.tokenizer import SentencePieceTokenizer
from service.translation.translator import Translation, TranslationEngine, Translator

RETRY_SECONDS = 5
"""``Retry-After`` where no replica of a model runs: Ray is starting one."""


class RemoteModel:
    """A model's replicas, as a thread of a pipeline sees them.

    Args:
        handle: of the model's deployment.
        engine: what its replicas say they are.
        loop: the event loop on which calls to replicas are made.

    Attributes:
        dead: why no replica answers, or ``None``; kept up to date by the ingress.
    """

    def __init__(
        self, handle: DeploymentHandle, engine: str, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.deployment: str = handle.deployment_name
        self.engine = engine
        self.dead: str | None = None
        self._handle = handle
        self._loop = loop

    def ask(self, method: str, *arguments: Any) -> tuple[Any, Timings]:
        """What one of the replicas makes of a call; blocks until it is there.

        Args:
            method: of the deployment's class; gives an :class:`Outcome`.
            arguments: its arguments.

        Returns:
            What was made, and where its seconds went; the current work's have these added.

        Raises:
            InferenceError: the model failed, or the replica died during the call.
            Overloaded: no replica runs, or none takes more calls.
            ServiceError: what the current work's checkpoint raises; the call is then cancelled.
        """
        work = current_work()
        answered = threading.Event()
        future = asyncio.run_coroutine_threadsafe(self._ask(method, arguments), self._loop)
        future.add_done_callback(lambda _: answered.set())
        try:
            while not answered.is_set():
                if self.dead:
                    raise self._unavailable(self.dead)
                work.wait(answered)
        finally:
            future.cancel()  # does nothing to a call that has ended
        outcome = future.result()
        work.timings.queue += outcome.timings.queue
        work.timings.tokenization += outcome.timings.tokenization
        work.timings.inference += outcome.timings.inference
        if isinstance(outcome.made, ServiceError):
            raise outcome.made
        return outcome.made, outcome.timings

    async def _ask(self, method: str, arguments: Sequence[Any]) -> Outcome[Any]:
        response = getattr(self._handle, method).remote(*arguments)
        try:
            outcome: Outcome[Any] = await response
        except asyncio.CancelledError:
            response.cancel()
            raise
        except BackPressureError:
            raise self._unavailable(f"every replica of the {self.deployment} is busy") from None
        except (RayError, RayServeException):
            # Its message has addresses and a trace of another machine.
            raise InferenceError(
                f"a replica of the {self.deployment} ended during this request"
            ) from None
        return outcome

    @staticmethod
    def _unavailable(detail: str) -> Overloaded:
        return Overloaded(detail, code="unavailable", headers={"Retry-After": str(RETRY_SECONDS)})


class RemoteTranslator:
    """A ``Translator`` whose model runs elsewhere.

    Tokens are counted here: a tokenizer takes little memory, and counting takes microseconds where
    a call to a replica takes milliseconds.

    Args:
        model: the replicas.
        tokenizer: the model's.
        card: the model's.
        metrics: where waits in the replicas' queues are counted.
    """

    def __init__(
        self,
        model: RemoteModel,
        tokenizer: SentencePieceTokenizer,
        card: ModelCard,
        metrics: Metrics,
    ) -> None:
        self.engine = model.engine
        self._queue_wait = metrics.queue_wait.labels(model=card.name)
        self._tokenization = metrics.tokenization.labels(model=card.name)
        self._model = model
        self._tokenizer = tokenizer
        self._max_source_tokens = card.limits.max_source_tokens

    def fits(self, text: str) -> bool:
        """See ``Translator.fits``."""
        return len(self._tokenizer.encode([text])[0]) <= self._max_source_tokens

    def translate(self, sentences: Sequence[str], *, careful: bool = False) -> list[Translation]:
        """See ``Translator.translate`` and :meth:`RemoteModel.ask`."""
        if not sentences:
            return []
        made: list[Translation]
        made, timings = self._model.ask("translate", list(sentences), careful)
        self._queue_wait.observe(timings.queue)
        self._tokenization.observe(timings.tokenization)
        return made


class RemoteGenerator:
    """A ``Generator`` whose model runs elsewhere; see :class:`RemoteTranslator`."""

    def __init__(
        self, model: RemoteModel, tokenizer: BartTokenizer, card: ModelCard, metrics: Metrics
    ) -> None:
        self.engine = model.engine
        self.max_source_tokens = card.limits.max_source_tokens
        self._queue_wait = metrics.queue_wait.labels(model=card.name)
        self._model = model
        self._tokenizer = tokenizer

    def count_tokens(self, text: str) -> int:
        """See ``Generator.count_tokens``."""
        return len(self._tokenizer.encode(text))

    def generate(
        self, sources: Sequence[str], *, min_tokens: int, max_tokens: int
    ) -> list[Generated]:
        """See ``Generator.generate`` and :meth:`RemoteModel.ask`."""
        if not sources:
            return []
        made: list[Generated]
        made, timings = self._model.ask("generate", list(sources), min_tokens, max_tokens)
        self._queue_wait.observe(timings.queue)
        return made


class RemoteLoader(Loader):
    """Loads what an ingress has of the models: their tokenizers.

    Args:
        settings: see ``Loader``.
        metrics: see there.
        models: the replicas of each model, by the name of its deployment.
    """

    def __init__(
        self, settings: Settings, metrics: Metrics, models: Mapping[str, RemoteModel]
    ) -> None:
        super().__init__(settings, metrics)
        self.engines.extend(models.values())
        self._models = models

    def translator(self, card: ModelCard, engine: TranslationEngine | None = None) -> Translator:
        """See ``Loader.translator``; the model itself is not loaded."""
        if engine is not None:
            return super().translator(card, engine)
        tokenizer = SentencePieceTokenizer(self._store.path(card.name) / "hub", card.prefix)
        return RemoteTranslator(self._models[TRANSLATOR], tokenizer, card, self._metrics)

    def generator(self, card: ModelCard) -> Generator:
        """See ``Loader.generator``; the model itself is not loaded."""
        tokenizer = BartTokenizer(self._store.path(card.name) / "hub")
        return RemoteGenerator(self._models[SUMMARIZER], tokenizer, card, self._metrics)
