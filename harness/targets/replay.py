"""The replay target: answers jobs with what an earlier run recorded, so a pipeline can be tried with no device."""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.core.events import JobStarted, TargetClass
from harness.core.runs import JobOutcome
from harness.errors import TargetError
from harness.targets.base import OnEvent, outcome_of_exit
from harness.wire.event_log import read_events
from harness.wire.job_folder import job_folder, read_job
from harness.wire.strict_json import read_value


class ReplayTarget:
    """Serves a job from the recorded run that holds the same job: same id, model, inputs and settings."""

    def __init__(self, recorded_root: Path) -> None:
        self._recorded_root = recorded_root
        self._target_class = self._recorded_class()

    def _recorded_class(self) -> TargetClass:
        for path in sorted(self._recorded_root.glob("jobs/*/events.jsonl")):
            for event in read_events(path):
                if isinstance(event, JobStarted):
                    return event.device.target_class
        raise TargetError(
            "holds no recorded job",
            where=str(self._recorded_root),
            next_step="Name the folder of a finished run.",
        )

    @property
    def description(self) -> str:
        return f"the recording {self._recorded_root.name}"

    @property
    def target_class(self) -> TargetClass:
        """That of the recorded device: a replayed event is the same evidence, no more and no less."""
        return self._target_class

    def run(self, root: Path, job_id: str, on_event: OnEvent) -> JobOutcome:
        """See ``Target.run``.

        Raises:
            TargetError: the recording does not hold this very job.
        """
        asked = read_job(job_folder(root, job_id))
        recorded_folder = job_folder(self._recorded_root, job_id)
        if not (recorded_folder / "job.json").is_file() or read_job(recorded_folder) != asked:
            raise TargetError(
                f"the recording does not hold job {job_id} with this model, these inputs and settings",
                where=str(self._recorded_root),
                next_step="Replay the suite that was recorded, unchanged, or choose another target.",
            )
        folder = job_folder(root, job_id)
        known = len(read_events(folder / "events.jsonl"))
        for name in ("outputs.bin", "events.jsonl"):
            recorded = recorded_folder / name
            if recorded.is_file():
                partial = folder / f".{name}.partial"
                shutil.copyfile(recorded, partial)
                partial.replace(folder / name)
        events = read_events(folder / "events.jsonl")
        for event in events[known:]:
            on_event(event)
        outcome = recorded_folder / "outcome.json"
        if outcome.is_file():
            return read_value(outcome, JobOutcome, next_step="Replay another run: this one is damaged.")
        return outcome_of_exit(job_id, 0, events, error_text="the recording ends here", wall_ns=0)

    def close(self) -> None:
        """Nothing stays open."""
