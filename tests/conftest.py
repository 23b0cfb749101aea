"""What all tests share."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Ctrl-C is not ignored, as it would be where tests were started in the background: some tests send it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
