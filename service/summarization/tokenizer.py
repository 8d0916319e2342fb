"""English text to BART's tokens and back, with the tokenizers library alone."""

import json
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel

START = "<s>"
END = "</s>"
UNKNOWN = "<unk>"
PADDING = "<pad>"
CONTROL = (START, END, UNKNOWN, PADDING, "<mask>")
"""Tokens that stand for no text."""


class BartTokenizer:
    """The byte-level BPE of a BART checkpoint.

    Same tokens as ``transformers.BartTokenizer`` gives for the text with a space before it, but
    text of the user is never read as a control token, whatever it says. The space is the ``prefix``
    in ``config.json`` of sshleifer/distilbart-cnn-12-6, which the summarization pipeline of
    transformers used to add; it makes a word at the start the same token as anywhere else.

    Args:
        directory: holds ``vocab.json`` (token to id), ``merges.txt`` and ``config.json``.

    Attributes:
        vocabulary: id of every token that the model knows.
        never_written: the control tokens among them but ``</s>``: no part of any text.
    """

    def __init__(self, directory: Path) -> None:
        tokens = json.loads((directory / "vocab.json").read_text(encoding="utf-8"))
        config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
        # vocab.json of both checkpoints has one token more than the model, <mask>.
        self.vocabulary: dict[str, int] = {
            token: index for token, index in tokens.items() if index < config["vocab_size"]
        }
        self.never_written = [
            token for token in CONTROL if token != END and token in self.vocabulary
        ]
        self._tokenizer = Tokenizer(
            BPE.from_file(
                str(directory / "vocab.json"), str(directory / "merges.txt"), unk_token=UNKNOWN
            )
        )
        self._tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
        self._decoder = ByteLevelDecoder()

    def encode(self, text: str) -> list[str]:
        """``<s>``, the pieces of ``text``, ``</s>`` (neither of which CTranslate2 adds)."""
        readable = f" {text}".encode(errors="replace").decode()  # lone surrogates can't be encoded
        return [START, *self._tokenizer.encode(readable, add_special_tokens=False).tokens, END]

    def decode(self, tokens: Sequence[str]) -> str:
        """Text of tokens, without those of :data:`CONTROL`."""
        pieces = [token for token in tokens if token not in CONTROL]
        text: str = self._decoder.decode(pieces)
        return text.strip()
