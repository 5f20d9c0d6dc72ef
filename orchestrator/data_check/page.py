"""The folder of a check: report.json, report.html, excluded.jsonl and its pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from tempfile import TemporaryFile

from apollo_core.errors import BadInput
from orchestrator.data_check.checking import Checked
from orchestrator.data_check.histograms import Picture, resolutions, spread

_SHOWN = 50

_STYLE = """
body { margin: 0; color: #1c2127;
  font: 16px/1.55 system-ui, "Segoe UI", Roboto, Arial, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; } h2 { font-size: 1.2rem; margin: 2rem 0 .4rem;
  padding-top: 1rem; border-top: 2px solid #1c2127; }
.lead, .note, figcaption { color: #5a6370; } .note, figcaption { font-size: .85rem; }
table { border-collapse: collapse; width: 100%; font-size: .87rem;
  font-variant-numeric: tabular-nums; }
th { text-align: left; border-bottom: 1.5px solid #1c2127; padding: .3rem .5rem; }
td { border-bottom: 1px solid #dfe3e8; padding: .28rem .5rem; overflow-wrap: anywhere; }
td.n, th.n { text-align: right; white-space: nowrap; } .bad { color: #b04a00; font-weight: 600; }
.scroll { overflow-x: auto; } figure { margin: 0; } figure svg { width: 100%; height: auto; }
.grid { display: grid; gap: 1.4rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 24rem), 1fr)); }
code { background: #f1f2f4; padding: .05rem .3rem; border-radius: 3px; }
"""


def prepare_folder(out: Path) -> None:
    """Make the folder and prove that it can be written, before anything is looked at.

    Raises:
        BadInput: it cannot.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=out).close()
    except OSError as error:
        raise BadInput(
            f"--out: {out} cannot be written ({error.strerror}); give a folder that can, or a new "
            "name"
        ) from error


def write_report(checked: Checked, out: Path) -> int:
    """Write the folder; how many lines the list of exclusions has."""
    lines = list(checked.exclusions())
    listed = "".join(json.dumps(line) + "\n" for line in lines)
    (out / "excluded.jsonl").write_text(listed, encoding="utf-8")
    values = {**checked.as_dict(), "excluded": len(lines)}
    (out / "report.json").write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    pictures = list(_pictures(checked))
    for each in pictures:
        (out / f"{each.name}.png").write_bytes(each.png)
    page = _page(checked, pictures, excluded=len(lines))
    # A name that is no text is shown by its codes.
    (out / "report.html").write_text(page, encoding="utf-8", errors="backslashreplace")
    return len(lines)


def _pictures(checked: Checked) -> Iterator[Picture]:
    found = checked.found
    if found.seconds:
        yield spread("durations", found.seconds, unit="seconds", caption="Videos by duration.")
        yield spread("rates", found.rates, unit="frames a second", caption="Videos by frame rate.")
    if found.sizes:
        yield resolutions(found.sizes, caption="Videos and images by width and height, pixels.")
    rule = checked.asked.rule
    tokens = [length for one in checked.sets for length in one.tokens]
    if rule is not None and tokens:
        over = rule.longest if rule.longest and rule.longest < 4 * max(tokens) else None
        caption = f"Samples by positions under {rule.variant}: text and visual tokens together."
        yield spread("tokens", tokens, unit="positions", caption=caption, limit=over)


def _page(checked: Checked, pictures: Sequence[Picture], *, excluded: int) -> str:
    names = ", ".join(one.source.name for one in checked.sets)
    body = "".join(_sections(checked, pictures, excluded))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Data: {escape(names)}</title><style>{_STYLE}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )


def _sections(checked: Checked, pictures: Sequence[Picture], excluded: int) -> Iterator[str]:
    found = checked.found
    total = sum(found.kinds.values())
    bad = len(found.bad)
    yield "<h1>Data check</h1>"
    yield (
        f'<p class="lead">{total} media under <code>{escape(str(checked.sources.root))}</code>: '
        f"{found.kinds['video']} videos, {found.kinds['image']} images. "
        + ("All can be used." if not bad else f'<span class="bad">{bad} cannot be used.</span>')
        + (" Only their store's listing was read; none was opened." if checked.only_listed else "")
        + "</p>"
    )
    yield from _sets(checked)
    if checked.sources.listed is not None:
        yield (
            f"<p>Left out by <code>{escape(str(checked.sources.listed))}</code>: "
            f"{sum(one.left_out for one in checked.sets)} samples; of {len(checked.left_out)} "
            "media of that list nothing was looked at.</p>"
        )
    if excluded and not checked.is_clean:
        yield (
            f"<p><code>excluded.jsonl</code> has {excluded} lines"
            + (", those of the sweep's own list first" if checked.sources.listed else "")
            + ". Put it beside the manifests "
            "and write <code>data: {exclude: excluded.jsonl}</code> into the sweep file: what is "
            "trained on, and so the stages' keys, change with it. Benchmarks keep all their "
            "questions.</p>"
        )
    if pictures:
        figures = "".join(
            f"<figure>{each.svg}<figcaption>{escape(each.caption)}</figcaption></figure>"
            for each in pictures
        )
        yield f'<h2>How they are</h2><div class="grid">{figures}</div>'
    yield _table("What cannot be used", ("medium", "why"), list(found.bad.items()))
    yield _table(
        "Durations that lie",
        ("medium", "header, s", "packets, s"),
        [(path, f"{a:.2f}", f"{b:.2f}") for path, (a, b) in found.lies.items()],
        note="Frames are chosen by the packets' times, so these are used as they really are.",
    )
    yield _table(
        "Trained on and asked about",
        ("the same bytes",),
        [(", ".join(group),) for group in checked.in_both],
        note="Scores of a benchmark whose videos were trained on are not what they seem.",
    )
    yield _table(
        "Duplicates", ("the same bytes",), [(", ".join(group),) for group in checked.duplicates]
    )


def _sets(checked: Checked) -> Iterator[str]:
    rows = [
        (
            one.source.name,
            "conversations" if one.source.trains else "questions",
            str(one.rows),
            str(one.media),
            *([str(one.left_out)] if checked.sources.listed else []),
            str(one.lost),
            str(len(one.too_long)) if checked.asked.rule and one.source.trains else "",
        )
        for one in checked.sets
    ]
    left_out = ["left out"] if checked.sources.listed else []
    head = ("set", "holds", "rows", "media", *left_out, "rows with bad media", "too many tokens")
    yield _table("Sets", head, rows)
    lost = [one for one in checked.sets if one.lost and not one.source.trains]
    for one in lost:
        yield (
            f'<p class="bad">{escape(one.source.name)}: {one.lost} of {one.rows} questions cannot '
            f"be asked ({escape(', '.join(one.affected))}). Mend their videos: no list takes "
            "questions out of a benchmark.</p>"
        )
    for one in checked.sets:
        name = one.source.name
        if one.repeated:
            yield (
                f"<p>{escape(name)}: {one.repeated} of {one.rows} samples have an id that stood "
                "before, and are called by their place too: <code>a</code>, <code>a#2</code>.</p>"
            )
        yield _table(
            f"Questions of {name} that have no answer",
            ("place", "why"),
            list(one.unanswerable.items()),
            note="The public file has these faults. They are asked of nobody.",
        )


def _table(
    title: str, head: Sequence[str], rows: Sequence[Sequence[str]], *, note: str = ""
) -> str:
    if not rows:
        return ""
    cells = "".join(
        "<tr>" + "".join(_cell(value) for value in row) + "</tr>" for row in rows[:_SHOWN]
    )
    numbers = [all(_is_number(row[at]) for row in rows) for at in range(len(head))]
    titles = "".join(
        f'<th class="n">{escape(name)}</th>' if number else f"<th>{escape(name)}</th>"
        for name, number in zip(head, numbers, strict=True)
    )
    more = f"The first {_SHOWN} of {len(rows)}; all are in report.json. "
    told = (more if len(rows) > _SHOWN else "") + note
    return (
        f"<h2>{escape(title)}</h2>"
        + (f'<p class="note">{escape(told)}</p>' if told else "")
        + f'<div class="scroll"><table><tr>{titles}</tr>{cells}</table></div>'
    )


def _cell(value: str) -> str:
    return f'<td class="n">{value}</td>' if _is_number(value) else f"<td>{escape(value)}</td>"


def _is_number(value: str) -> bool:
    return not value or value.replace(".", "", 1).isdigit()
