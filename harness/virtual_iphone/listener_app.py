"""An app of the virtual iPhone that listens on a port of the phone and answers with what it got, for trying TCP.

python -m harness.virtual_iphone.listener_app PORT
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from harness.virtual_iphone.ports import announce_app_port

_PIECE_BYTES = 65536


def main() -> None:
    """Serve one client after another until the phone ends the app."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ports = Path(os.environ["VIRTUAL_IPHONE_PORTS"])
        announce_app_port(ports, int(sys.argv[1]), listener.getsockname()[1])
        print(f"listening on port {sys.argv[1]}", flush=True)
        while True:
            client, _ = listener.accept()
            with client:
                while data := client.recv(_PIECE_BYTES):
                    client.sendall(data)


if __name__ == "__main__":
    main()
