"""Write the bill of materials of an installed Kortom, without what only its developers use.

    python deploy/sbom.py FILE

CycloneDX 1.6 JSON of every distribution that the dependencies and the extras of ``pyproject.toml``
lead to, with version and licence, in the environment that this runs in. Extras of which a part is
not installed are named on standard error.
"""

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from service import __version__

PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
DEVELOPMENT = "dev"


def runtime_requirements() -> dict[str, list[str]]:
    """The requirements of each extra of ``pyproject.toml``, and under ``""`` of the program."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    return {"": project["dependencies"]} | {
        name: requirements for name, requirements in extras.items() if name != DEVELOPMENT
    }


def closure(requirements: Iterable[str]) -> dict[str, Distribution]:
    """Every installed distribution that these requirements lead to, by its canonical name.

    Raises:
        PackageNotFoundError: one of them is not installed.
    """
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        requirement = waiting.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        found[name] = distribution(name)
        waiting += _needed(found[name], extras)
    return found


def _needed(wanting: Distribution, extras: frozenset[str]) -> Iterator[Requirement]:
    for requirement in map(Requirement, wanting.requires or ()):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras | {""}):
            yield requirement


def licence(of: Distribution) -> str:
    """What a distribution says of its licence: an SPDX expression, a name, or its classifiers."""
    says = of.metadata
    if stated := says.get("License-Expression") or says.get("License"):
        return " ".join(stated.split())[:100]
    classifiers = [text for text in says.get_all("Classifier", []) if text.startswith("License ::")]
    return ", ".join(text.rpartition(" :: ")[2] for text in classifiers)


def bill(runtime: dict[str, Distribution]) -> dict[str, Any]:
    """The CycloneDX document of these distributions."""
    command = [
        sys.executable, "-m", "cyclonedx_py", "environment", "--no-validate",
        "--output-reproducible", "--spec-version", "1.6", "--mc-type", "application",
        "--pyproject", str(PYPROJECT), sys.executable,
    ]  # fmt: skip
    made = subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - no input
    document: dict[str, Any] = json.loads(made.stdout)
    program = document["metadata"]["component"]
    program["version"] = __version__
    components = [c for c in document["components"] if canonicalize_name(c["name"]) in runtime]
    for component in components:
        named = {"license": {"name": licence(runtime[canonicalize_name(component["name"])])}}
        component.setdefault("licenses", [named])
    kept = {program["bom-ref"], *(component["bom-ref"] for component in components)}
    document["components"] = components
    document["dependencies"] = [
        entry | {"dependsOn": [ref for ref in entry.get("dependsOn", ()) if ref in kept]}
        for entry in document["dependencies"]
        if entry["ref"] in kept
    ]
    return document


def main() -> None:
    """Write the file and hold it against the schema of CycloneDX."""
    output = Path(sys.argv[1])
    runtime: dict[str, Distribution] = {}
    for extra, requirements in runtime_requirements().items():
        try:
            runtime |= closure(requirements)
        except PackageNotFoundError as error:
            if not extra:
                raise
            print(f"without kortom[{extra}]: {error.name} is not installed", file=sys.stderr)
    text = json.dumps(bill(runtime), indent=2) + "\n"
    if (wrong := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)) is not None:
        sys.exit(f"not valid CycloneDX: {wrong}")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text, encoding="utf-8")
    print(f"{output}: {len(runtime)} distributions")


if __name__ == "__main__":
    main()
