"""A real browser without a window, told what to do over its own pipe: Debian's `chromium`."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

_WAIT = 90.0
_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # tests may run as root, in a container
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--remote-debugging-pipe",
)


class Browser:
    """One page. Commands are those of the Chrome DevTools Protocol.

    Args:
        folder: of its profile.
        width, height: of the page in pixels.
    """

    def __init__(self, folder: Path, *, width: int = 1600, height: int = 1000) -> None:
        chromium = CHROMIUM or "chromium"
        ours, theirs = os.pipe(), os.pipe()  # what it reads, what it writes
        command = [chromium, *_FLAGS, f"--user-data-dir={folder}", "about:blank"]
        self._process = subprocess.Popen(
            # It expects its pipe at descriptors 3 and 4.
            ["bash", "-c", f'exec 3<&{ours[0]} 4>&{theirs[1]}; exec "$@"', "bash", *command],
            pass_fds=(ours[0], theirs[1]),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(ours[0])
        os.close(theirs[1])
        self._to, self._from = ours[1], theirs[0]
        self._rest = b""
        self._count = 0
        self._session: dict[str, str] = {}
        target = self.tell("Target.createTarget", url="about:blank")["targetId"]
        found = self.tell("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": found["sessionId"]}
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.tell("Emulation.setDeviceMetricsOverride", **size)
        self.tell("Page.enable")

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._to)
        os.close(self._from)

    def tell(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Give one command and return its result; events in between are passed over."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters, **self._session}
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            found = self._next()
            if found.get("id") == self._count:
                assert "error" not in found, found
                return found["result"]

    def open(self, address: str) -> None:
        """Go to a page."""
        self.tell("Page.navigate", url=address)

    def value(self, script: str) -> Any:
        """What a JavaScript expression is on the page."""
        told = self.tell("Runtime.evaluate", expression=script, returnByValue=True)
        return told["result"].get("value")

    def wait(self, script: str, *, seconds: float = _WAIT) -> None:
        """Ask until the expression is true."""
        end = time.monotonic() + seconds
        while not self.value(f"Boolean({script})"):
            if time.monotonic() > end:
                raise TimeoutError(f"not within {seconds} s: {script}\n{self.text()[:2000]}")
            time.sleep(0.2)

    def text(self) -> str:
        """All that can be read on the page."""
        return self.value("document.body.innerText") or ""

    def screenshot(self, path: Path) -> None:
        """Keep what the page looks like, as PNG."""
        path.write_bytes(base64.b64decode(self.tell("Page.captureScreenshot")["data"]))

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            piece = os.read(self._from, 1 << 16)
            assert piece, "the browser has ended"
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)
