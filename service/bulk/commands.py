"""``kortom bulk``."""

import argparse
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from service.flags import PIPELINE_SETTINGS, add_settings, read_settings
from service.settings import Settings

if TYPE_CHECKING:
    from service.bulk.run import Worker

_DESCRIPTION = """\
Translate every article of a file or a folder without a server, however many there are.
The output has a row of JSON for each article, in the order of the input:
{"id": …, "article": {…} | null, "error": {…} | null}"""
_EXIT_CODES = """\
exit codes:
  0    every article is translated
  1    it can't be done; one line says why, and what is done stays
  3    every article has its row, and some rows are errors
  130  interrupted; what is done stays, go on with --resume"""


def add_parser(
    subparsers: Any,
    *,
    load_worker: Callable[[Settings], "AbstractContextManager[Worker]"],
    run_archive: Callable[[Path, Path, Settings], int],
) -> None:
    """Add ``bulk`` to the subcommands of ``kortom``.

    Args:
        subparsers: of the ``kortom`` command.
        load_worker: the pipeline that the settings ask for.
        run_archive: does the same in Ray, from a folder to a folder; gives the exit code.
    """
    parser = subparsers.add_parser(
        "bulk",
        help="translate a file or a folder of articles here and now",
        description=_DESCRIPTION,
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "input",
        type=Path,
        metavar="IN.jsonl|DIR",
        help="an article a line, as POST /v1/articles takes it, with or without an id; or a folder "
        "of .txt, .md, .html, .docx, .odt, .epub and .pdf files; with --engine ray a folder of "
        ".jsonl and .parquet files",
    )
    parser.add_argument(
        "output",
        type=Path,
        metavar="OUT.jsonl",
        help="where the rows go; with --engine ray a folder of part files and their manifest",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on behind the rows that are there; --engine ray always does",
    )
    add_settings(parser, (*PIPELINE_SETTINGS, "max_body_bytes"))

    def run(options: argparse.Namespace) -> int:
        settings = read_settings(options)
        if settings.engine == "ray":
            return run_archive(options.input, options.output, settings)
        from service.bulk.run import run

        return run(
            options.input,
            options.output,
            resume=options.resume,
            max_bytes=settings.max_body_bytes,
            load=lambda: load_worker(settings),
        )

    parser.set_defaults(run=run)
