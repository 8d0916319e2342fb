"""A plain FastAPI endpoint over transformers, as a tutorial writes it: what the service is held to.

``python -m service.evaluation.benchmark.plain MODEL_DIRECTORY BEAMS --host HOST --port PORT``.
``POST /one-at-a-time`` and ``POST /batched`` take ``{"sentences": [...]}``: already split, which a
caller of the service need not do. Only the second gives the model a request's sentences together.
"""

import argparse
import threading
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from service.machine import usable_cores


class _Request(BaseModel):
    sentences: list[str]


class _Answer(BaseModel):
    translations: list[str]
    target_tokens: int


def _main() -> None:
    import torch
    import transformers
    import uvicorn
    from fastapi import FastAPI

    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("beams", type=int)
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    options = parser.parse_args()
    hub = options.directory / "hub"
    tokenizer: Any = transformers.MarianTokenizer.from_pretrained(hub)
    model: Any = transformers.MarianMTModel.from_pretrained(hub, dtype=torch.float32)
    torch.set_num_threads(usable_cores())
    # Requests that generate at the same time on all cores each slow one another down.
    turn = threading.Lock()
    app = FastAPI()

    def generate(sentences: list[str]) -> tuple[list[str], int]:
        inputs = tokenizer(sentences, return_tensors="pt", padding=True)
        with turn, torch.inference_mode():
            output = model.generate(**inputs, num_beams=options.beams)
        made = output[:, 1:]  # after the start token; </s> is not counted
        tokens = int(((made != model.config.pad_token_id) & (made != 0)).sum())
        return tokenizer.batch_decode(output, skip_special_tokens=True), tokens

    @app.get("/readyz")
    def ready() -> None: ...

    @app.post("/one-at-a-time")
    def one_at_a_time(request: _Request) -> _Answer:
        made = [generate([sentence]) for sentence in request.sentences]
        return _Answer(
            translations=[text for texts, _ in made for text in texts],
            target_tokens=sum(tokens for _, tokens in made),
        )

    @app.post("/batched")
    def batched(request: _Request) -> _Answer:
        translations, tokens = generate(request.sentences)
        return _Answer(translations=translations, target_tokens=tokens)

    uvicorn.run(app, host=options.host, port=options.port, log_level="warning")


if __name__ == "__main__":
    _main()
