"""The forms that conversations have in public files, brought to the project's own.

| where it is met | what differs |
|---|---|
| LLaVA, LLaVA-OneVision, M4 | `image` may be a list |
| LLaVA-Video-178K | a video's mark is `<image>` |
| ShareGPT, LLaMA-Factory | `system` beside the turns; `role` and `content` in `conversations` |
| Qwen-VL, OpenAI, TRL | `content` is a list of parts of type text, image and video |
| The Cauldron, FineVision | `texts`: [{"user", "assistant"}]; images without marks |

A part with a file (`{"type": "image", "image": "a.png"}`) brings it; one without takes the next of
the record's `images`. Between a part that is a medium and the text behind it stands a line break,
as in LLaVA's files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apollo_core.media.manifest_record import (
    MARKS,
    ROLES,
    BadRecordError,
    MediumKind,
    value_shown,
)

Row = Mapping[str, Any]

_LISTS = {"image": "images", "video": "videos"}
_PARTS: dict[str, MediumKind] = {
    "image": "image",
    "image_url": "image",
    "video": "video",
    "video_url": "video",
}
_SYSTEM = "system"


def own_form(row: Row) -> Row:
    """The same conversation with `image(s)`, `video(s)` and turns as the project has them.

    What is not known is left as it is, to be told by whoever reads the record.

    Raises:
        BadRecordError: a part of a turn that means nothing here.
    """
    return with_video_marks(_in_own_turns(row))


def with_video_marks(row: Row) -> Row:
    """The record with `<video>` for `<image>`, where it has only videos and as many `<image>`."""
    if "image" in row or "images" in row or not ("video" in row or "videos" in row):
        return row
    key = "conversations" if "conversations" in row else "messages"
    told = "value" if key == "conversations" else "content"
    turns = row.get(key)
    if not isinstance(turns, list) or not all(isinstance(turn, Mapping) for turn in turns):
        return row
    videos = row.get("videos")
    wanted = int("video" in row) + (len(videos) if isinstance(videos, list) else 0)
    asked = [turn for turn in turns if _asks(turn) and isinstance(turn.get(told), str)]
    marks = {kind: sum(turn[told].count(mark) for turn in asked) for kind, mark in MARKS.items()}
    if marks["video"] or marks["image"] != wanted:
        return row
    mended = [
        {**turn, told: turn[told].replace(MARKS["image"], MARKS["video"])}
        if _asks(turn) and isinstance(turn.get(told), str)
        else turn
        for turn in turns
    ]
    return {**row, key: mended}


def _asks(turn: Row) -> bool:
    return ROLES.get(str(turn.get("from", turn.get("role")))) == "user"


def _in_own_turns(row: Row) -> Row:
    changed = _media(row)
    key, turns = _turns(row)
    if turns is None:
        return changed if changed is not None else row
    found: dict[str, list[str]] = {}
    plain = [_plain(turn, f"{key}[{number}]", found) for number, turn in enumerate(turns)]
    record = dict(changed if changed is not None else row)
    system = record.pop(_SYSTEM, None)
    for name in ("conversations", "messages", "texts"):
        record.pop(name, None)
    if isinstance(system, str) and system.strip():
        plain.insert(0, {"role": "system", "content": system})
    record["messages"] = plain
    _add_files(record, found)
    if key == "texts":
        mark_unmarked(record)
    return record


def _media(row: Row) -> dict[str, Any] | None:
    """The record with lists under the name of a list; None where nothing has to change."""
    changed: dict[str, Any] | None = None
    for one, several in _LISTS.items():
        if row.get(one, "") is None or row.get(several, "") is None:
            changed = dict(changed or row)
            for name in (one, several):
                if changed.get(name, "") is None:
                    del changed[name]
        if isinstance(row.get(one), list) and several not in row:
            changed = dict(changed or row)
            changed[several] = changed.pop(one)
        elif isinstance(row.get(several), str) and one not in row:
            changed = dict(changed or row)
            changed[several] = [changed[several]]
    return changed


def _turns(row: Row) -> tuple[str, list[Any] | None]:
    """The turns that have to be rewritten, and their key; None where they are as they should be."""
    if "texts" in row and "conversations" not in row and "messages" not in row:
        pairs = row["texts"]
        if isinstance(pairs, list) and all(isinstance(pair, Mapping) for pair in pairs):
            return "texts", [turn for pair in pairs for turn in _asked(pair)]
    key = "conversations" if "conversations" in row else "messages"
    turns = row.get(key)
    if not isinstance(turns, list) or not all(isinstance(turn, Mapping) for turn in turns):
        return key, None
    wanted = ("from", "value") if key == "conversations" else ("role", "content")
    other = ("role", "content") if key == "conversations" else ("from", "value")
    mended = _SYSTEM in row or any(
        (other[0] in turn and wanted[0] not in turn)
        or (other[1] in turn and wanted[1] not in turn)
        or isinstance(turn.get("content"), list)
        or isinstance(turn.get("value"), list)
        for turn in turns
    )
    return key, list(turns) if mended else None


def _asked(pair: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"role": role, "content": pair.get(role)} for role in ("user", "assistant")]


def _plain(turn: Row, where: str, found: dict[str, list[str]]) -> dict[str, Any]:
    """A turn as {role, content}, its parts written as one text; their files go into `found`."""
    content = turn.get("content", turn.get("value"))
    if isinstance(content, list):
        content = _written(content, where, found)
    return {"role": turn.get("role", turn.get("from")), "content": content}


def _written(parts: list[Any], where: str, found: dict[str, list[str]]) -> str:
    text = ""
    behind_medium = False
    for number, part in enumerate(parts):
        here = f"{where}.content[{number}]"
        if isinstance(part, str):
            part = {"type": "text", "text": part}
        if not isinstance(part, Mapping):
            raise BadRecordError(f"{here}: an object is needed, got {type(part).__name__}")
        kind = part.get("type")
        if kind == "text":
            said = part.get("text")
            if not isinstance(said, str):
                raise BadRecordError(
                    f"{here}.text: a text is needed, got {value_shown(part, 'text')}"
                )
            text += ("\n" if behind_medium and said[:1] != "\n" else "") + said
            behind_medium = False
        elif kind in _PARTS:
            _bring(part, str(kind), here, found)
            text += MARKS[_PARTS[str(kind)]]
            behind_medium = True
        else:
            raise BadRecordError(f"{here}.type: unknown {kind!r}; text, image or video")
    return text


def _bring(part: Row, kind: str, here: str, found: dict[str, list[str]]) -> None:
    """Take the file of a part, if it has one."""
    medium = _PARTS[kind]
    value = part.get(kind, part.get(medium))
    if value is None:
        value = part.get("url") or part.get("path")
    if isinstance(value, Mapping):
        value = value.get("url")
    if value is None:
        return
    if isinstance(value, list):
        raise BadRecordError(
            f"{here}.{kind}: a list of frames; give the video's file, or each frame as an image"
        )
    if not isinstance(value, str):
        raise BadRecordError(f"{here}.{kind}: a path is needed, got {type(value).__name__}")
    found.setdefault(medium, []).append(value)


def _add_files(record: dict[str, Any], found: Mapping[str, list[str]]) -> None:
    for medium, files in found.items():
        one, several = medium, _LISTS[medium]
        if record.get(one) or record.get(several):
            raise BadRecordError(
                f"{several}: given, and {len(files)} parts of the turns have a file of their own; "
                "one or the other"
            )
        record.pop(one, None)
        record[several] = files


def mark_unmarked(record: dict[str, Any]) -> None:
    """Put a mark for every file before the first question, where there is no mark at all."""
    key = "conversations" if "conversations" in record else "messages"
    told = "value" if key == "conversations" else "content"
    turns = record.get(key)
    if not isinstance(turns, list) or not all(isinstance(turn, Mapping) for turn in turns):
        return
    texts = [turn[told] for turn in turns if isinstance(turn.get(told), str)]
    marks = "".join(
        mark * len(record.get(_LISTS[medium]) or ()) + mark * (medium in record)
        for medium, mark in MARKS.items()
    )
    if not marks or any(mark in text for text in texts for mark in MARKS.values()):
        return
    for turn in turns:
        if _asks(turn):
            turn[told] = f"{marks}\n{turn[told]}" if turn.get(told) else marks
            return
