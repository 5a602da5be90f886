"""The search for the smallest mixed variant that meets a policy: which candidates to try, as a pure plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from harness.core.jobs import Count
from harness.core.measurements import Proportion
from harness.core.policy import Metric, Policy
from harness.core.value import Value
from harness.core.variants import Form, Granularity
from harness.core.verdict import Answer

JUDGED_HERE = (
    Metric.TOP1_AGREEMENT,
    Metric.TOP5_AGREEMENT,
    Metric.ACCURACY,
    Metric.ACCURACY_DROP,
    Metric.FILE_SIZE,
    Metric.COMPRESSED_SIZE,
)
"""What a variant's outputs on this machine and its file tell; latency and memory are for the run that follows."""


class Candidate(Value):
    """A form that was tried: how large it is, how it agrees, and what the policy says of that."""

    form: Form
    file_bytes: Count
    compressed_bytes: Count
    agreement: Proportion
    answer: Answer
    reason: str


class Rescue(Value):
    """What a search found. ``best``: the smallest candidate that passes; absent where none does."""

    rescue_version: Literal[1] = 1
    run_id: str
    variant: str
    tried: tuple[Candidate, ...]
    best: Candidate | None
    budget_left: Count
    not_judged: tuple[Metric, ...]
    """Metrics of the policy's rules that this search cannot judge."""


Try = Callable[[Form], Candidate | None]
"""``None``: there is no such form, as the quantizer refuses it."""


def judged_here(policy: Policy) -> Policy:
    """The policy's rules that the search can judge."""
    return policy.model_copy(
        update={"rules": tuple(rule for rule in policy.rules if rule.metric in JUDGED_HERE)}
    )


def search(form: Form, layers: Sequence[str], attempt: Try, budget: int) -> Iterator[Candidate]:
    """The candidates in the order they are tried, at most ``budget``; ``layers`` are the worst first.

    First twice as many of the worst layers stay in float each time (at the end all but one, then all), until the policy
    is met; then the least number that meets it is sought between the last two (as if more float could only help). From
    the layers that are left, those that turn out not to be needed are quantized again, the least harmful first; at last
    one scale for each weight tensor is tried. Every candidate that passes counts, so that a guess that was wrong loses
    nothing but a trial.
    """
    tried: dict[Form, Candidate | None] = {}

    def run(keep: Sequence[str], granularity: Granularity = form.granularity) -> Iterator[Candidate]:
        asked = form.model_copy(update={"keep_float": tuple(keep), "granularity": granularity})
        if asked not in tried and len(tried) < budget:
            found = tried[asked] = attempt(asked)
            if found is not None:
                yield found

    def passes(keep: Sequence[str]) -> bool:
        found = tried.get(form.model_copy(update={"keep_float": tuple(keep)}))
        return found is not None and found.answer is Answer.PASS

    yield from run(())
    if passes(()):
        return
    too_few = enough = 0
    for size in _sizes(len(layers)):
        too_few, enough = enough, size
        yield from run(layers[:enough])
        if passes(layers[:enough]):
            break
    else:
        return
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        yield from run(layers[:middle])
        if passes(layers[:middle]):
            enough = middle
        else:
            too_few = middle
    keep = list(layers[:enough])
    for layer in reversed(layers[:enough]):
        without = [each for each in keep if each != layer]
        yield from run(without)
        if passes(without):
            keep = without
    yield from run(keep, Granularity.TENSOR)


def _sizes(count: int) -> list[int]:
    """1, 2, 4, … below ``count`` less one, then that, then all."""
    doubled = [2**power for power in range(count.bit_length()) if 2**power < count - 1]
    return [*doubled, *(size for size in (count - 1, count) if size > 0)]


def smallest(tried: Sequence[Candidate]) -> Candidate | None:
    """The smallest file among those that pass; of equal ones the one that agrees more."""
    passing = [one for one in tried if one.answer is Answer.PASS]
    return min(passing, key=lambda one: (one.file_bytes, -one.agreement.successes), default=None)
