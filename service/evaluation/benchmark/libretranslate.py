"""LibreTranslate's own server on the benchmark's weights, packed as an Argos package.

LibreTranslate is AGPL and no part of this project: an interpreter that has it and spaCy installed
is named on the command line. Written for libretranslate 1.9.6 and argos-translate-lt 1.12.1.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from service.evaluation.benchmark.server import Server, serve
from service.machine import usable_cores

_UNREACHABLE = "http://127.0.0.1:9/"
"""In place of the index of packages on the internet: refused at once."""


@contextmanager
def serve_libretranslate(python: Path, model: Path, home: Path, beams: int) -> Iterator[Server]:
    """The server, ready; it keeps all it writes in ``home``.

    Beams, weights and arithmetic are the service's; batches in parallel are as many as cores, with
    a thread each. Everything else is as delivered, except that sentences are split by spaCy's rules
    in place of MiniSBD's network, which would be downloaded: that is less work, not more.

    Args:
        python: the interpreter.
        model: the translation model.
        home: a directory of its own; emptied first.
        beams: beam size.

    Raises:
        StartupError: it did not become ready.
    """
    shutil.rmtree(home, ignore_errors=True)
    package = home / "packages" / "translate-nl_en"
    write_package(model, package)
    # "spacy" in its path has argostranslate load it from the package.
    program = "import spacy, sys; spacy.blank('nl').to_disk(sys.argv[1])"
    subprocess.run(  # noqa: S603 - the user named it
        [python, "-c", program, package / "spacy"], check=True
    )
    # argostranslate downloads a model that it does not use unless it finds this file.
    (home / "argos-translate" / "spacy" / "senter").mkdir(parents=True)
    (home / "argos-translate" / "spacy" / "senter" / "model").touch()
    environment = {
        "XDG_DATA_HOME": str(home),
        "XDG_CACHE_HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "ARGOS_PACKAGES_DIR": str(home / "packages"),
        "ARGOS_PACKAGE_INDEX": _UNREACHABLE,
        "ARGOS_CHUNK_TYPE": "SPACY",
        "ARGOS_BEAM_SIZE": str(beams),
        "ARGOS_INTER_THREADS": str(usable_cores()),
        "ARGOS_INTRA_THREADS": "1",
    }
    command = [str(python), "-c", "from libretranslate import main; main()"]
    with serve(command, ready_path="/health", environment=environment, directory=home) as server:
        yield server


def write_package(model: Path, package: Path) -> None:
    """Write an Argos package of an installed translation model, unpacked as Argos installs it.

    Args:
        model: holds ``hub/`` and ``ctranslate2/``.
        package: where to write.
    """
    shutil.copytree(model / "ctranslate2", package / "model")
    config = package / "model" / "config.json"
    # Marian's sources end in </s>, which Argos does not add.
    config.write_text(json.dumps(json.loads(config.read_text()) | {"add_source_eos": True}))
    (package / "sentencepiece.model").write_bytes(_joint_pieces(model / "hub"))
    (package / "metadata.json").write_text(
        json.dumps(
            {
                "package_version": "1.0",
                "argos_version": "1.0",
                "from_code": "nl",
                "from_name": "Dutch",
                "to_code": "en",
                "to_name": "English",
            }
        )
    )


def _joint_pieces(hub: Path) -> bytes:
    """One sentencepiece model for both sides: the source's, which the target's pieces follow."""
    from sentencepiece import sentencepiece_model_pb2

    message: Any = sentencepiece_model_pb2
    source = message.ModelProto.FromString((hub / "source.spm").read_bytes())
    target = message.ModelProto.FromString((hub / "target.spm").read_bytes())
    known = {piece.piece for piece in source.pieces}
    for piece in target.pieces:
        if piece.piece not in known:
            # Never chosen for a source.
            source.pieces.add(piece=piece.piece, score=-1000.0)
    source.trainer_spec.vocab_size = len(source.pieces)
    serialized: bytes = source.SerializeToString()
    return serialized
