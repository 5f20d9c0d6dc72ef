"""Signals that mean "stop": each gets the clean stop of Ctrl-C."""

from __future__ import annotations

import signal


def stop_cleanly() -> None:
    """From now on SIGTERM and the end of the terminal raise `KeyboardInterrupt`, as Ctrl-C does."""
    # A scheduler wants its machine back.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # A terminal is closed, unless the command was told to outlive it (nohup).
    if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:
        signal.signal(signal.SIGHUP, signal.default_int_handler)
