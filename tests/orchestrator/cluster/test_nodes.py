"""A running cluster of two nodes: our code goes there, and each node is asked first."""

import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from tiny_stages import tiny_task

from apollo_core.errors import BadInput
from orchestrator.engine.places_needed import places_of_tasks, require_places
from orchestrator.engine.ray.nodes import ask_nodes, require_nodes, require_store
from orchestrator.engine.ray.shipping import code_digest, runtime_environment
from orchestrator.engine.worker import run_task
from orchestrator.store import failures, retries
from orchestrator.store.store import Store

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]


@pytest.fixture(scope="module")
def two_nodes(tmp_path_factory):
    """A driver connected to a cluster that was there before, with our code shipped to it."""
    import ray
    from ray.cluster_utils import Cluster

    ray.shutdown()
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    try:
        cluster.add_node(num_cpus=1)
        cluster.add_node(num_cpus=1)
        ray.init(
            address=cluster.address,
            log_to_driver=False,
            runtime_env=runtime_environment(tmp_path_factory.mktemp("sent"), ship=True),
        )
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


def test_workers_import_the_code_that_was_sent_and_not_what_is_installed(two_nodes):
    import ray

    @ray.remote
    def where():
        import apollo_core
        import orchestrator.engine.ray.shipping as shipping

        return apollo_core.__file__, shipping.code_digest()

    place, digest = ray.get(where.remote())
    assert "working_dir_files" in place
    assert digest == code_digest()


def test_nodes_that_see_the_store_pass_and_nothing_is_left_in_it(two_nodes, tmp_path):
    found = require_nodes(tmp_path)
    assert len(found) == 2  # a head without processors runs no stages and is not asked
    assert all(abs(node.skew) < 5 and not node.differs for node in found)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(find_spec("torchcodec") is not None, reason="it is installed here")
def test_a_node_that_lacks_the_decoder_is_named(two_nodes, tmp_path):
    assert all(not node.problems for node in ask_nodes(tmp_path, ("pyav",)))
    with pytest.raises(BadInput, match=r"node .* lacks torchcodec, .* apollo-sweeps\[torchcodec\]"):
        require_nodes(tmp_path, ("torchcodec",))


def test_a_node_that_does_not_see_the_store_is_named(two_nodes, tmp_path, monkeypatch):
    from orchestrator.engine.ray import nodes

    # Both nodes share this machine's files: that the driver alone has another is made by hand.
    write = Path.write_text

    def elsewhere(path, text):
        write(path, text)
        shutil.move(path.parent, tmp_path / "only-the-driver-sees-this")

    monkeypatch.setattr(nodes, "_LOOKS", 1)
    monkeypatch.setattr(Path, "write_text", elsewhere)
    with pytest.raises(BadInput, match=r"node .*: does not see the store .*--store") as raised:
        require_nodes(tmp_path / "store")
    assert len(str(raised.value).splitlines()) == 2


def test_a_node_that_does_not_see_media_or_weights_is_named(two_nodes, tmp_path):
    data, weights, store = tmp_path / "data", tmp_path / "llm", tmp_path / "store"
    for folder in (data, weights):
        folder.mkdir()
    (data / "captions.jsonl").write_text("")
    places = places_of_tasks([reading(tmp_path, data / "captions.jsonl", weights)], store)
    assert all(not node.problems for node in ask_nodes(store, (), places))

    for folder in (data, weights):
        folder.rename(tmp_path / f"{folder.name} is not mounted")
    with pytest.raises(BadInput) as raised:
        require_nodes(store, (), places)
    said = str(raised.value).splitlines()
    assert len(said) == 4, "of a folder that is not there its files are not named as well"
    for what in (f"media folder {data}", f"weights {weights}"):
        assert sum(f"does not see the {what} of " in line for line in said) == 2


def reading(folder, manifest, weights):
    """A stage that reads a manifest and weights, and a world that lies in the store."""
    world = str(folder / "store" / "worlds" / "bench.jsonl")
    places = {"manifest:1": str(manifest), "local:2": str(weights), "world:3": world}
    task = tiny_task(folder / "store", "a")
    return task.model_copy(update={"locations": places, "media_root": str(manifest.parent)})


def test_a_machine_without_a_stages_files_is_at_fault_and_not_the_stage(tmp_path, monkeypatch):
    monkeypatch.setattr(retries, "SERVER_PAUSES", (0.0,))
    data, store = tmp_path / "data", Store(tmp_path / "store")
    store.prepare()
    task = reading(tmp_path, data / "captions.jsonl", tmp_path)
    places = dict(task.locations), task.media_root
    with pytest.raises(OSError, match=f"does not see the media folder {data}; mount it") as raised:
        require_places(*places)
    assert failures.class_of(raised.value) == "infra"
    outcome = run_task(task)
    assert (outcome.status, outcome.failure_class) == ("failed", "infra")
    assert [row.then for row in store.failures(task.key)] == ["again"] * 3 + ["next run"]

    data.mkdir()  # a mount point without its mount
    with pytest.raises(OSError, match=r"does not see the manifest .*captions.jsonl; mount it"):
        require_places(*places)
    (data / "captions.jsonl").write_text("")
    require_places(*places)


def test_a_node_that_came_later_and_does_not_see_the_store_takes_no_stage(tmp_path):
    (tmp_path / "stages").mkdir()
    require_store(str(tmp_path))
    with pytest.raises(OSError, match="does not see the store") as raised:
        require_store(str(tmp_path / "not-mounted"))
    assert failures.class_of(raised.value) == "infra"


def test_a_node_with_other_code_is_told_from_one_with_ours(two_nodes, tmp_path, monkeypatch):
    from orchestrator.engine.ray import shipping

    monkeypatch.setattr(shipping, "code_digest", lambda: "of another version")
    found = ask_nodes(tmp_path)
    assert all("leave out --no-ship" in node.problems[0] for node in found)


def test_nothing_of_the_environment_is_sent(monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    sent = runtime_environment(tmp_path, ship=True)
    assert set(sent) == {"working_dir"}
    assert sorted(path.name for path in Path(sent["working_dir"]).iterdir()) == [
        "apollo_core",
        "orchestrator",
    ]
    assert not list(tmp_path.rglob("__pycache__"))
    assert runtime_environment(tmp_path, ship=False) == {}
