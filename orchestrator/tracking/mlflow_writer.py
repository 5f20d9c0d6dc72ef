"""Writes one sweep to one MLflow server: the only module that imports MLflow.

Experiment = sweep; one parent run; one nested run per replicate, found again by its tag
`variant_id`. Everything written is a function of the store.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock
from pydantic import JsonValue

from orchestrator.files import read_json_lines
from orchestrator.plan.replicate_view import content_of, params_of, status_of, tags_of
from orchestrator.results.score_table import ITEMS, scores_of_items
from orchestrator.store.failures import one_line
from orchestrator.store.stage_states import StageState, stage_states
from orchestrator.store.store import Store
from orchestrator.store.sweep_record import SweepRecord, VariantRecord
from orchestrator.tracking.tracked_points import (
    Point,
    SeriesFile,
    metric_name,
    stage_metric,
)
from orchestrator.tracking.tracking_database import (
    damage,
    database,
    default_uri,
    make_whole,
    passes,
    set_aside,
)

if TYPE_CHECKING:
    from mlflow.entities import Metric, Run
    from mlflow.tracking import MlflowClient

_log = logging.getLogger(__name__)

# MLflow's own limits for one batch and one parameter.
_BATCH_METRICS, _BATCH_PARAMS = 1000, 100
_LONGEST_PARAM = 6000

_PARENT = "mlflow.parentRunId"
_LOGGED = "logged_steps"
_REPORT = "report"

# A server that is down must be given up quickly; MLflow's defaults wait for many minutes.
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}


@dataclass
class _TrackedRun:
    """A replicate's run: the last step written of each stage, and what was last said of it."""

    id: str
    logged: dict[str, int] = field(default_factory=dict[str, int])
    status: str = ""
    closed: bool = False


class MlflowWriter:
    """Writes one sweep to one server; remembers what it wrote so that each point goes once."""

    def __init__(self, record: SweepRecord, store: Store, uri: str) -> None:
        self._record = record
        self._store = store
        self._uri = uri
        self.client = open_own(store) if uri == default_uri(store) else open_client(uri)
        self._experiment = self._find_experiment()
        self._runs: dict[str, _TrackedRun] = {}
        self._parent = ""
        self._series: dict[str, SeriesFile] = {}
        self._done: dict[str, StageState] = {}
        self._last_user = {key: each.id for each in record.variants for key in each.stages}

    def write(self, *, final: bool, on_written: Callable[[], None] = lambda: None) -> None:
        """One pass over the sweep.

        Args:
            final: close every run: nothing more will be written for now.
            on_written: called after each replicate.
        """
        states = self._states()
        parent = self.parent()
        if not self._runs:
            self._find_runs()
        for variant in self._record.variants:
            run = self._runs.get(variant.id) or self._begin(variant, parent)
            self._runs[variant.id] = run
            self._write_variant(variant, run, states, final=final)
            self._forget_done(variant)
            on_written()
        if final:
            whole = {state.state for state in states.values()}
            self.client.set_terminated(parent, "FAILED" if "failed" in whole else "FINISHED")

    def parent(self) -> str:
        """The id of the sweep's own run, made if need be."""
        if not self._parent:
            found = self._search(f"tags.sweep = '{self._record.name}'")
            self._parent = found[0].info.run_id if found else self._begin_sweep()
            self.client.update_run(self._parent, status="RUNNING")
            self._attach(self._parent, "sweep.json", self._record.model_dump_json(indent=1))
        return self._parent

    def attach_report(self, folder: Path, digest: str) -> None:
        """Add a report's files to the sweep's run, as artifacts; once as long as they are these."""
        parent = self.parent()
        if self.client.get_run(parent).data.tags.get(_REPORT) != digest:
            self.client.log_artifacts(parent, str(folder), "report")
            self.client.set_tag(parent, _REPORT, digest)

    def _begin_sweep(self) -> str:
        tags = {"sweep": self._record.name, "kind": "sweep"}
        run = self.client.create_run(self._experiment, run_name=self._record.name, tags=tags)
        return run.info.run_id

    def _begin(self, variant: VariantRecord, parent: str) -> _TrackedRun:
        tags = tags_of(self._record, variant) | {_PARENT: parent}
        run = self.client.create_run(self._experiment, run_name=variant.id, tags=tags)
        settings = self._settings(variant)
        self._log_params(run.info.run_id, params_of(variant, settings))
        config = {**variant.model_dump(mode="json"), "settings": settings}
        self._attach(run.info.run_id, "config.json", json.dumps(config, indent=1))
        return _TrackedRun(run.info.run_id)

    def _find_runs(self) -> None:
        """Take up the runs of earlier drivers; one whose design has changed since is set aside."""
        wanted = {variant.id: variant for variant in self._record.variants}
        for run in self._search("tags.kind = 'replicate' and tags.superseded = 'no'"):
            variant = wanted.get(run.data.tags.get("variant_id", ""))
            if variant is None:
                continue
            if run.data.tags.get("content") != content_of(variant):
                self.client.set_tag(run.info.run_id, "superseded", "yes")
                continue
            self._runs[variant.id] = _taken_up(run)

    def _write_variant(
        self,
        variant: VariantRecord,
        run: _TrackedRun,
        states: Mapping[str, StageState],
        *,
        final: bool,
    ) -> None:
        if run.closed:
            return
        status, failure = status_of(variant, states)
        names = {key: self._stage_name(variant, key) for key in variant.stages}
        before = run.status
        metrics: list[Metric] = []
        for key in variant.stages:
            metrics += self._new_metrics(run, key, names[key], states[key])
        run.status = f"{status}/{failure}"
        if metrics or run.status != before:
            self._log(run, metrics, {"status": status, "failure_class": failure})
        ended = status in ("done", "failed")
        if ended or final:
            closed = {"done": "FINISHED", "failed": "FAILED"}.get(status, "KILLED")
            self.client.set_terminated(run.id, closed)
            run.closed = ended
        elif status == "running" and run.status != before:
            self.client.update_run(run.id, status="RUNNING")

    def _new_metrics(
        self, run: _TrackedRun, key: str, name: str, state: StageState
    ) -> list[Metric]:
        """Points of one stage that this run doesn't have yet; its scores too, once it is done."""
        from mlflow.entities import Metric

        ended = f"{key[:15]}!"
        if state.state == "waiting" or ended in run.logged:
            return []
        last = run.logged.get(key[:16], 0)
        points = [point for point in self._points_of(key) if point.step > last]
        found = [
            Metric(stage_metric(name, point.name), point.value, point.time_ms, point.step)
            for point in points
        ]
        if points:
            run.logged[key[:16]] = max(point.step for point in points)
        if state.state == "done":
            run.logged[ended] = 1
            found += self._scores(run, key, name)
        return found

    def _points_of(self, key: str) -> list[Point]:
        """A stage's thinned points; what other replicates that share it read is not read again."""
        series = self._series.setdefault(key, SeriesFile())
        return series.points(self._store.metrics_path(key))

    def _states(self) -> dict[str, StageState]:
        """The state of every stage; one that is done stays so."""
        open_ = [key for key in self._record.stages if key not in self._done]
        found = stage_states(self._store, open_)
        self._done |= {key: state for key, state in found.items() if state.state == "done"}
        return {key: self._done.get(key) or found[key] for key in self._record.stages}

    def _forget_done(self, variant: VariantRecord) -> None:
        """Let go of the points that every replicate has by now: of hundreds of stages, many."""
        for key in variant.stages:
            if key in self._done and self._last_user[key] == variant.id:
                self._series.pop(key, None)

    def _scores(self, run: _TrackedRun, key: str, name: str) -> list[Metric]:
        from mlflow.entities import Metric

        items = self._store.stage_folder(key) / ITEMS
        if not items.exists():
            return []
        self.client.log_artifact(run.id, str(items), f"items/{name}")
        now = int(items.stat().st_mtime * 1000)
        return [
            Metric(metric_name(score.metric), score.score, now, 0)
            for score in scores_of_items(name, read_json_lines(items))
        ]

    def _log(self, run: _TrackedRun, metrics: list[Metric], tags: Mapping[str, str]) -> None:
        """Write metrics and tags; the steps written are a tag of the last batch, so that a driver
        that dies in between writes them again rather than never."""
        from mlflow.entities import RunTag

        last = {**tags, _LOGGED: json.dumps(run.logged, sort_keys=True)}
        said = [RunTag(name, text) for name, text in last.items()]
        for start in range(0, len(metrics), _BATCH_METRICS):
            batch = metrics[start : start + _BATCH_METRICS]
            ends = start + _BATCH_METRICS >= len(metrics)
            self.client.log_batch(run.id, metrics=batch, tags=said if ends else ())
        if not metrics:
            self.client.log_batch(run.id, tags=said)

    def _log_params(self, run_id: str, params: Mapping[str, str]) -> None:
        from mlflow.entities import Param

        rows = [Param(name, text[:_LONGEST_PARAM]) for name, text in params.items()]
        for start in range(0, len(rows), _BATCH_PARAMS):
            self.client.log_batch(run_id, params=rows[start : start + _BATCH_PARAMS])

    def _stage_name(self, variant: VariantRecord, key: str) -> str:
        """A stage's name within its replicate: the benchmark's for an evaluation."""
        names = [name for name, stage in variant.evaluations.items() if stage == key]
        return names[0] if names else self._record.stages[key].label

    def _settings(self, variant: VariantRecord) -> dict[str, dict[str, JsonValue]]:
        """What each stage of a replicate was told, by the stage's name."""
        return {
            f"{self._stage_name(variant, key)} {self._record.stages[key].part}".rstrip(): (
                self._record.stages[key].settings
            )
            for key in variant.stages
        }

    def _search(self, text: str) -> list[Run]:
        found: list[Run] = []
        token: str | None = None
        while True:
            page = self.client.search_runs(
                [self._experiment], text, max_results=1000, page_token=token
            )
            found += page
            token = page.token
            if not token:
                return found

    def _find_experiment(self) -> str:
        found = self.client.get_experiment_by_name(self._record.name)
        if found is not None:
            if found.lifecycle_stage == "deleted":
                self.client.restore_experiment(found.experiment_id)
            return found.experiment_id
        local = self._uri.startswith("sqlite:")
        place = (self._store.root / "mlflow-artifacts" / self._record.name).as_uri()
        return self.client.create_experiment(
            self._record.name,
            artifact_location=place if local else None,
            tags={"mlflow.experimentKind": "custom_model_development"},  # the UI opens with runs
        )

    def _attach(self, run_id: str, name: str, text: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_text(text, encoding="utf-8")
            self.client.log_artifact(run_id, str(path))


def _taken_up(run: Run) -> _TrackedRun:
    """A run that an earlier driver wrote; one that it finished is left as it is."""
    tags = run.data.tags
    return _TrackedRun(
        run.info.run_id,
        logged=json.loads(tags.get(_LOGGED, "{}")),
        status=f"{tags.get('status', '')}/{tags.get('failure_class', '')}",
        closed=tags.get("status") == "done" and run.info.status == "FINISHED",
    )


def open_client(uri: str) -> MlflowClient:
    """A client of the server at `uri` that gives up quickly and says nothing."""
    if not uri.startswith(("http:", "https:", "sqlite:")):
        _require_database(uri)
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from mlflow.tracking import MlflowClient

    for name in ("alembic", "mlflow"):  # after the import, which sets them
        logging.getLogger(name).setLevel(logging.ERROR)
    return MlflowClient(tracking_uri=uri)


def _require_database(uri: str) -> None:
    """Raise what a database that is away says, where MLflow would ask it for minutes."""
    from sqlalchemy import NullPool, create_engine

    create_engine(uri, poolclass=NullPool).connect().close()


def open_own(store: Store) -> MlflowClient:
    """A client of the store's own database, made if need be.

    One that cannot be used is set aside with a warning: it is a view, and the store has everything.
    """
    path, uri = database(store), default_uri(store)
    store.root.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name("mlflow.lock")):
        why = ""
        if path.exists():
            why = damage(path)
            if not why:
                try:
                    return _opened(uri)
                except Exception as error:
                    if passes(error):
                        raise
                    _forget(uri)
                    why = one_line(error)
            aside = set_aside(path)
            _log.warning(
                "%s cannot be used (%s): it is now %s, and the view is rebuilt from the store; "
                "`apollo sync SWEEP` brings back other sweeps",
                path,
                why,
                aside.name,
            )
        make_whole(path, _migrate)
        _forget(uri)
        return _opened(uri)


def _opened(uri: str) -> MlflowClient:
    client = open_client(uri)
    client.search_experiments(max_results=1)
    return client


def _migrate(uri: str) -> None:
    _opened(uri)
    _forget(uri)


def _forget(uri: str) -> None:
    """Close MLflow's connections to a file that is about to have another name.

    It keeps them by address for the life of the process and offers no way to let them go; the
    engine opens new ones when it is next used.
    """
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    engine = SqlAlchemyStore._engine_map.get(uri)
    if engine is not None:
        engine.dispose()
