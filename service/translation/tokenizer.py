"""Sentences to Marian's tokens and back, with sentencepiece alone."""

import json
from collections.abc import Sequence
from pathlib import Path

import sentencepiece

END = "</s>"
UNKNOWN = "<unk>"
PADDING = "<pad>"


class SentencePieceTokenizer:
    """The two sentencepiece models and the joint vocabulary of a Marian checkpoint.

    Same tokens as ``transformers.MarianTokenizer`` gives, without its regular expressions: text of
    the user is never read as a control token, whatever it says.

    Args:
        directory: holds ``source.spm``, ``target.spm`` and ``vocab.json`` (token to id).
        prefix: tokens put before every sentence, for example ``[">>eng<<"]``.
    """

    def __init__(self, directory: Path, prefix: Sequence[str] = ()) -> None:
        # One thread: more of them, and the OpenMP runtime that the library brings along, would get
        # in the engine's way, and cost five times the time of a batch of sentences.
        self._source, self._target = (
            sentencepiece.SentencePieceProcessor(model_file=str(directory / name), num_threads=1)
            for name in ("source.spm", "target.spm")
        )
        self._prefix = list(prefix)
        self.vocabulary: dict[str, int] = json.loads(
            (directory / "vocab.json").read_text(encoding="utf-8")
        )

    def encode(self, sentences: Sequence[str]) -> list[list[str]]:
        """Tokens of each sentence: prefix, pieces, ``</s>`` (which CTranslate2 does not add)."""
        pieces: list[list[str]] = self._source.encode(list(sentences), out_type=str)
        return [[*self._prefix, *sentence, END] for sentence in pieces]

    def decode(self, tokens: Sequence[str]) -> str:
        """Text of target tokens (without ``</s>``)."""
        text: str = self._target.decode(list(tokens))
        return text.strip()

    def target_pieces(self) -> set[str]:
        """The pieces that the model was trained to emit: those of the target side, and ``</s>``."""
        size = self._target.get_piece_size()
        pieces = {self._target.id_to_piece(index) for index in range(size)}
        return (pieces & self.vocabulary.keys()) - {UNKNOWN, "<s>"} | {END}
