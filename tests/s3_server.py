"""A real S3 server on loopback (moto's), with buckets of a test's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import requests

SECRET = "s3cret/of+the+tests+0123456789abcdefghijk"
KEY_ID = "AKIATESTSTESTSTESTS0"


@dataclass(frozen=True)
class S3Server:
    """Where it listens, and its files as fsspec sees them."""

    endpoint: str

    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to reach it."""
        return {
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/nonexistent",
            "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        }

    def files(self):
        """The whole server, by s3fs."""
        import s3fs

        return s3fs.S3FileSystem(
            key=KEY_ID,
            secret=SECRET,
            endpoint_url=self.endpoint,
            use_listings_cache=False,
            skip_instance_cache=True,
        )

    @contextmanager
    def checking_credentials(self) -> Iterator[None]:
        """Refuse keys that it has not given out, which are all of them, meanwhile."""
        self._reset_auth("0")
        try:
            yield
        finally:
            self._reset_auth("inf")

    def _reset_auth(self, count: str) -> None:
        answer = requests.post(f"{self.endpoint}/moto-api/reset-auth", data=count, timeout=10)
        answer.raise_for_status()


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """A server for the time of the block."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield S3Server(f"http://{host}:{port}")
    finally:
        server.stop()
