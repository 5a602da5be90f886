"""An app of the virtual iPhone that listens on a port of the phone and answers with what it got, for trying TCP.

python -m harness.virtual_iphone.listener_app PORT
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from harness.virtual_iphone.ports import app_socket

_PIECE_BYTES = 65536


def main() -> None:
    """Serve one client after another until the phone ends the app."""
    place = app_socket(Path(os.environ["VIRTUAL_IPHONE_PORTS"]), int(sys.argv[1]))
    place.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen()
        print(f"listening on port {sys.argv[1]}", flush=True)
        while True:
            client, _ = listener.accept()
            with client:
                while data := client.recv(_PIECE_BYTES):
                    client.sendall(data)


if __name__ == "__main__":
    main()
