"""Phones chosen by what they are: one makes a run, several a group, none an error that says why."""

from __future__ import annotations

from contextlib import ExitStack

from desk import Desk, assert_explained

from harness.pipeline.choose_target import TargetSettings, phone_udid
from harness.pipeline.new_run import new_run
from harness.pytest_virtual_iphone import StartVirtualIphones
from harness.store import GroupFolder, list_runs


def test_phones_are_chosen_by_what_they_are(desk: Desk, virtual_iphones: StartVirtualIphones) -> None:
    phones = virtual_iphones(ios=["16.7", "26.1"], install_runner=True)
    old, new = (identity.udid for identity in phones.identities)
    # Not trusted yet: told by what a phone tells anybody.
    assert phone_udid("iphone where ios>=18 and model=iPhone16,* and name='virtual iphone ?'") == new

    desk.tensors()
    query = "iphone where class=virtual and ios>=16"
    suite = desk.suite(recipes=("float32",), run=f'target = "{query}"\n')
    misspelt = desk.harness("run", suite, "--target", "iphone where oss=18", "--cache", desk.cache)
    assert_explained(misspelt, 2, "character 14", "no field 'oss'")
    # Its class is told by a phone only once it trusts the host; one that might be meant is not left out unsaid.
    phones.set_fault("trust-denied", 1)
    denied = desk.harness(
        "run", suite, "--target", "iphone where class=virtual and ios>18", "--cache", desk.cache
    )
    assert_explained(denied, 4, "Virtual iPhone 2", "whether this phone is meant is not known")
    assert f"udid!={new}" in denied.err and "tap Trust" in denied.err
    phones.clear_faults(phone=1)
    none = desk.harness(
        "run", suite, "--target", "iphone where class=iphone and ios>18", "--cache", desk.cache
    )
    assert_explained(
        none,
        4,
        "iphone where class=iphone and ios>18",
        "Virtual iPhone 1 (iPhone15,2 iOS 16.7): class is not known, iOS is not above 18",
        "Virtual iPhone 2 (iPhone16,2 iOS 26.1): class is not iphone",
    )
    assert list_runs(desk.runs) == []

    with ExitStack() as held:
        planned = new_run(suite, desk.runs, TargetSettings(cache=desk.cache), held)
        for target in planned.targets:
            target.close()
    assert isinstance(planned.folder, GroupFolder)
    group = planned.folder.group()
    assert group.target == query
    assert {device.target for device in group.devices} == {f"iphone:{old}", f"iphone:{new}"}
