"""The interface description says what the service does."""

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from service import errors, pipeline
from service.api import body, problems, routes, schemas, submissions
from service.errors import ServiceError, StartupError

if TYPE_CHECKING:
    from loopback import Client

COMMITTED = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"
PROBLEM = "application/problem+json"
NOWHERE = {"client_gone", "not_found", "method_not_allowed"}
"""Codes that no documented operation answers with."""
ERRORS = {"400", "401", "408", "413", "415", "422", "429", "500", "503", "504", "507"}


@pytest.fixture(scope="module")
def document(server: "Client") -> Any:
    reply = server.get("/openapi.json")
    assert reply.status == 200
    return reply.json()


@pytest.fixture(scope="module")
def operations(document: Any) -> dict[tuple[str, str], Any]:
    return {
        (method, path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def resolve(document: Any, schema: Any) -> Any:
    if "$ref" in schema:
        return document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def test_the_page_for_people(server: "Client") -> None:
    reply = server.get("/docs")
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/html")
    assert b"openapi.json" in reply.body


def test_the_page_fetches_nothing_from_elsewhere(server: "Client") -> None:
    page = server.get("/docs").body.decode()
    assert "//" not in re.sub(r"<!--.*?-->|/\*.*?\*/", "", page, flags=re.DOTALL)
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(addresses) == 3
    for address in addresses:
        assert server.get(f"/{address}").status == 200


def test_all_routes_are_there(operations: dict[tuple[str, str], Any]) -> None:
    assert set(operations) >= {
        ("post", "/v1/articles"),
        ("post", "/v1/translate"),
        ("post", "/v1/summarize"),
        ("get", "/v1/models"),
        ("get", "/v1/limits"),
        ("get", "/version"),
        ("get", "/livez"),
        ("get", "/readyz"),
    }
    identifiers = [operation["operationId"] for operation in operations.values()]
    assert len(set(identifiers)) == len(identifiers)


def test_every_route_says_what_it_is_for(operations: dict[tuple[str, str], Any]) -> None:
    for operation in operations.values():
        assert operation["summary"]
        assert operation["description"]
        assert operation["tags"]


def test_every_error_is_documented_as_a_problem(
    document: Any, operations: dict[tuple[str, str], Any]
) -> None:
    for (method, _), operation in operations.items():
        errors = {
            status: response
            for status, response in operation["responses"].items()
            if not status.startswith("2")
        }
        assert set(errors) >= (ERRORS if method == "post" else set())
        for response in errors.values():
            assert response["description"]
            assert list(response["content"]) == [PROBLEM]
            schema = resolve(document, response["content"][PROBLEM]["schema"])
            assert list(schema["properties"]) == [
                "type",
                "title",
                "status",
                "detail",
                "code",
                "instance",
                "errors",
            ]


def test_a_real_error_has_the_documented_fields(server: "Client", document: Any) -> None:
    schemas = document["components"]["schemas"]
    problem = server.post("/v1/articles", {"text": "", "tekst": 1}).json()
    assert set(problem) == set(schemas["Problem"]["properties"])
    assert set(problem["errors"][0]) == set(schemas["FieldError"]["properties"])


def test_every_field_is_described(document: Any) -> None:
    bare = [
        f"{name}.{field}"
        for name, schema in document["components"]["schemas"].items()
        for field, described in schema.get("properties", {}).items()
        if not (described | resolve(document, described)).get("description")
    ]
    assert bare == []


def test_examples_are_accepted(
    server: "Client", document: Any, operations: dict[tuple[str, str], Any]
) -> None:
    """What the page shows can be sent as it is, and the answer holds no undocumented field."""
    for (method, path), operation in operations.items():
        if method != "post":
            continue
        request = operation["requestBody"]["content"].get("application/json")
        if request is None:  # a file
            continue
        examples = resolve(document, request["schema"])["examples"]
        assert examples
        for example in examples:
            reply = server.post(path, example)
            assert str(reply.status) == success(operation)
            check_fields(document, operation, reply.json())


def test_answers_hold_no_undocumented_field(
    server: "Client", document: Any, operations: dict[tuple[str, str], Any]
) -> None:
    for (method, path), operation in operations.items():
        if method == "get" and "{" not in path:
            check_fields(document, operation, server.get(path).json())


def test_the_committed_description_is_this_one(document: Any) -> None:
    """``make openapi`` writes it."""
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if "WRITE_OPENAPI" in os.environ:
        COMMITTED.write_text(text, encoding="utf-8")
    assert COMMITTED.read_text(encoding="utf-8") == text


def test_every_answer_has_an_example_that_could_be_one(
    document: Any, operations: dict[tuple[str, str], Any]
) -> None:
    for operation in operations.values():
        content = operation["responses"][success(operation)]["content"]
        if "application/json" not in content:
            continue
        reference = content["application/json"]["schema"]
        (example,) = resolve(document, reference)["examples"]
        model = getattr(schemas, reference["$ref"].rpartition("/")[2])
        assert model.model_validate(example, strict=False).model_dump(mode="json") == example
        check(document, reference, example)


def test_the_example_of_an_article_points_at_its_sentences(document: Any) -> None:
    (example,) = document["components"]["schemas"]["ArticleAnswer"]["examples"]
    for block in example["translation"]["blocks"]:
        for sentence in block["sentences"]:
            html = example["page"]["html"]
            assert html[sentence["start"] : sentence["end"]] == sentence["source"]
            for term in sentence["terms"]:
                assert sentence["target"][term["start"] : term["end"]] == "House of Representatives"


def test_every_error_code_is_shown_where_it_can_happen(
    operations: dict[tuple[str, str], Any],
) -> None:
    shown = set()
    for operation in operations.values():
        for status, response in operation["responses"].items():
            if status.startswith("2"):
                continue
            for code, example in response["content"][PROBLEM]["examples"].items():
                shown.add(code)
                problem = example["value"]
                assert schemas.Problem.model_validate(problem).model_dump(exclude_none=True)
                assert (problem["status"], problem["code"]) == (int(status), code)
    known = {
        cls.default_code
        for cls in vars(errors).values()
        if isinstance(cls, type)
        and issubclass(cls, ServiceError)
        and not issubclass(cls, StartupError)
    }
    for module in (body, problems, routes, submissions, pipeline, schemas.requests):
        text = Path(str(module.__file__)).read_text(encoding="utf-8")
        known |= set(re.findall(r'(?:\bcode=|PydanticCustomError\(\s*)"([a-z_]+)"', text))
    assert shown >= known - NOWHERE


def test_an_integer_may_be_written_with_a_point(server: "Client") -> None:
    """To JSON Schema, which describes the fields, 60000.0 and 6e4 are integers."""
    for number in (b"60000.0", b"6e4"):
        body = b'{"texts": ["Dag."], "deadline_ms": %s}' % number
        assert server.send(server.request("POST", "/v1/translate", body)).status == 200


def test_callers_learn_when_to_come_back(operations: dict[tuple[str, str], Any]) -> None:
    for operation in operations.values():
        for status in operation["responses"].keys() & {"429", "503"}:
            assert "Retry-After" in operation["responses"][status]["headers"]


def success(operation: Any) -> str:
    """The status of an operation that was done."""
    (status,) = (status for status in operation["responses"] if status.startswith("2"))
    return str(status)


def check_fields(document: Any, operation: Any, answer: Any) -> None:
    content = operation["responses"][success(operation)]["content"]
    check(document, content["application/json"]["schema"], answer)


def check(document: Any, schema: Any, value: Any) -> None:
    schema = resolve(document, schema)
    for choice in schema.get("anyOf", []):
        if choice.get("type") != "null":
            schema = resolve(document, choice)
    if isinstance(value, dict):
        assert set(value) == set(schema["properties"])
        for name, item in value.items():
            check(document, schema["properties"][name], item)
    elif isinstance(value, list):
        for item in value:
            check(document, schema["items"], item)
