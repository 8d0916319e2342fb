"""CTranslate2 called directly from Python, in a process of its own.

``python -m service.evaluation.benchmark.direct MODEL_DIRECTORY BEAMS INTER_THREADS INTRA_THREADS``
reads a JSON list of sentences a line and answers with the seconds that it took and the target
tokens that it made, as a JSON list.
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

MAX_BATCH_SENTENCES = 32
"""In one batch: larger ones are no faster."""


class Direct:
    """The process, as a context manager; threads take turns.

    Args:
        directory: the translation model.
        beams: beam size.
        inter_threads: batches in parallel.
        intra_threads: threads inside a batch.
    """

    def __init__(
        self, directory: Path, beams: int, *, inter_threads: int, intra_threads: int
    ) -> None:
        arguments = map(str, (directory, beams, inter_threads, intra_threads))
        self._process = subprocess.Popen(  # noqa: S603 - our own
            [sys.executable, "-m", "service.evaluation.benchmark.direct", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid

    def translate(self, sentences: Sequence[str]) -> tuple[float, int]:
        """Seconds that one call with these sentences takes, tokenizer included; target tokens."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise TypeError("no pipes")
        stdin.write(json.dumps(list(sentences)) + "\n")
        stdin.flush()
        seconds, tokens = json.loads(stdout.readline())
        return seconds, tokens

    def __enter__(self) -> "Direct":
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.communicate(timeout=60)  # closes its input, which ends it


def _main() -> None:
    import ctranslate2

    import service.translation.ct2  # noqa: F401 - chooses the arithmetic that the service uses
    from service.translation.tokenizer import SentencePieceTokenizer

    directory, beams, inter_threads, intra_threads = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    tokenizer = SentencePieceTokenizer(directory / "hub")
    translator = ctranslate2.Translator(
        str(directory / "ctranslate2"),
        device="cpu",
        compute_type="int8",
        inter_threads=inter_threads,
        intra_threads=intra_threads,
    )
    for line in sys.stdin:
        sentences = json.loads(line)
        start = time.perf_counter()
        results = translator.translate_batch(
            tokenizer.encode(sentences),
            beam_size=beams,
            # Every worker has some, and as much as does it good.
            max_batch_size=min(MAX_BATCH_SENTENCES, -(-len(sentences) // inter_threads)),
            use_vmap=True,
        )
        for result in results:
            tokenizer.decode(result.hypotheses[0])
        seconds = time.perf_counter() - start
        tokens = sum(len(result.hypotheses[0]) for result in results)
        print(json.dumps([seconds, tokens]), flush=True)


if __name__ == "__main__":
    _main()
