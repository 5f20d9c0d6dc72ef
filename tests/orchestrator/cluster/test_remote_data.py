"""Data in a bucket: the same keys and the same pixels as on a disk, and clear errors."""

import hashlib
import io
import json
import os
import shutil
import tarfile

import numpy as np
import pytest
import yaml
from s3_server import s3_server
from small_sweep import small

from apollo_core.design import UniformSampling
from apollo_core.errors import BadInput, DataMissing, DecodeFailed
from apollo_core.media.check_media import check
from apollo_core.media.decoding import Decoder
from apollo_core.media.manifest import read_manifest
from apollo_core.media.remote_media import forget_mirrors, medium_version, read_medium
from apollo_core.microworld.spec import WorldSpec
from apollo_core.microworld.world import generate
from orchestrator.plan.graph import build_plan
from orchestrator.plan.plan import Plan
from orchestrator.remote_data import bring_manifests
from orchestrator.spec.sweep_file import load_sweep

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Files as anybody's own: a small generated world."""
    folder = tmp_path_factory.mktemp("world")
    spec = WorldSpec(
        train_videos=2, bench_videos=1, images=2, multi_images=0, texts=2, corpus=4, max_seconds=4
    )
    generate(spec, folder)
    return folder


@pytest.fixture(scope="module")
def server(world):
    with s3_server() as found:
        files = found.files()
        files.mkdir("media")
        files.put(f"{world}/", "media/of/the/lab/", recursive=True)
        yield found


@pytest.fixture(autouse=True)
def scratch(tmp_path, monkeypatch):
    monkeypatch.setenv("APOLLO_SCRATCH", str(tmp_path / "scratch"))
    forget_mirrors()
    yield tmp_path / "scratch"
    forget_mirrors()


@pytest.fixture
def lab(world, tmp_path):
    """A folder named by a URL, to change things in."""
    shutil.copytree(world, tmp_path / "lab")
    return tmp_path / "lab"


def sweep_on(root, folder):
    content = small({"data/microworld": None})
    content["data"] = {"root": str(root), **content["data"]}
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return load_sweep(path)


def brought(root, folder):
    sweep = sweep_on(root, folder)
    return sweep, bring_manifests(sweep, folder / "store")


def a_video(world):
    """The first that the captions are of."""
    return json.loads((world / "captions.jsonl").read_text().splitlines()[0])["video"]


def test_data_in_a_bucket_have_the_keys_that_they_have_on_a_disk(
    world, server, tmp_path, monkeypatch
):
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    here = build_plan(sweep_on(world, tmp_path), store=tmp_path / "store")
    sweep = sweep_on("s3://media/of/the/lab", tmp_path)
    assert build_plan(sweep, store=tmp_path / "store").provisional
    mirror = bring_manifests(sweep, tmp_path / "store")
    there = build_plan(sweep, store=tmp_path / "store")
    assert not there.provisional
    assert list(there.stages) == list(here.stages)
    assert mirror
    report = check(mirror / "captions.jsonl", mirror)
    assert (report.usable, report.bad) == (report.videos, ())
    assert not (tmp_path / "scratch").exists()  # to list is not to fetch
    name = a_video(world)
    sampling = UniformSampling(mode="uniform", frames=4, frames_per_clip=4)
    with Decoder() as decoder:
        one, other = (
            read_medium(root, name, lambda file: decoder.read_clips(file, sampling, size=32))
            for root in (world, mirror)
        )
    assert np.array_equal(one.pixels, other.pixels)


def test_a_manifest_that_has_not_changed_is_not_fetched_again(lab, tmp_path):
    _, mirror = brought(lab.as_uri(), tmp_path)
    assert mirror
    before = (mirror / "captions.jsonl").stat().st_ino
    assert brought(lab.as_uri(), tmp_path)[1] == mirror
    assert (mirror / "captions.jsonl").stat().st_ino == before
    path = lab / "captions.jsonl"
    path.write_text(path.read_text() + "\n")
    brought(lab.as_uri(), tmp_path)
    assert (mirror / "captions.jsonl").read_text() == path.read_text()


def test_a_medium_that_is_not_there_is_named_before_anything_runs(lab, tmp_path):
    name = a_video(lab)
    (lab / name).unlink()
    sweep, mirror = brought(lab.as_uri(), tmp_path)
    assert build_plan(sweep, store=tmp_path / "store").provisional
    assert mirror
    assert check(mirror / "captions.jsonl", mirror).missing == (name,)


def test_a_medium_that_was_cut_off_or_changed_is_refused_and_named_as_in_the_manifest(
    lab, tmp_path, scratch
):
    name = a_video(lab)
    whole = (lab / name).read_bytes()
    (lab / "SHA256SUMS").write_text(f"{hashlib.sha256(whole).hexdigest()}  ./{name}\n")
    _, mirror = brought(lab.as_uri(), tmp_path)
    assert mirror
    assert read_medium(mirror, name, lambda file: file.read_bytes()) == whole
    shutil.rmtree(scratch)
    (lab / name).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(DecodeFailed, match="SHA256SUMS") as raised:
        read_medium(mirror, name, lambda file: file.read_bytes())
    assert raised.value.path == mirror / name
    (lab / name).write_bytes(whole[:100])
    with pytest.raises(DecodeFailed, match="came as 100 bytes"):
        read_medium(mirror, name, lambda file: file.read_bytes())
    assert not [path for path in scratch.rglob("*.mp4*") if path.is_file()]


def test_a_medium_outside_of_the_folder_is_not_fetched(lab, tmp_path):
    (tmp_path / "secret").write_text("x")
    _, mirror = brought(lab.as_uri(), tmp_path)
    assert mirror
    sizes = json.loads((mirror / "sizes.json").read_text())
    (mirror / "sizes.json").write_text(json.dumps({**sizes, "../secret": 1}))
    forget_mirrors()
    with pytest.raises(DecodeFailed, match="outside"):
        read_medium(mirror, "../secret", lambda file: file.read_bytes())


def test_a_features_name_knows_a_remote_medium_by_its_size(lab, tmp_path):
    _, mirror = brought(lab.as_uri(), tmp_path)
    assert mirror
    name = a_video(lab)
    assert medium_version(mirror, name) == ((lab / name).stat().st_size, 0)


@pytest.mark.parametrize("root", ["s3://no-such-bucket-here/x", "nope://x"])
def test_a_root_that_cannot_be_reached_is_one_error(root, server, tmp_path, monkeypatch):
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    with pytest.raises(BadInput) as raised:
        brought(root, tmp_path)
    assert root.rstrip("x/")[:10] in str(raised.value)


def test_an_absent_manifest_is_named(lab, tmp_path):
    (lab / "captions.jsonl").unlink()
    with pytest.raises(DataMissing, match=r"no manifest 'captions.jsonl'"):
        brought(lab.as_uri(), tmp_path)


def test_a_credential_in_the_file_is_refused_without_being_repeated(tmp_path):
    with pytest.raises(BadInput, match="spells out a credential") as raised:
        sweep_on("https://me:pa55word@host/data", tmp_path)
    assert "pa55word" not in str(raised.value)


def test_a_credential_in_the_environment_stays_there(lab, tmp_path, monkeypatch):
    monkeypatch.setenv("LAB", f"{lab.as_uri()}")
    _sweep, mirror = brought("${LAB}", tmp_path)
    assert mirror
    assert json.loads((mirror / "remote.json").read_text()) == {"url": "${LAB}"}
    assert os.environ["LAB"] not in (mirror / "seen.json").read_text()


def test_shards_stay_in_the_bucket_and_are_the_data_that_they_are_on_a_disk(lab, tmp_path, scratch):
    picture = next((lab / "images").glob("*.*")).read_bytes()
    asked = [{"from": "human", "value": "<image>?"}, {"from": "gpt", "value": "7"}]
    (lab / "shards").mkdir()
    for number in range(2):
        with tarfile.open(lab / "shards" / f"{number}.tar", "w") as tar:
            record = json.dumps({"id": f"v{number}", "conversations": asked}).encode()
            for name, raw in (("a.png", picture), ("a.json", record)):
                info = tarfile.TarInfo(name)
                info.size = len(raw)
                tar.addfile(info, io.BytesIO(raw))

    def plans(root: object, manifest: str) -> Plan:
        content = small({"data/microworld": None, "data/root": str(root)})
        content["data"]["sets"]["images"] = {"manifest": manifest, "modality": "image"}
        path = tmp_path / "sweep.yaml"
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        sweep = load_sweep(path)
        bring_manifests(sweep, tmp_path / "store")
        return build_plan(sweep, store=tmp_path / "store")

    for manifest in ("shards", "shards/*.tar", "shards/{0..1}.tar"):
        here, there = plans(lab, manifest), plans(lab.as_uri(), manifest)
        assert not there.provisional
        assert list(here.stages) == list(there.stages)
        mirror = there.media_root
        assert not list((mirror / "shards").glob("*.tar"))
        read = read_manifest(mirror / manifest, mirror)
        assert [sample.id for sample in read] == ["v0", "v1"]
        name = read[1].media[0].path
        assert read_medium(mirror, name, lambda file: file.read_bytes()) == picture
