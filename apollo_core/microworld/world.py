"""A whole microworld under one folder: videos, images, manifests, and `world.json` last."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from itertools import chain
from pathlib import Path

from filelock import FileLock

from apollo_core.errors import BadInput
from apollo_core.microworld import manifests
from apollo_core.microworld.chance import Purpose, Split, stream
from apollo_core.microworld.drawing import draw_film, draw_still
from apollo_core.microworld.encoding import write_image, write_video
from apollo_core.microworld.film import Film, plan_film
from apollo_core.microworld.looks import NEIGHBOURING, OWN, Look
from apollo_core.microworld.spec import WorldSpec
from apollo_core.microworld.still import Still, plan_still

_DONE = "world.json"
_BEGUN = "world.begun.json"
_LOCK = ".world.lock"
_PART = ".world.part"
_FOLDERS = ("videos", "images")

BRIEF_SECONDS = 4.0

Progress = Callable[[int, int], None]
_Medium = tuple[Film | Still, Look]


def generate(spec: WorldSpec, root: Path, *, on_progress: Progress | None = None) -> None:
    """Make the world of `spec` under `root`, once.

    A finished world of the same spec is left alone; one that was interrupted is made anew; a
    second process waits for the first.

    Args:
        spec: what to make.
        root: its folder; made if absent.
        on_progress: called with (files written, files in all) after each video and image.

    Raises:
        BadInput: `root` holds another world, or files that no world has.
    """
    if _finished(spec, root):
        return
    # A lock means that this generator was here first; what else is here is judged once it is held.
    if not (root / _LOCK).exists():
        _refuse_foreign(root)
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / _LOCK):
        if _finished(spec, root):
            return
        _refuse_foreign(root)
        _write_json(root / _BEGUN, spec.fingerprint())
        _clear(root)
        _write_world(spec, root, on_progress)
        _write_json(root / _DONE, spec.fingerprint())
        (root / _BEGUN).unlink()


def _finished(spec: WorldSpec, root: Path) -> bool:
    try:
        found = json.loads((root / _DONE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    except NotADirectoryError:
        raise BadInput(f"microworld root: {root} is a file; give a folder.") from None
    except ValueError:
        raise BadInput(
            f"microworld root: {root / _DONE} is not JSON. Remove {root} or give another folder."
        ) from None
    wanted = spec.fingerprint()
    if found == wanted:
        return True
    found = found if isinstance(found, dict) else {}
    unlike = [
        f"{key} {found.get(key)!r} instead of {value!r}"
        for key, value in wanted.items()
        if found.get(key) != value
    ]
    raise BadInput(
        f"microworld root: {root} holds another world ({', '.join(unlike) or 'unknown fields'}). "
        "Remove it or give another folder."
    )


def _refuse_foreign(root: Path) -> None:
    """Refuse a folder with files in it, unless they are an interrupted world's."""
    if root.exists() and not root.is_dir():
        raise BadInput(f"microworld root: {root} is a file; give a folder.")
    names = {path.name for path in root.iterdir()} - {_LOCK, _PART} if root.exists() else set[str]()
    if names and not names & {_BEGUN, _DONE}:
        raise BadInput(
            f"microworld root: {root} holds files that are not a microworld's "
            f"({', '.join(sorted(names)[:3])}). Give an empty or a new folder."
        )


def _clear(root: Path) -> None:
    """Remove what an interrupted generation left."""
    for name in _FOLDERS:
        shutil.rmtree(root / name, ignore_errors=True)
        (root / name).mkdir()
    for path in root.glob("*.jsonl"):
        path.unlink()


def _write_json(path: Path, value: dict[str, object]) -> None:
    part = path.with_name(_PART)
    part.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    part.replace(path)


def _films(spec: WorldSpec, split: Split, count: int) -> list[Film]:
    return [plan_film(spec, split, i)[0] for i in range(count)]


def _brief(spec: WorldSpec) -> WorldSpec:
    """Films as video encoders are pretrained on: so short that a few clips show all of each."""
    return spec.model_copy(update={"min_seconds": BRIEF_SECONDS, "max_seconds": BRIEF_SECONDS})


def _corpus_scene(spec: WorldSpec, index: int) -> Film | Still | None:
    """Of five texts two are of films, two of pictures and one of numbers alone."""
    kind = index % 5
    if kind == 4:
        return None
    if kind >= 2:
        return plan_still(spec.seed, Split.CORPUS, index)
    return plan_film(spec, Split.CORPUS, index)[0]


def _plan_group(spec: WorldSpec, index: int) -> list[Still]:
    """Two or three images for one multi-image sample."""
    count = int(stream(spec.seed, Split.MULTI_IMAGES, Purpose.PLOT, index).integers(2, 4))
    return [plan_still(spec.seed, Split.MULTI_IMAGES, index, part) for part in range(count)]


def _write_world(spec: WorldSpec, root: Path, on_progress: Progress | None) -> None:
    films = _films(spec, Split.TRAIN, spec.train_videos)
    bench = [plan_film(spec, Split.BENCH, i) for i in range(spec.bench_videos)]
    stills = [plan_still(spec.seed, Split.IMAGES, i) for i in range(spec.images)]
    groups = [_plan_group(spec, i) for i in range(spec.multi_images)]
    texts = _films(spec, Split.TEXTS, spec.texts)
    corpus = (_corpus_scene(spec, i) for i in range(spec.corpus))
    next_films = _films(_brief(spec), Split.PRETRAIN_VIDEOS, spec.pretrain_videos)
    next_stills = [
        plan_still(spec.seed, Split.PRETRAIN_IMAGES, i) for i in range(spec.pretrain_images)
    ]

    media: dict[str, _Medium] = {}
    media |= {manifests.train_video(i): (film, OWN) for i, film in enumerate(films)}
    media |= {manifests.bench_video(i): (film, OWN) for i, (film, _) in enumerate(bench)}
    media |= {manifests.pretrain_video(i): (f, NEIGHBOURING) for i, f in enumerate(next_films)}
    media |= {manifests.image(i): (still, OWN) for i, still in enumerate(stills)}
    for i, group in enumerate(groups):
        media |= {manifests.image_of_several(i, part): (s, OWN) for part, s in enumerate(group)}
    media |= {manifests.pretrain_image(i): (s, NEIGHBOURING) for i, s in enumerate(next_stills)}
    _write_media(root, spec.size, media, on_progress)

    tables = {
        "alignment": chain(
            manifests.image_caption_rows(stills, spec.seed),
            manifests.caption_rows(films, spec.seed),
        ),
        "captions": manifests.caption_rows(films, spec.seed),
        "image_captions": manifests.image_caption_rows(stills, spec.seed),
        "pretrain_videos": manifests.pretrain_video_rows(next_films),
        "pretrain_images": manifests.image_caption_rows(
            next_stills, spec.seed, Split.PRETRAIN_IMAGES
        ),
        "sft_video": manifests.video_rows(films, spec.seed),
        "sft_image": manifests.image_rows(stills, spec.seed),
        "sft_multi_image": manifests.multi_image_rows(groups, spec.seed),
        "sft_text": manifests.text_rows(texts, spec.seed),
        "corpus": manifests.corpus_rows(corpus, spec.seed),
        "bench": manifests.bench_rows(bench, spec.seed),
    }
    for name, rows in tables.items():
        manifests.write_rows(root / f"{name}.jsonl", rows)


def _write_media(
    root: Path, size: int, media: dict[str, _Medium], on_progress: Progress | None
) -> None:
    for done, (name, (scene, look)) in enumerate(media.items(), start=1):
        if isinstance(scene, Film):
            write_video(root / name, draw_film(scene, size, look), scene.fps)
        else:
            write_image(root / name, draw_still(scene, size, look))
        if on_progress:
            on_progress(done, len(media))
