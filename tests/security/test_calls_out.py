"""A program that works calls nobody: no hub, no other host, whatever the environment says."""

import os
import socket
import subprocess
import sys
from contextlib import closing

CODE = """
import socket, sys
connect = socket.socket.connect
def watched(self, address):
    print("connects to", address)
    return connect(self, address)
socket.socket.connect = watched
def look_up(host, *args, **options):
    print("looks up", host)
    raise OSError("no network here")
socket.getaddrinfo = look_up
from service.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_translation_asks_no_hub_and_no_other_host() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as hub:
        hub.setblocking(False)
        address = f"http://127.0.0.1:{hub.getsockname()[1]}"
        environment = {name: text for name, text in os.environ.items() if name[:3] != "HF_"}
        done = subprocess.run(
            [sys.executable, "-c", CODE, "translate", "--profile", "demo", "-"],
            input="Slag op Tripoli\n\nDe aansluiting is het eerste jaar gratis.",
            env=environment | {"HF_ENDPOINT": address},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        assert done.stdout.startswith("Battle for Tripoli\n")
        assert "connects to" not in done.stdout
        assert "looks up" not in done.stdout
        try:
            hub.accept()
        except BlockingIOError:
            return
        raise AssertionError("the hub was asked")
