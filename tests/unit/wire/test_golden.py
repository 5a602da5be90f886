"""The golden wire files: valid ones are read to the last figure, invalid ones are refused with a place and a cause."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jsonschema
import pytest

from harness.core.events import (
    Delegation,
    Interrupted,
    JobFailed,
    JobFinished,
    JobStarted,
    Keystrokes,
    Profile,
    Samples,
    Stage,
    StageFinished,
)
from harness.core.jobs import Accelerator, CharacterEncoding, Loading, PixelEncoding, TensorEncoding
from harness.core.text_encoding import TextEncoding, encode_texts
from harness.errors import WireError
from harness.wire.event_log import EventLogReader, read_events
from harness.wire.job_folder import read_job, write_job
from harness.wire.schema import SCHEMA_FOLDER, schemas
from harness.wire.strict_json import parse_object

GOLDEN = Path(__file__).parents[3] / "fixtures" / "wire"
INVALID_JOBS = sorted((GOLDEN / "invalid").glob("job-*.json"))
INVALID_LOGS = sorted((GOLDEN / "invalid").glob("log-*.jsonl"))


def place(source: Path, tmp_path: Path, job_id: str = "r00-int8") -> Path:
    folder = tmp_path / "jobs" / job_id
    folder.mkdir(parents=True)
    shutil.copy(source, folder / "job.json")
    return folder


def test_pixel_job_is_read_whole(tmp_path: Path) -> None:
    job = read_job(place(GOLDEN / "valid/job-pixels.json", tmp_path))
    assert job.model.bytes == 5270000
    assert isinstance(job.inputs[0].encoding, PixelEncoding)
    assert job.inputs[0].encoding.scale == (128.0, 128.0, 128.0)
    assert (job.first_input, job.input_count, job.settings.threads) == (100, 2, 2)
    assert job.settings.steady.max_duration_ns == 5_000_000_000


def test_tensor_job_is_read_whole(tmp_path: Path) -> None:
    job = read_job(place(GOLDEN / "valid/job-tensors.json", tmp_path, "r01-tensors"))
    assert [entry.tensor for entry in job.inputs] == ["characters", "mask"]
    assert isinstance(job.inputs[0].encoding, TensorEncoding)
    assert job.inputs[0].encoding.record_bytes == 48
    assert job.settings.loading is Loading.HEAP


def test_characters_job_is_read_whole(tmp_path: Path) -> None:
    encoding = (
        read_job(place(GOLDEN / "valid/job-characters.json", tmp_path, "r00-characters")).inputs[0].encoding
    )
    assert isinstance(encoding, CharacterEncoding)
    assert (encoding.record_bytes, encoding.rule.lowercase) == (480, True)
    assert list(encoding.rule.alphabet)[:4] == [" ", "a", "b", "c"] and encoding.rule.alphabet[-1] == "♥"
    assert CharacterEncoding.of(encoding.rule) == encoding


def test_a_job_that_types_is_read_whole(tmp_path: Path) -> None:
    job = read_job(place(GOLDEN / "valid/job-keystrokes.json", tmp_path, "r00-typed"))
    assert job.keystrokes is not None
    assert (job.keystrokes.texts.bytes, job.keystrokes.pause_ns) == (40, 20_000_000)
    assert job.blobs == (job.inputs[0].blob, job.keystrokes.texts, job.model)


def test_keystrokes_of_a_log() -> None:
    (typed,) = [
        event for event in read_events(GOLDEN / "valid/log-keystrokes.jsonl") if isinstance(event, Keystrokes)
    ]
    assert (typed.texts, typed.latency_ns) == (2, (41000, 39000, 40500))


def test_golden_texts_become_the_golden_numbers() -> None:
    golden = json.loads((GOLDEN / "valid/characters.json").read_bytes())
    for rule in golden["rules"]:
        encoding = TextEncoding(
            alphabet=golden["alphabet"], lowercase=rule["lowercase"], length=rule["length"]
        )
        encoded = encode_texts([entry["text"] for entry in rule["texts"]], encoding)
        assert encoded.tolist() == [entry["numbers"] for entry in rule["texts"]]


def test_an_accelerated_job_is_read_whole(tmp_path: Path) -> None:
    settings = read_job(place(GOLDEN / "valid/job-accelerated.json", tmp_path, "r02-metal")).settings
    assert (settings.loading, settings.accelerator) == (Loading.WEIGHT_CACHE, Accelerator.METAL)
    assert settings.profile == 20


def test_defaults_may_be_left_out(tmp_path: Path) -> None:
    job = read_job(place(GOLDEN / "valid/job-defaults-left-out.json", tmp_path))
    assert job == read_job(place(GOLDEN / "valid/job-pixels.json", tmp_path / "whole"))


def test_a_written_job_reads_back_equal(tmp_path: Path) -> None:
    job = read_job(place(GOLDEN / "valid/job-pixels.json", tmp_path))
    assert read_job(write_job(tmp_path / "again", job)) == job


@pytest.mark.parametrize("path", INVALID_JOBS, ids=lambda path: path.stem)
def test_invalid_jobs_are_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(WireError) as refusal:
        read_job(place(path, tmp_path))
    assert "job.json" in str(refusal.value.where)
    assert refusal.value.next_step


def test_a_newer_job_says_update(tmp_path: Path) -> None:
    with pytest.raises(WireError, match="wire_version is 2") as refusal:
        read_job(place(GOLDEN / "invalid/job-newer-version.json", tmp_path))
    assert "Update" in refusal.value.next_step


def test_a_job_in_a_folder_of_another_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WireError, match="not the folder's name"):
        read_job(place(GOLDEN / "valid/job-pixels.json", tmp_path, "r99-other"))


def test_finished_log() -> None:
    events = read_events(GOLDEN / "valid/log-finished.jsonl")
    assert isinstance(events[0], JobStarted) and events[0].device.memory_bytes == 1 << 34
    steady = [event for event in events if isinstance(event, Samples) and event.phase is Stage.STEADY]
    assert steady[0].latency_ns == (2500, 2600, 2400)
    assert isinstance(events[-1], JobFinished) and events[-1].steady_samples == 3
    start = events[1]
    assert isinstance(start, StageFinished) and start.duration_ns is None


def test_an_iphones_log_is_read_whole() -> None:
    events = read_events(GOLDEN / "valid/log-iphone.jsonl")
    started = events[0]
    assert isinstance(started, JobStarted) and started.quality_of_service == "user-interactive"
    compiled = next(e for e in events if isinstance(e, StageFinished) and e.stage is Stage.COMPILE)
    assert compiled.weight_cache == "built" and compiled.memory.limit_remaining_bytes == 3_000_000_000
    assert [event.kind for event in events if isinstance(event, Interrupted)] == ["background", "foreground"]
    (delegation,) = [event for event in events if isinstance(event, Delegation)]
    assert not delegation.obtained and delegation.reason and delegation.operations == 4
    (profile,) = [event for event in events if isinstance(event, Profile)]
    assert [time.total_ns for time in profile.times] == [30000, 20000, 5000]


def test_failed_log_keeps_its_words() -> None:
    events = read_events(GOLDEN / "valid/log-failed.jsonl")
    assert isinstance(events[-1], JobFailed)
    assert events[-1].code == "model_invalid"
    assert "“TFL3”" in events[-1].message


def test_a_cut_off_line_is_not_a_record() -> None:
    whole = (GOLDEN / "valid/log-cut-off.jsonl").read_bytes()
    assert not whole.endswith(b"\n")
    assert len(read_events(GOLDEN / "valid/log-cut-off.jsonl")) == whole.count(b"\n")


def test_a_growing_log_is_read_in_pieces_without_loss_or_repeat(tmp_path: Path) -> None:
    whole = (GOLDEN / "valid/log-resumed.jsonl").read_bytes()
    path = tmp_path / "events.jsonl"
    reader = EventLogReader(path)
    assert list(reader.new_events()) == []
    seen = []
    for start in range(0, len(whole), 97):
        with path.open("ab") as file:
            file.write(whole[start : start + 97])
        seen.extend(reader.new_events())
    assert tuple(seen) == read_events(GOLDEN / "valid/log-resumed.jsonl")


@pytest.mark.parametrize("path", INVALID_LOGS, ids=lambda path: path.stem)
def test_invalid_logs_are_refused_with_their_line(path: Path) -> None:
    with pytest.raises(WireError) as refusal:
        read_events(path)
    assert str(refusal.value.where).endswith(f"{path.name}:2")


def test_committed_schemas_are_those_of_the_records() -> None:
    for name, text in schemas().items():
        written = (SCHEMA_FOLDER / name).read_text(encoding="utf-8")
        assert written == text, "write them again: python -m harness.wire.schema"


@pytest.mark.parametrize("path", sorted((GOLDEN / "valid").glob("job-*.json")), ids=lambda path: path.stem)
def test_valid_jobs_meet_the_schema(path: Path) -> None:
    jsonschema.validate(json.loads(path.read_text()), json.loads(schemas()["job.schema.json"]))


@pytest.mark.parametrize("text", ["", "[]", "1", '{"a":1}{"b":2}', '{"a":Infinity}', "[" * 100_000])
def test_only_one_finite_object_is_json_here(text: str) -> None:
    with pytest.raises(ValueError):
        parse_object(text)
