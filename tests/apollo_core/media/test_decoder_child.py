from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from apollo_core.errors import DecodeFailed, StageFailed
from apollo_core.media.decoding import Decoder
from tests.apollo_core.media.numbered_videos import EIGHT_PER_SECOND


def child_of(decoder: Decoder) -> int:
    """The process id of the decoder's child, which it starts if need be."""
    with pytest.raises(DecodeFailed):
        decoder.timestamps("/dev/null")
    assert decoder.child_pid is not None
    return decoder.child_pid


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_hung_child_is_killed_at_the_deadline_and_replaced(tmp_path, numbered_video):
    pipe = tmp_path / "hangs.mp4"
    os.mkfifo(pipe)  # opening it waits for ever for somebody who writes
    path = numbered_video("good.mp4", EIGHT_PER_SECOND[:4])
    with Decoder(deadline_s=1) as decoder:
        first = child_of(decoder)
        began = time.monotonic()
        with pytest.raises(DecodeFailed, match="no answer within 1 s"):
            decoder.timestamps(pipe)
        assert time.monotonic() - began < 5
        assert not alive(first)
        assert len(decoder.timestamps(path)[0]) == 4
        assert child_of(decoder) != first


def test_a_child_that_was_killed_between_two_files_costs_nothing(numbered_video):
    path = numbered_video("good.mp4", EIGHT_PER_SECOND[:4])
    with Decoder() as decoder:
        os.kill(child_of(decoder), 9)
        assert len(decoder.timestamps(path)[0]) == 4


def test_a_child_whose_parent_is_gone_ends_even_while_it_hangs(tmp_path):
    pipe = tmp_path / "hangs.mp4"
    os.mkfifo(pipe)
    script = (
        "import os, sys\n"
        "from apollo_core.media import decoder_process\n"
        "decoder_process.ORPHAN_GRACE_S = 0.2\n"
        "sys.argv = ['decoder', '0.3', 'pyav']\n"
        "decoder_process.main()\n"
    )
    from apollo_core.media.decoder_process import encode

    orphan = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    orphan.communicate(b"".join(encode({"do": "open", "path": str(pipe)})), timeout=30)
    assert orphan.returncode == -14  # the kernel's alarm


def test_the_child_loads_no_torch_and_survives_a_strange_working_directory(
    tmp_path, monkeypatch, numbered_video
):
    path = numbered_video("good.mp4", EIGHT_PER_SECOND[:4])
    (tmp_path / "json.py").write_text("raise SystemExit('a stranger')")
    monkeypatch.chdir(tmp_path)
    with Decoder() as decoder:
        assert len(decoder.timestamps(path)[0]) == 4
        maps = Path(f"/proc/{child_of(decoder)}/maps").read_text()
    assert "libavcodec" in maps
    assert "decord" not in maps
    assert "torch" not in maps


def in_a_daemon(work: Callable[[], object]) -> object:
    """What `work` returns in a forked daemonic process, the kind that may have no children."""
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    process = context.Process(target=lambda: answers.put(work()), daemon=True)
    process.start()
    answer = answers.get()
    process.join(30)
    return answer


def test_it_works_inside_a_daemonic_process(numbered_video):
    path = numbered_video("good.mp4", EIGHT_PER_SECOND[:4])

    def count_frames() -> int:
        with Decoder() as decoder:
            return len(decoder.timestamps(path)[0])

    assert in_a_daemon(count_frames) == 4


def test_a_decoder_taken_along_by_a_fork_refuses_and_leaves_the_parents_alone(numbered_video):
    path = numbered_video("good.mp4", EIGHT_PER_SECOND[:4])
    with Decoder() as decoder:
        decoder.timestamps(path)

        def use_it() -> str:
            try:
                decoder.timestamps(path)
            except StageFailed as error:
                return str(error)
            finally:
                decoder.close()
            return "answered"

        assert "forked process" in str(in_a_daemon(use_it))
        assert len(decoder.timestamps(path)[0]) == 4


def test_threads_take_turns(numbered_video):
    paths = [numbered_video(f"{n}.mp4", EIGHT_PER_SECOND[: n + 4]) for n in range(4)]
    with Decoder() as decoder, ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda path: len(decoder.timestamps(path)[0]), paths * 5))
    assert counts == [4, 5, 6, 7] * 5
