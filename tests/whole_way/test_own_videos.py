"""A sweep on data of one's own: a real video, conversations and questions about it."""

import json
import shutil
from pathlib import Path

import av
import pytest
from apollo_command import SWEEP

NASA = Path(__file__).parent.parent / "data" / "nasa_13013.mp4"
ONLY = ("--only", "base@xs#0", "--only", "base@s#0")  # two scales: a report compares them
DAMAGED = ("gone.mp4", "empty.mp4", "truncated.mp4", "audio_only.mp4")
WORLD = SWEEP[SWEEP.index("  microworld:") : SWEEP.index("  sets:")]


def conversation(number, asked, answer, **media):
    turns = [{"from": "human", "value": asked}, {"from": "gpt", "value": answer}]
    return {"id": f"s{number}", **media, "conversations": turns}


def about(video, number=0):
    return conversation(number, "<video>\nwhich shape moves?", "circle", video=video)


@pytest.fixture
def root(tmp_path):
    """A folder of media with a manifest for each of the sweep's data sets."""
    folder = tmp_path / "data"
    folder.mkdir()
    shutil.copy(NASA, folder / "nasa.mp4")
    with av.open(str(NASA)) as container:
        next(container.decode(video=0)).to_image().save(folder / "still.png")
    picture = conversation(1, "<image>\nwhich colour is shown?", "blue", image="still.png")
    words = [conversation(n, f"what is {n} plus 1?", str(n + 1)) for n in range(6)]
    item = {
        "id": "q1",
        "video": "nasa.mp4",
        "question": "which shape moves?",
        "options": ["circle", "square", "triangle"],
        "answer": "A",
        "category": "perception",
    }
    write(folder / "captions.jsonl", [about("nasa.mp4")])
    write(folder / "sft_video.jsonl", [about("nasa.mp4", number) for number in range(9)])
    write(folder / "sft_image.jsonl", [picture])
    write(folder / "image_captions.jsonl", [picture])
    write(folder / "sft_text.jsonl", words)
    write(folder / "corpus.jsonl", words)
    write(folder / "bench.jsonl", [item, {**item, "id": "q2", "category": "spatial"}])
    return folder


@pytest.fixture
def damaged(root):
    """The same folder with four unusable videos, each in a line of its own, among 24 good ones."""
    (root / "empty.mp4").write_bytes(b"")
    (root / "truncated.mp4").write_bytes(NASA.read_bytes()[: NASA.stat().st_size // 2])
    with av.open(str(NASA)) as source, av.open(str(root / "audio_only.mp4"), "w") as target:
        stream = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    names = [*DAMAGED, *["nasa.mp4"] * 24]
    write(root / "sft_video.jsonl", [about(name, number) for number, name in enumerate(names)])
    return root


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def sweep_on(root, extra=""):
    path = root.parent / "own.yaml"
    text = SWEEP.replace(WORLD, f'  root: "{root}"\n{extra}')
    for long, short in (("samples: 256", "samples: 16"), ("samples: 160", "samples: 64")):
        text = text.replace(long, short)
    path.write_text(text)
    return path


@pytest.mark.slow
def test_ones_own_videos_images_and_texts_train_and_score_a_model(fresh, root, tmp_path):
    sweep = sweep_on(root)
    code, _, err = fresh("run", sweep, "--engine", "local", *ONLY)
    assert code == 0, err
    code, _, err = fresh("report", sweep, "--out", tmp_path / "report")
    assert code == 0, err
    assert "bench/video/perception" in (tmp_path / "report" / "scores.csv").read_text()
    fed = [json.loads(path.read_text()) for path in fresh.store.glob("stages/*/fed.json")]
    assert sorted(sum(record["samples"]) for record in fed) == [64] * 4
    assert not any(record["skipped"] for record in fed)


def test_unusable_media_are_named_in_one_message_before_anything_is_trained(fresh, damaged):
    code, out, err = fresh("run", sweep_on(damaged))
    assert (code, out) == (2, "")
    assert err.count("apollo: ") == 1
    for name in DAMAGED:
        assert err.count(name) == 1
    assert "bad_media: skip" in err
    assert "Traceback" not in err
    assert not list(fresh.store.glob("stages/*"))
    assert not list(fresh.store.glob("attempts/*"))


@pytest.mark.slow
def test_unusable_media_are_skipped_and_counted_by_option(fresh, damaged):
    sweep = sweep_on(damaged, "  bad_media: skip\n")
    code, _, err = fresh("run", sweep, "--engine", "local", "--only", "base@xs#0")
    assert code == 0, err
    fed = [json.loads(path.read_text()) for path in fresh.store.glob("stages/*/fed.json")]
    skipped = {Path(name).name for record in fed for name in record["skipped_media"]}
    assert skipped == set(DAMAGED)
    assert sum(record["skipped"] for record in fed) >= len(DAMAGED)
