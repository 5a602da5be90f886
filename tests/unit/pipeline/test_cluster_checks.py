"""What a survey of a lab comes to: what is well, what a run can do without, and what to do next."""

from __future__ import annotations

import pytest

from harness import __version__
from harness.cluster.devices import Announced
from harness.cluster.survey import Member, Survey
from harness.core.device_traits import DeviceKind, DeviceTraits
from harness.pipeline.cluster_checks import survey_steps
from harness.targets.iphone.checks import Step

PHONE = DeviceTraits(
    kind=DeviceKind.IPHONE, udid="00008120-001A", model="iPhone15,2", ios="18.5", host="desk1", name="Ada’s"
)


def member(*announced: Announced, dask: str | None = "2026.8.0", host: str = "desk1") -> Member:
    return Member(f"tls://{host}:1", host, announced, dask)


def steps(*members: Member, dask: str = "2026.8.0") -> dict[str, Step]:
    found = survey_steps(Survey(dask, members), "tls://lab:8786", ours="2026.8.0", engine="aa")
    return {step.name: step for step in found}


def cores(engine: str, count: int, release: str = __version__) -> Announced:
    return Announced("tls://desk1:1", f"cores engine={engine}", count, engine=engine, release=release)


def phone(release: str = __version__) -> Announced:
    return Announced("tls://desk1:1", "iphone", 1, device=PHONE, release=release)


def test_all_is_well() -> None:
    found = steps(member(phone()), member(cores("aa", 8)), member(cores("bb", 4), host="desk2"))
    assert all(step.is_well and not step.next_step for step in found.values())
    assert list(found) == ["scheduler", "worker desk1", "worker desk2", "phone", "cores"]
    assert found["worker desk1"].found == f"harness {__version__}, Dask 2026.8.0, 1 phone, 8 cores"
    assert found["phone"].found == "Ada’s (iPhone15,2 iOS 18.5) at desk1: --target iphone:00008120-001A"
    assert found["cores"].found == "8 like this machine's, 4 of another kind"


def test_a_scheduler_alone() -> None:
    found = steps()
    assert not found["workers"].is_well
    assert found["workers"].next_step.endswith("harness worker tls://lab:8786.")


@pytest.mark.parametrize(
    ("members", "name", "told", "next_step", "is_needed"),
    [
        ([member(phone("0.0.9"))], "worker desk1", "harness 0.0.9, ", "same release", True),
        ([member(phone(""))], "worker desk1", "harness unknown, ", "same release", True),
        (
            [member(phone(), dask=None)],
            "worker desk1",
            "not reached from here: tls://desk1:1",
            "--ports",
            True,
        ),
        ([member(phone(), dask="2025.1.0")], "worker desk1", "here is Dask 2026.8.0", "same release", True),
        ([member(cores("aa", 1))], "phones", "no worker has one", "Attach", False),
        ([member(phone())], "cores", "no worker offers any", "--cores", False),
        ([member(cores("bb", 4))], "cores", "4 of another kind, none like this", "last bits", False),
        ([member(cores("aa", 4, "0.0.9"))], "cores", "no worker offers any", "--cores", False),
    ],
)
def test_what_is_not_well_says_what_to_do(
    members: list[Member], name: str, told: str, next_step: str, is_needed: bool
) -> None:
    step = steps(*members)[name]
    assert not step.is_well
    assert told in step.found
    assert next_step in step.next_step
    assert step.is_needed is is_needed


def test_a_scheduler_of_another_release_of_dask() -> None:
    step = steps(member(phone()), dask="2025.1.0")["scheduler"]
    assert not step.is_well and "2025.1.0, here 2026.8.0" in step.found
