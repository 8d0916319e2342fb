"""The ``kortom`` command."""

import argparse
import io
import os
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from service import __version__
from service.article.document import Format
from service.article.files import DOCUMENT_SUFFIXES, open_docx, read_document
from service.article.normalization import is_blank
from service.errors import InvalidRequest, ServiceError, one_line
from service.flags import PIPELINE_SETTINGS, add_settings, read_settings
from service.settings import ENVIRONMENT_PREFIX, Settings, without_password
from service.summarization.summarizer import SummaryOptions

if TYPE_CHECKING:
    from service.api.schemas import ArticleAnswer, WarningAnswer
    from service.article.files.docx_translation import DocxDocument
    from service.bulk.run import Worker
    from service.pipeline import ArticlePipeline
    from service.summarization.summarizer import Summarizer

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141
"""128 + SIGINT and 128 + SIGPIPE, as a shell reports them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code.

    0: done. 1: it can't be done, one line on standard error says why. 2: wrong usage.
    130: interrupted. 141: the reader of standard output has gone.
    """
    try:
        if sys.stdout is None:
            raise InvalidRequest("standard output is closed")
        if isinstance(sys.stdout, io.TextIOWrapper):
            # Articles and cards are UTF-8 whatever the locale says.
            sys.stdout.reconfigure(encoding="utf-8")
        options = _parser().parse_args(arguments)
        code: int = options.run(options)
        sys.stdout.flush()
        return code
    except ServiceError as error:
        print(f"kortom: {error.detail}", file=sys.stderr)
        return EXIT_FAILED
    except BrokenPipeError:
        _discard_output()
        return EXIT_BROKEN_PIPE
    except OSError as error:
        place = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        print(f"kortom: {place}{error.strerror or one_line(error)}", file=sys.stderr)
        _discard_output()
        return EXIT_FAILED
    except KeyboardInterrupt:
        print("kortom: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


def _discard_output() -> None:
    """Python flushes standard output once more at exit: give it somewhere to write."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    from service import mcp
    from service.bulk import commands as bulk_commands
    from service.evaluation import commands as evaluation_commands
    from service.evaluation.benchmark import commands as benchmark_commands
    from service.keys import commands as key_commands
    from service.models import commands as model_commands
    from service.storage import commands as database_commands

    parser = argparse.ArgumentParser(
        prog="kortom",
        description="Dutch articles in, English text and a short bullet summary out.",
    )
    parser.add_argument("--version", action="version", version=f"kortom {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    serve = subparsers.add_parser(
        "serve",
        help="answer over HTTP",
        description="Serve the REST API. Every flag has a variable of the same name: "
        "--max-body-bytes is KORTOM_MAX_BODY_BYTES; flags win.",
    )
    add_settings(serve, Settings.model_fields)
    serve.add_argument(
        "--print-config", action="store_true", help="print the settings in force and exit"
    )
    serve.set_defaults(run=_serve)

    translate = subparsers.add_parser(
        "translate",
        help="translate one article here and now",
        description="Translate a Dutch article without a server: the English text and its "
        "bullets, or --json as POST /v1/articles answers, or --markdown side by side. Documents "
        "(.docx, .odt, .epub, .pdf) come out as Markdown.",
    )
    translate.add_argument(
        "file",
        nargs="?",
        default="-",
        metavar="FILE",
        help="text, Markdown, HTML, .docx, .odt, .epub or .pdf; - for UTF-8 on standard input",
    )
    translate.add_argument(
        "--format",
        choices=("auto", *Format),
        default="auto",
        help="how text is written; auto: by the file's suffix",
    )
    translate.add_argument(
        "--output",
        type=Path,
        metavar="FILE.docx",
        help="of a .docx file, write the translation with its styles here, and print only bullets",
    )
    shape = translate.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="print the whole answer as JSON")
    shape.add_argument("--markdown", action="store_true", help="print Dutch and English in a table")
    translate.add_argument(
        "--bullets", type=int, choices=range(11), default=3, metavar="N", help="0 to 10; default 3"
    )
    add_settings(translate, PIPELINE_SETTINGS)
    translate.set_defaults(run=_translate)

    bulk_commands.add_parser(
        subparsers,
        load_worker=_load_worker,
        run_archive=_run_archive,
    )
    doctor = subparsers.add_parser(
        "doctor",
        help="say whether the server can do its work here",
        description="Look at models, database, disk, threads, memory, limits, keys and webhook "
        "with the settings of a server, which may run. One line each; exit code 1 when one FAILs.",
    )
    add_settings(doctor, Settings.model_fields)
    doctor.add_argument("--json", action="store_true", help="print the report as JSON")
    doctor.set_defaults(run=_doctor)

    mcp.add_parser(subparsers)
    model_commands.add_parser(subparsers)
    key_commands.add_parser(subparsers)
    database_commands.add_parser(subparsers)
    benchmark_commands.add_parser(subparsers)
    evaluation_commands.add_parser(
        subparsers,
        load_pipeline=_load_pipeline,
        load_summarizer=_load_summarizer,
    )
    return parser


def _serve(options: argparse.Namespace) -> int:
    # A server's log is read by machines unless somebody watches it.
    settings = read_settings(options, json_log=not (sys.stderr and sys.stderr.isatty()))
    if options.print_config:
        shown = settings.model_dump(mode="json")
        # The password alone is left out, so that one can see which database it is.
        shown["database_url"] = without_password(settings.database_url.get_secret_value())
        for name, value in shown.items():
            print(f"{ENVIRONMENT_PREFIX}{name.upper()}={'' if value is None else value}")
        return EXIT_OK
    if settings.engine == "ray":
        from service.cluster.server import serve
    else:
        from service.app import serve

    serve(settings)
    return EXIT_OK


def _doctor(options: argparse.Namespace) -> int:
    # Imported here: SQLAlchemy costs the other commands a part of a second.
    from service import doctor

    return doctor.run(read_settings(options), as_json=options.json)


def _load_pipeline(options: argparse.Namespace) -> "ArticlePipeline":
    from service.loading import load_pipeline

    return load_pipeline(read_settings(options)).pipeline


def _run_archive(source: Path, output: Path, settings: Settings) -> int:
    from service.cluster.archive import run

    return run(source, output, settings)


@contextmanager
def _load_worker(settings: Settings) -> "Iterator[Worker]":
    from service.api.articles import Articles
    from service.bulk.run import Worker
    from service.loading import load_pipeline
    from service.serving.health import Health

    with closing(load_pipeline(settings)) as loaded:
        articles = Articles(loaded.pipeline, loaded.models)
        yield Worker(articles.translate, Health(loaded.engines).dead)


def _load_summarizer(options: argparse.Namespace) -> "Summarizer":
    from service.loading import load_summarizer

    return load_summarizer(read_settings(options))


def _translate(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from service.api import answers
    from service.loading import load_pipeline
    from service.markdown import side_by_side
    from service.serving.work import Work, working_on

    settings = read_settings(options)
    if options.format != "auto" and Path(options.file).suffix.lower() in DOCUMENT_SUFFIXES:
        raise InvalidRequest(f"{options.file}: --format is for text, not for documents")
    document = _docx(options.file, options.output) if options.output else None
    text, format_ = (document.html, Format.HTML) if document else _article(options)
    if is_blank(text):
        raise InvalidRequest("the article holds no visible text", code="text_empty")
    work = Work()
    with (
        closing(load_pipeline(settings)) as loaded,
        working_on(work),
        tqdm(unit="sentence", leave=False, delay=2, disable=None) as bar,
    ):
        start = time.perf_counter()

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        article = loaded.pipeline.translate_article(
            text,
            format=format_,
            main_text=document is None,
            summary=SummaryOptions(options.bullets) if options.bullets else None,
            checkpoint=show,
        )
    if document:
        _write(options.output, document.render(article.body.target.text))
    answer = answers.article(
        article,
        request_id=uuid.uuid4().hex,
        models=loaded.models,
        alignment=True,
        timings=work.timings,
        total_seconds=time.perf_counter() - start,
    )
    if options.json:
        print(answer.model_dump_json(indent=2))
    elif options.markdown:
        print(side_by_side(answer))
    else:
        for line in _warnings(answer):
            print(f"warning: {line}", file=sys.stderr)
        if document is None:
            print(answer.translation.text.strip())
        for bullet in answer.summary.bullets if answer.summary else []:
            print(f"\n* {bullet.text} [{', '.join(bullet.sources)}]", end="")
        print()
    return EXIT_OK


def _warnings(answer: "ArticleAnswer") -> Iterator[str]:
    """The warnings of an answer: of all of it, of sentences by their ids, of bullets by number."""
    yield from (_line(warning) for warning in answer.warnings)
    for block in answer.translation.blocks or []:
        for sentence in block.sentences:
            yield from (f"{sentence.id}: {_line(warning)}" for warning in sentence.warnings)
    for number, bullet in enumerate(answer.summary.bullets if answer.summary else [], start=1):
        yield from (f"bullet {number}: {_line(warning)}" for warning in bullet.warnings)


def _line(warning: "WarningAnswer") -> str:
    return f"{warning.code} ({warning.evidence})" if warning.evidence else warning.code


def _article(options: argparse.Namespace) -> tuple[str, Format]:
    """The text of the file or of standard input, and how it is written."""
    data = _read(options.file)
    format_ = Format.TEXT
    if options.file != "-":
        text, format_ = read_document(options.file, data)
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InvalidRequest(f"-: not UTF-8 at byte {error.start}") from None
    return text, format_ if options.format == "auto" else Format(options.format)


def _docx(name: str, output: Path) -> "DocxDocument":
    """The .docx file to write again as ``output``; refuses what can't be written in the end."""
    if Path(name).suffix.lower() != ".docx" or output.suffix.lower() != ".docx":
        raise InvalidRequest("--output writes a .docx file from a .docx file, nothing else")
    if output.exists() and Path(name).exists() and output.samefile(name):
        raise InvalidRequest(f"{output}: this is the file to translate")
    if output.is_dir():
        raise InvalidRequest(f"{output}: this is a directory")
    if not output.parent.is_dir():
        raise InvalidRequest(f"{output.parent}: no such directory")
    return open_docx(name, _read(name))


def _read(name: str) -> bytes:
    """The bytes of a file, or of standard input for ``-``."""
    if name == "-" and sys.stdin is None:
        raise InvalidRequest("standard input is closed")
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise InvalidRequest(f"{name}: {error.strerror}") from None


def _write(path: Path, data: bytes) -> None:
    """Write a whole file or none."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        raise InvalidRequest(f"{path}: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
