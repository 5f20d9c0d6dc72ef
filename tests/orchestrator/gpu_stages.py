"""A stage that tells when and on which GPUs of which machine it ran."""

import json
import os
import time
from pathlib import Path

from tiny_stages import CORPUS, name_of

from orchestrator.engine.frontier import Frontier

SECONDS = 0.4


class NotingFrontier(Frontier):
    """Keeps the order in which stages were handed out: workers start when they are able to."""

    def __init__(self, tasks):
        super().__init__(tasks)
        self.order = []

    def start(self, key):
        """Note it."""
        super().start(key)
        self.order.append(self.task(key).label)


def gpu_stage(identity, context):
    """Hold what was given for a moment."""
    began = time.time()
    time.sleep(SECONDS)
    told = {
        "name": name_of(identity),
        "node": os.environ["TEST_NODE"],
        "gpus": os.environ["CUDA_VISIBLE_DEVICES"].split(","),
        "began": began,
        "ended": time.time(),
    }
    with (Path(context.locations[CORPUS]) / "held.jsonl").open("a") as file:
        file.write(json.dumps(told) + "\n")
    (context.out / "x").write_text("")


def held(folder):
    """What was held when, in order of the ends."""
    return [json.loads(line) for line in (Path(folder) / "held.jsonl").read_text().splitlines()]
