"""The page as files over HTTP: its rules, and what a browser may keep of it."""

import re
from pathlib import Path

import pytest

WEB = Path(__file__).parents[2] / "service" / "web"
PATHS = ["/", *(f"/page/{path.name}" for path in WEB.iterdir() if path.name != "index.html")]


@pytest.mark.parametrize("path", PATHS)
def test_a_file_is_fetched_again_only_when_it_has_changed(server, path) -> None:
    answer = server.get(path)
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-cache"
    tag = answer.headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = server.get(path, **{"If-None-Match": known})
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    assert server.get(path, **{"If-None-Match": '"other"'}).body == answer.body


@pytest.mark.parametrize("path", PATHS)
def test_every_file_forbids_what_the_page_does_not_need(server, path) -> None:
    headers = server.get(path).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    for name, sources in policy.items():
        assert not re.search(r"unsafe|\*|http|data:|blob:", sources), name
    assert policy["require-trusted-types-for"] == "'script'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "geolocation=()" in headers["permissions-policy"]


def test_the_page_has_nothing_inline_and_names_no_other_place(server) -> None:
    page = server.get("/").body.decode()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|javascript:", page)
    for path in PATHS:
        content = server.get(path).body.decode()
        addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+", content))
        assert addresses <= {"http://www.w3.org"}, path  # the name of SVG, which nobody fetches


def test_no_script_makes_markup_of_text() -> None:
    for path in WEB.glob("*.js"):
        script = path.read_text(encoding="utf-8")
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script
        )
        storage = r"localStorage|indexedDB|document\.cookie|caches\."
        if path.name != "key.js":
            storage += "|sessionStorage"
        assert not re.search(storage, script)


def test_head_and_unknown_files(server) -> None:
    head = server.send(server.request("HEAD", "/"))
    assert head.status == 200
    assert server.get("/page/other.js").status == 404
    assert server.get("/page/../page.py").status == 404
    assert server.post("/", {}).status == 405
