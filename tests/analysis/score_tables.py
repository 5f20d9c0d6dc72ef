"""Tables that several tests read: the Apollo paper's 84 runs, and a tiny tidy one."""

from pathlib import Path

from analysis.table.table import TableOptions

PAPER = Path(__file__).parent.parent / "data" / "apollo_table14_15.csv"
DCLM = PAPER.parent / "dclm_dataset_x_scale.csv"
HALF, ONE, FOUR, SEVEN = SCALES = (
    "Qwen2-0.5B-Instruct",
    "Qwen2-1.5B-Instruct",
    "Qwen1.5-4B-Chat",
    "Qwen2-7B-Instruct",
)
OPTIONS = TableOptions.parse(
    design="variant,data_mixture",
    scale="llm",
    score="average",
    block="data_mixture",
    scale_order=",".join(SCALES),
)

TIDY = """design,scale,scale_size,seed,metric,score,sampling,mixture
base,s,0.1,0,b/video/overall,50,base,base
base,s,0.1,1,b/video/overall,52,base,base
base,l,0.4,0,b/video/overall,60,base,base
fast,s,0.1,0,b/video/overall,55,fast,base
fast,l,0.4,0,b/video/overall,66,fast,base
text,s,0.1,0,b/video/overall,45,base,text
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "scores.csv"
    path.write_text(text, encoding="utf-8")
    return path
