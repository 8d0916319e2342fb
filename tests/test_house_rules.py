"""The rules of the house: who imports whom, what stays light, and docs that hold to the code."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from service import __version__, errors
from service.article.warnings import WarningCode
from service.settings import ENVIRONMENT_PREFIX, Settings

ROOT = Path(__file__).parents[1]
API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
SETTINGS = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")

BASE = {"errors", "settings", "machine"}
TEXT = {"article"}
WORK = {"translation", "summarization", "models"}
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "settings": {"errors"},
    "machine": set(),
    "logs": set(),
    "flags": {"settings", "logs"},
    "tracing": set(),
    "article": BASE,
    "translation": BASE | TEXT,
    "summarization": BASE | TEXT | {"translation"},
    "pipeline": BASE | TEXT | {"translation", "summarization", "tracing"},
    "serving": BASE | TEXT | {"translation", "summarization", "tracing"},
    "keys": BASE | {"storage", "flags"},
    "api": BASE
    | TEXT
    | {"translation", "summarization", "pipeline", "serving", "logs", "tracing"}
    | {"jobs", "keys", "storage"},
    "markdown": BASE | {"api"},
    "app": BASE
    | TEXT
    | WORK
    | {"pipeline", "serving", "api", "tracing", "jobs", "keys", "loading", "storage"},
    "loading": BASE | TEXT | WORK | {"pipeline", "serving", "api"},
    "cluster": BASE
    | TEXT
    | WORK
    | {"pipeline", "serving", "api", "bulk", "app", "loading", "logs"},
    "cli": BASE
    | TEXT
    | {"models", "summarization", "evaluation", "pipeline", "serving", "api", "markdown", "app"}
    | {"bulk", "cluster", "doctor", "flags", "loading", "keys", "mcp", "storage"},
    "doctor": BASE | {"models", "storage", "keys", "jobs", "translation"},
    "bulk": BASE | TEXT | {"serving", "api", "flags", "logs"},
    "storage": BASE | {"flags"},
    "jobs": BASE | {"logs", "tracing", "storage", "serving"},
    "client": set(),
    "mcp": {"errors", "client"},
    "models": BASE | TEXT | {"flags"},
    "evaluation": BASE | TEXT | WORK | {"pipeline", "flags"},
}
HEAVY = {"torch", "transformers", "ctranslate2", "ray"}


def imports(path: Path) -> set[str]:
    """Rooms of ``service`` that a module imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("service"):
            parts = node.module.split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
            found |= {name.split(".")[1] for name in names if name.startswith("service.")}
    return found - {"__version__"}


@pytest.mark.parametrize(
    "path",
    [p for p in sorted((ROOT / "service").rglob("*.py")) if p.name != "__init__.py"],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_imports_go_one_way(path: Path) -> None:
    room = path.relative_to(ROOT / "service").parts[0].removesuffix(".py")
    assert imports(path) - {room} <= MAY_IMPORT[room]


def test_importing_the_app_loads_no_heavy_library() -> None:
    code = "import service.app, service.cli, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented(name: str) -> None:
    field = Settings.model_fields[name]
    row = (
        rf"^\| `{ENVIRONMENT_PREFIX}{name.upper()}` \| (.+) \| {re.escape(str(field.description))}"
    )
    documented = re.search(row, SETTINGS, re.MULTILINE)
    assert documented
    if name not in ("beam_size", "models_dir", "database_url"):  # whose defaults are words
        default = str(field.default).lower() if isinstance(field.default, bool) else field.default
        assert documented[1] == (f"`{default}`" if default not in (None, ()) else "–")


@pytest.mark.parametrize("code", WarningCode)
def test_every_warning_is_documented(code: WarningCode) -> None:
    assert f"| `{code}` | {code.severity} | " in API


def error_codes() -> set[str]:
    """Codes of all errors that a request can meet, those given where they are raised included."""
    codes = {
        cls.default_code
        for cls in vars(errors).values()
        if isinstance(cls, type)
        and issubclass(cls, errors.ServiceError)
        and not issubclass(cls, errors.StartupError)
    }
    for path in (ROOT / "service" / "api").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        codes |= set(re.findall(r'\bcode="([a-z_]+)"', text))
        codes |= set(re.findall(r'PydanticCustomError\(\s*"([a-z_]+)"', text))
    return codes


@pytest.mark.parametrize("code", sorted(error_codes()))
def test_every_error_code_is_documented(code: str) -> None:
    assert f"`{code}`" in API


def test_every_error_is_in_the_drawn_tree() -> None:
    for name, cls in vars(errors).items():
        if isinstance(cls, type) and issubclass(cls, errors.ServiceError):
            assert name in (errors.__doc__ or "")
            assert cls.__doc__


def headings(page: Path) -> set[str]:
    """What links to parts of a page may name, as code hosts make it of its headings."""
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    found = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize(
    "page",
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("seeds/*.md")],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not link.startswith("https://"):
            path, _, part = link.partition("#")
            target = page.parent / path if path else page
            assert target.exists(), link
            assert not part or part in headings(target), link


def test_the_changelog_has_an_unreleased_head_and_knows_the_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first = re.search(r"^## \[(.+?)\]", changelog, re.MULTILINE)
    assert first is not None
    assert first.group(1) == "Unreleased"
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)


@pytest.mark.parametrize(
    "target",
    [
        "demo",
        "run",
        "test",
        "lint",
        "bench",
        "demo-model",
        "openapi",
        "sbom",
        "test-cluster",
        "clean",
    ],
)
def test_make_knows_the_target(target: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:", makefile, re.MULTILINE)
