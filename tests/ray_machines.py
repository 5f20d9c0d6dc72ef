"""Ray clusters of several machines on this one, for tests; no other cluster is touched.

In a process of its own: what Ray leaves in its process stays out of the test's, and the end of the
process is the end of the cluster.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_OBJECT_STORE = 80 << 20


class Machines:
    """A cluster whose machines can be added and taken away.

    Args:
        temporary: a short path, for Ray's sockets.
    """

    def __init__(self, temporary: Path) -> None:
        (temporary / "ray").mkdir()
        # As on a cluster where the code is installed on every machine.
        path = os.pathsep.join(path for path in sys.path if path)
        told = {"PYTHONPATH": path, "RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
        with (temporary / "machines.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, __file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                # Where Ray also notes the address of its last cluster, for all to find.
                env={**os.environ, **told, "RAY_TMPDIR": str(temporary)},
            )

    def add(self, *, cpus: int, gpus: int = 0, **environment: str) -> str:
        """Start a machine, the head first; what the cluster calls it."""
        return self._ask("add", cpus=cpus, gpus=gpus, environment=environment)

    def kill(self, name: str) -> None:
        """Kill all of a machine's processes at once."""
        self._ask("kill", name=name)

    def take_back(self, name: str, *, within: float) -> None:
        """Tell the cluster that a machine will be taken back in so many seconds, and take it."""
        self._ask("take back", name=name, within=within)

    @property
    def address(self) -> str:
        """What `--address` takes."""
        return self._ask("address")

    def _ask(self, what: str, **options: object) -> str:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps([what, options]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the cluster's process ended: see machines.log"
        return json.loads(answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        try:
            self._process.wait(30)
        finally:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()


def serve() -> None:
    """Do as told on stdin until it ends."""
    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Ray prints
    from ray.cluster_utils import Cluster

    cluster: Any = Cluster()
    nodes = {}
    for line in sys.stdin:
        what, options = json.loads(line)
        answer = ""
        if what == "add":
            node = cluster.add_node(
                num_cpus=options["cpus"],
                num_gpus=options["gpus"],
                include_dashboard=False,
                object_store_memory=_OBJECT_STORE,
                env_vars=options["environment"] or None,
            )
            nodes[node.node_id] = node
            answer = node.node_id
        elif what == "kill":
            cluster.remove_node(nodes.pop(options["name"]), allow_graceful=False)
        elif what == "take back":
            _drain(cluster.address, options["name"], options["within"])
            time.sleep(options["within"])
            cluster.remove_node(nodes.pop(options["name"]), allow_graceful=True)
        elif what == "address":
            answer = cluster.address
        print(json.dumps(answer), file=told, flush=True)
    cluster.shutdown()


def _drain(address: str, name: str, within: float) -> None:
    from ray._raylet import GcsClient  # pyright: ignore[reportAttributeAccessIssue]
    from ray.core.generated import autoscaler_pb2

    reasons: Any = autoscaler_pb2
    GcsClient(address).drain_node(
        name,
        reasons.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION"),
        "taken back",
        int((time.time() + within) * 1000),
    )


if __name__ == "__main__":
    serve()
