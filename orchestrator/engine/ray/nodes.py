"""Each machine of a cluster, asked before work is handed out: can it do it, and does it see us?

A node that does not see the driver's store would finish stages that nobody ever finds. So the
driver writes a token into the store, and a task on every node reads it and writes an answer beside.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from apollo_core.errors import BadInput
from apollo_core.media.video_file import PACKAGES, DecoderName
from orchestrator.engine.places_needed import Place

# What a stage cannot run without; an image that lacks one would fail every stage on that node.
NEEDED = ("torch", "transformers", "safetensors", "decord2", "av")
_COMPARED = ("torch", "transformers")
_WAIT = 120.0
_LOOKS = 20
_PAUSE = 0.25


@dataclass(frozen=True)
class NodeReport:
    """What a task on a node found.

    Attributes:
        name: host and address.
        problems: why stages cannot run there, each with what to do.
        differs: packages whose version is not the driver's: `torch 2.7 (here 2.8)`.
        code: digest of our packages as the node's workers import them.
        skew: seconds that its clock is ahead of the driver's.
    """

    name: str
    problems: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    code: str = ""
    skew: float = 0.0
    gpus: float = 0.0
    free: dict[str, int] = field(default_factory=dict[str, int])


def require_nodes(
    store: Path, decoders: tuple[DecoderName, ...] = (), places: tuple[Place, ...] = ()
) -> list[NodeReport]:
    """Ask every node of the connected cluster that can run stages.

    Args:
        store: the store's folder, which must be one and the same everywhere.
        decoders: that videos are to be read by.
        places: what stages read outside the store.

    Raises:
        BadInput: naming each node that cannot, why, and what to do.
    """
    found = ask_nodes(store, decoders, places)
    problems = [f"node {node.name}: {problem}" for node in found for problem in node.problems]
    if problems:
        raise BadInput("\n".join(problems))
    return found


def require_store(store: str) -> None:
    """Raise `OSError` on a node that came later and does not see the store: it was not asked.

    A folder made there now would take results that nobody ever finds.
    """
    if not (Path(store) / "stages").is_dir():
        raise OSError(
            errno.ESTALE,
            f"node {socket.gethostname()} does not see the store {store}; mount it there, or take "
            "the node out of the cluster",
        )


def ask_nodes(
    store: Path, decoders: tuple[DecoderName, ...] = (), places: tuple[Place, ...] = ()
) -> list[NodeReport]:
    """What each node says that can run stages; those that join later are not asked."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    nodes = [node for node in ray.nodes() if node["Alive"] and _runs_stages(node["Resources"])]
    folder = store / f".nodes-{secrets.token_hex(6)}"
    folder.mkdir(parents=True)
    token = secrets.token_hex(16)
    (folder / "token").write_text(token)
    ask = ray.remote(num_cpus=0, max_retries=0)(_look)
    here = _versions()
    try:
        asked = {
            ask.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ).remote(str(folder), token, node["NodeID"], here, decoders, places): node
            for node in nodes
        }
        return [_answer(reference, node, folder) for reference, node in asked.items()]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _runs_stages(resources: dict[str, float]) -> bool:
    # A head that is given no processor, as clusters' guides advise, only directs.
    return resources.get("CPU", 0.0) > 0 or resources.get("GPU", 0.0) > 0


def _answer(reference: Any, node: dict[str, Any], folder: Path) -> NodeReport:
    import ray
    from ray.exceptions import GetTimeoutError, RayError, RayTaskError

    from orchestrator.engine.ray.shipping import code_digest

    name = f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
    try:
        said: dict[str, Any] = ray.get(reference, timeout=_WAIT)
    except GetTimeoutError:
        return NodeReport(name, (f"did not answer within {_WAIT:.0f} s; see its Ray logs",))
    except RayTaskError as error:
        return NodeReport(name, (f"cannot run our code: {_first_line(error.cause)}",))
    except RayError as error:
        return NodeReport(name, (f"cannot run a task: {_first_line(error)}",))
    problems = list(_problems(said, folder, node["NodeID"]))
    if said["code"] != code_digest():
        problems.append(
            "has another version of apollo-sweeps installed than runs here; leave out --no-ship, "
            "or install the same one in the cluster's image"
        )
    return NodeReport(
        name,
        tuple(problems),
        tuple(said["differs"]),
        code=said["code"],
        skew=said["time"] - time.time(),
        gpus=node["Resources"].get("GPU", 0.0),
        free=said["free"],
    )


def _problems(said: dict[str, Any], folder: Path, node: str) -> Iterator[str]:
    store = folder.parent
    if not said["sees"]:
        yield (
            f"does not see the store {store} of {socket.gethostname()}; put the store on a "
            "filesystem that all nodes mount at the same place, and name it with --store"
        )
    elif said["unwritable"]:
        yield f"cannot write to the store {store} ({said['unwritable']}); mend its mount there"
    elif not _arrives(folder / node):
        yield (
            f"writes to the store {store} do not arrive here within {_LOOKS * _PAUSE:.0f} s; use a "
            "filesystem that shows other hosts' files at once (NFS: mount with `actimeo=1`)"
        )
    for what, path in said["unseen"]:
        yield (
            f"does not see the {what} {path} of {socket.gethostname()}; mount it there at the same "
            "place"
        )
    if said["missing"]:
        missing = ", ".join(said["missing"])
        yield f"lacks {missing}; put apollo-sweeps[sweep] into the cluster's image"
    for decoder in said["unread"]:
        module, package = PACKAGES[decoder]
        yield (
            f"lacks {module}, which `data.decoder` asks for; put {package} into the cluster's image"
        )


def _arrives(answer: Path) -> bool:
    for _ in range(_LOOKS):
        # A listing makes NFS look again; a lookup may be answered from its cache.
        if answer.name in os.listdir(answer.parent):  # noqa: PTH208 - names are all that is wanted
            return True
        time.sleep(_PAUSE)
    return False


def _look(
    folder: str,
    token: str,
    node: str,
    driver: dict[str, str],
    decoders: tuple[DecoderName, ...],
    places: tuple[Place, ...],
) -> dict[str, Any]:
    """Runs on the node: what is there."""
    from orchestrator.engine.decoders_needed import lack_of
    from orchestrator.engine.places_needed import unseen
    from orchestrator.engine.ray.shipping import code_digest

    versions = _versions()
    sees, unwritable = _sees(Path(folder), token), ""
    if sees:
        try:
            (Path(folder) / node).write_text(token)
        except OSError as error:
            unwritable = error.strerror or str(error)
    return {
        "sees": sees,
        "unwritable": unwritable,
        "unseen": unseen(places),
        "missing": [name for name in NEEDED if name not in versions],
        "unread": [decoder for decoder in decoders if lack_of(decoder)],
        "differs": [
            f"{name} {versions[name]} (here {driver[name]})"
            for name in _COMPARED
            if name in versions and name in driver and versions[name] != driver[name]
        ],
        "code": code_digest(),
        "time": time.time(),
        "free": {place: shutil.disk_usage(place).free for place in ("/dev/shm", "/tmp")},
    }


def _sees(folder: Path, token: str) -> bool:
    for _ in range(_LOOKS):
        try:
            return (folder / "token").read_text() == token
        except FileNotFoundError:
            if not folder.parent.is_dir():
                return False
            time.sleep(_PAUSE)
        except OSError:
            return False
    return False


def _versions() -> dict[str, str]:
    found: dict[str, str] = {}
    for name in NEEDED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _first_line(error: BaseException | None) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1].strip()
