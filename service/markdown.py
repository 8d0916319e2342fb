"""A translated article as Markdown for people: bullets on top, Dutch and English side by side."""

import re
from collections.abc import Sequence

from service.api.schemas import ArticleAnswer, WarningAnswer

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~])")


def side_by_side(answer: ArticleAnswer) -> str:
    """Bullets with their sentence ids, then one table row per sentence, ids in the first column."""
    lines: list[str] = []
    if answer.title:
        lines += [f"# {_cell(answer.title)}", ""]
    for bullet in answer.summary.bullets if answer.summary else []:
        notes = f" ⚠ {_codes(bullet.warnings)}" if bullet.warnings else ""
        lines.append(f"- {_cell(bullet.text)} ({', '.join(bullet.sources)}){notes}")
    lines += ["", "| | Dutch | English |", "|---|---|---|"]
    for block in answer.translation.blocks or []:
        for sentence in block.sentences:
            notes = f" ⚠ {_codes(sentence.warnings)}" if sentence.warnings else ""
            lines.append(
                f"| {sentence.id} | {_cell(sentence.source)} | {_cell(sentence.target)}{notes} |"
            )
        lines.append("| | | |")
    if lines[-1] == "| | | |":
        lines.pop()
    if answer.warnings:
        lines += ["", f"Warnings: {_codes(answer.warnings)}"]
    return "\n".join(lines).strip()


def _codes(warnings: Sequence[WarningAnswer]) -> str:
    return ", ".join(warning.code for warning in warnings)


def _cell(text: str) -> str:
    """Text that Markdown takes literally, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
