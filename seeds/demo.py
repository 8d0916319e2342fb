"""Serve the demo profile on a free port, POST an article to it, and print what comes back.

python seeds/demo.py [FILE]
"""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

SEEDS = Path(__file__).parent
KORTOM = os.path.relpath(Path(sys.executable).with_name("kortom"))


def main() -> int:
    """Run the demo; returns the exit code."""
    article = Path(sys.argv[1]) if len(sys.argv) > 1 else SEEDS / "sample-article.nl.txt"
    body = json.dumps({"text": article.read_text(encoding="utf-8")}).encode()
    arguments = ["serve", "--profile", "demo", "--port", "0", "--log-level", "error"]
    command = [sys.executable, "-m", "service.cli", *arguments]
    print(f"$ {KORTOM} {' '.join(arguments)}", flush=True)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            announcement = server.stdout.readline() if server.stdout else ""
            if not announcement.startswith("ready on "):
                return server.wait() or 1
            url = announcement.removeprefix("ready on ").strip()
            print(
                f"$ curl {url}/v1/articles -H 'Content-Type: application/json' "
                f"-d '{{\"text\": <{article.name}>}}'\n"
            )
            request = urllib.request.Request(
                f"{url}/v1/articles", body, {"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(request, timeout=60) as response:
                show(json.load(response))
        finally:
            server.terminate()
    return 0


def show(answer: dict) -> None:
    """Print the translation, the bullets with their receipts, and the warnings."""
    print(answer["translation"]["text"].strip(), "\n")
    for bullet in answer["summary"]["bullets"]:
        print(f"  * {bullet['text']} [{', '.join(bullet['sources'])}]")
    model = answer["models"]["translation"]
    warnings = [warning["code"] for warning in answer["warnings"]]
    print(
        f"\n{answer['usage']['sentences']} sentences by {model['card']} ({model['engine']}) in "
        f"{answer['timing_ms']['total']} ms; warnings: {', '.join(warnings) or 'none'}"
    )
    if "demo_model" in warnings:
        print(
            "The demo model knows only the articles in seeds/. For real articles:\n"
            f"  {KORTOM} models pull opus-mt-nl-en && {KORTOM} serve --profile light"
        )


if __name__ == "__main__":
    sys.exit(main())
