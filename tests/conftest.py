"""What holds for every test."""

from __future__ import annotations

import signal

# A shell that starts the tests in the background has its children ignore Ctrl-C, and theirs too: the tests that
# press it would wait for ever. With a handler of our own, child processes start with the default again.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
