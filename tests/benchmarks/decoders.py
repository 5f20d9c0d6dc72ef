"""Decoders beside one another: speed, whether frames are the right ones, memory, what is hidden.

    make bench-data                                   # on generated videos, under 10 minutes
    python tests/benchmarks/decoders.py --videos DIR  # and on real ones

"bare decord" is the loop that most code bases have: `VideoReader(...).get_batch(indices)` in the
same process. The others read through our own path: another process with a deadline, and a pipe.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import av
import decord
import numpy as np
import psutil
import torch
from looped_video import FPS, LOOP_S, repeat, write_loop

from apollo_core.design import FpsSampling, Sampling, UniformSampling
from apollo_core.errors import DecodeFailed
from apollo_core.media.decoding import Decoder
from apollo_core.media.letterbox import Letterbox, letterbox, pad
from apollo_core.media.manifest_record import Item
from apollo_core.media.reader import MediaReader
from apollo_core.media.video_file import DECODERS, DecoderName
from apollo_core.media.viewing import viewings
from apollo_core.sampling import sample

SIZE = 224
THUMB = 32
PATTERNS: dict[str, Sampling] = {
    "uniform-32": UniformSampling(mode="uniform", frames=32, frames_per_clip=4),
    "fps-2": FpsSampling(mode="fps", fps=2, frames_per_clip=4, max_clips=10),
}


class BareDecord:
    """decord as it is used elsewhere."""

    def timestamps(self, path: Path) -> tuple[np.ndarray, float]:
        """Starts and the end, from decord's own spans."""
        reader = decord.VideoReader(str(path), num_threads=1)
        found = reader.get_frame_timestamp(np.arange(len(reader)))
        return found[:, 0].astype(float), float(found[-1, 1])

    def read(self, path: Path, indices: Sequence[int], *, size: int) -> np.ndarray:
        """Frames at `size`, whole pictures."""
        place = letterbox(*shape_of(path), size)
        reader = decord.VideoReader(
            str(path), num_threads=1, width=place.width, height=place.height
        )
        with no_stderr():  # where it says, once a frame, that it gave up
            frames = reader.get_batch(list(indices)).asnumpy()
        return pad(frames, place, size)


@contextmanager
def no_stderr() -> Iterator[None]:
    """Native code's too."""
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a device
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def shape_of(path: Path) -> tuple[int, int]:
    """Width and height."""
    with av.open(str(path)) as container:
        stream = container.streams.best("video")
        assert isinstance(stream, av.VideoStream)
        return stream.codec_context.width, stream.codec_context.height


def thumbnails(path: Path) -> np.ndarray:
    """Every frame, decoded one after the other by nothing but PyAV: the truth."""
    with av.open(str(path)) as container:
        stream = container.streams.best("video")
        assert isinstance(stream, av.VideoStream)
        frames = container.decode(stream)
        return np.stack([small(frame.to_ndarray(format="rgb24")) for frame in frames])


def small(picture: np.ndarray) -> np.ndarray:
    """Means of THUMB x THUMB blocks of a picture."""
    rows, columns = (np.linspace(0, side, THUMB + 1).astype(int) for side in picture.shape[:2])
    summed = np.add.reduceat(picture.astype(np.float32), rows[:-1], axis=0)
    summed = np.add.reduceat(summed, columns[:-1], axis=1)
    return summed / (np.diff(rows)[:, None] * np.diff(columns)[None])[..., None]


def off_by(
    frames: np.ndarray, asked: Sequence[int], truth: np.ndarray, box: Letterbox
) -> np.ndarray:
    """By how many frames each is another than asked (frames that look the same count as one)."""
    found = []
    for frame, index in zip(frames, asked, strict=True):
        seen = small(frame[box.top : box.top + box.height, box.left : box.left + box.width])
        apart = np.abs(truth - seen).mean(axis=(1, 2, 3))
        near = np.flatnonzero(apart <= apart.min() + 0.6)
        gap = np.abs(near - index % len(truth))
        found.append(np.minimum(gap, len(truth) - gap).min())
    return np.array(found)


def compare(path: Path, truth: np.ndarray, *, rounds: int) -> Iterator[str]:
    """A line for each pattern and decoder."""
    for pattern, sampling in PATTERNS.items():
        bare = None
        for name in ("bare decord", *available()):
            reader = BareDecord() if name == "bare decord" else Decoder(decoder=name)
            try:
                speed, wrong, worst = measure(reader, path, sampling, truth, rounds)
            except DecodeFailed as error:
                yield f"{path.name:18} {pattern:11} {name:12} {error.reason}"
                continue
            bare = bare or speed
            yield (
                f"{path.name:18} {pattern:11} {name:12} {speed:8.1f} {speed / bare:7.2f} "
                f"{wrong:7.1%} {worst:6d}   {child_mib(reader)}"
            )
            if isinstance(reader, Decoder):
                reader.close()


def measure(
    reader: BareDecord | Decoder,
    path: Path,
    sampling: Sampling,
    truth: np.ndarray,
    rounds: int,
) -> tuple[float, float, int]:
    """Frames a second of opening and reading (the best round); share of wrong ones; the worst."""
    best, box = 0.0, letterbox(*shape_of(path), SIZE)
    wrong: list[np.ndarray] = []
    if isinstance(reader, Decoder):
        reader.read(path, [0], size=SIZE)  # its process starts
    for _ in range(rounds):
        began = time.perf_counter()
        if isinstance(reader, Decoder):
            read = reader.read_clips(path, sampling, size=SIZE)
            asked = sorted({frame for clip in read.clips for frame in clip.frames})
            frames = read.pixels
        else:
            clips = sample(*reader.timestamps(path), sampling)
            asked = sorted({frame for clip in clips for frame in clip.frames})
            frames = reader.read(path, asked, size=SIZE)
        best = max(best, len(asked) / (time.perf_counter() - began))
        wrong.append(off_by(frames, asked, truth, box))
    off = np.concatenate(wrong)
    return best, float((off > 0).mean()), int(off.max())


def child_mib(reader: BareDecord | Decoder) -> str:
    """Resident memory of the decoding process."""
    if isinstance(reader, BareDecord) or reader.child_pid is None:
        return ""
    return f"{psutil.Process(reader.child_pid).memory_info().rss / 2**20:5.0f} MiB"


def available() -> list[DecoderName]:
    """Decoders that are installed."""
    extra = importlib.util.find_spec("torchcodec") is not None
    return [name for name in DECODERS if extra or name != "torchcodec"]


def memory(paths: Sequence[Path], decodes: int) -> Iterator[str]:
    """Resident memory of caller and children before and after, two decoders at a time."""
    with Decoder() as one, Decoder() as two:

        def work(decoder: Decoder, times: int) -> None:
            for turn in range(times):
                decoder.read(paths[turn % len(paths)], range(turn % 4, turn % 4 + 4), size=SIZE)

        def run(times: int) -> float:
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(work, (one, two), (times // 2, times // 2)))
            pids = (None, one.child_pid, two.child_pid)
            return sum(psutil.Process(pid).memory_info().rss for pid in pids) / 2**20

        settled = run(max(40, decodes // 20))
        after = run(decodes)
    yield f"{decodes} decodes: {settled:.0f} MiB -> {after:.0f} MiB ({after / settled - 1:+.1%})"


def hidden(path: Path, films: int) -> Iterator[str]:
    """What reading ahead hides of the decoding of so many films, behind work of the same length."""
    names = [f"film-{n}.mp4" for n in range(films)]
    for name in names:
        path.with_name(name).symlink_to(path)
    items = [Item(name, name, "", ("a",), 0, "") for name in names]
    with Decoder() as decoder:
        reader = MediaReader(decoder, path.parent, PATTERNS["uniform-32"], "plain", SIZE)
        reader.video(path.name)
        began = time.perf_counter()
        for name in names:
            reader.video(name)
        decoding = time.perf_counter() - began
        walls = {}
        for ahead in (0, 2):
            began = time.perf_counter()
            for _ in viewings(items, ["video"], [reader], ahead=ahead):
                busy(decoding / films)
            walls[ahead] = time.perf_counter() - began
    share = (walls[0] - walls[2]) / decoding
    yield (
        f"decoding {decoding:.2f} s, work {decoding:.2f} s: {walls[0]:.2f} s one after the other, "
        f"{walls[2]:.2f} s read ahead; {share:.0%} of the decoding is hidden"
    )


def busy(seconds: float) -> None:
    """Arithmetic on one core, as a training step does it."""
    until = time.perf_counter() + seconds
    torch.set_num_threads(1)
    matrix = torch.ones((200, 200))
    while time.perf_counter() < until:
        matrix = matrix @ matrix / 200


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--videos", type=Path, help="a folder of real videos")
    parser.add_argument("--decodes", type=int, default=10_000, help="of the memory test")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one short and small video only")
    options = parser.parse_args()
    real = sorted(options.videos.glob("*.mp4")) if options.videos else []
    with tempfile.TemporaryDirectory() as folder:
        side = (320, 180) if options.quick else (854, 480)
        loop = write_loop(Path(folder) / "10s.mp4", side=side)
        lengths = {} if options.quick else {"2min.mp4": 120, "1h.mp4": 3600}
        made = [loop, *(repeat(loop, loop.with_name(n), length) for n, length in lengths.items())]
        truth = thumbnails(loop)
        assert len(truth) == FPS * LOOP_S
        print("file               pattern     decoder      frames/s /bare   wrong  worst   memory")
        for path in (*made, *real):
            known = truth if path in made else thumbnails(path)
            for line in compare(path, known, rounds=options.rounds):
                print(line, flush=True)
        tiny = write_loop(loop.with_name("tiny.mp4"), side=(96, 64))
        print(*memory(real or [tiny], options.decodes), sep="\n", flush=True)
        print(*hidden(loop, 4 if options.quick else 12), sep="\n")


if __name__ == "__main__":
    main()
