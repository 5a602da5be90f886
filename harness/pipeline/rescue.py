"""Search the smallest mixed form of a variant that meets the policy; its outputs are judged on this machine."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.core.agreement import accuracy, agreement
from harness.core.layer_blame import rank
from harness.core.policy import Policy
from harness.core.rescue import JUDGED_HERE, Candidate, Rescue, judged_here, search, smallest
from harness.core.variants import FailedBuild, Form, Recipe, VariantSpec
from harness.core.verdict import Answer, judge
from harness.errors import BuildError, UsageError
from harness.pipeline.choose_target import TargetSettings
from harness.pipeline.crossed_cases import CrossedCases, open_cases
from harness.pipeline.progress import Progress
from harness.pipeline.shard_pools import shard_pool
from harness.store import RunFolder
from harness.workloads.layers import compare_layers

_LAYER_INPUTS = 16
_TOLERANCE = 0.1
OnTried = Callable[[Candidate], None]


def rescue(
    folder: RunFolder,
    name: str,
    policy: Policy,
    settings: TargetSettings,
    progress: Progress,
    *,
    budget: int,
    on_tried: OnTried,
) -> Rescue:
    """Try mixed forms of the variant ``name`` of a finished run, at most ``budget``, by the policy's rules.

    Raises:
        UsageError: the variant's recipe cannot be mixed, or no rule of the policy can be judged here.
        RunError: the variant was not measured, or model or inputs changed since.
        BuildError: there is no float32 form of the model.
    """
    with shard_pool(settings) as pool:
        return _searched(open_cases(folder, name, settings, progress, pool), name, policy, budget, on_tried)


def _searched(cases: CrossedCases, name: str, policy: Policy, budget: int, on_tried: OnTried) -> Rescue:
    spec = cases.suite.variants.spec(name)
    if not spec.recipe.is_mixable:
        mixable = ", ".join(recipe.value for recipe in Recipe if recipe.is_mixable)
        raise UsageError(
            f"{name} is {spec.recipe.value}, of which no layer can be left in float",
            where=str(cases.folder.path),
            next_step=f"Choose a variant of one of these recipes: {mixable}.",
        )
    here = judged_here(policy)
    if not any(rule.holds_for(name) for rule in here.rules):
        raise UsageError(
            f"the policy has no rule on {name}'s agreement, accuracy or size",
            where=str(cases.folder.path),
            next_step="Give one that has: --policy FILE.",
        )
    base = cases.float32_model()
    if base is None:
        raise BuildError(
            "there is no float32 .tflite to keep layers of",
            where=str(cases.source.path),
            next_step="Give the model in a form that is not quantized yet.",
        )
    layers = [
        one.operation.tensor
        for one in rank(
            compare_layers(
                base, cases.model_path, cases.workload, cases.store, cases.spread_positions(_LAYER_INPUTS)
            ),
            tolerance=_TOLERANCE,
        )
    ]
    tried = []
    for candidate in search(spec.form, layers, lambda form: _attempt(cases, name, form, here), budget):
        tried.append(candidate)
        on_tried(candidate)
    return Rescue(
        run_id=cases.folder.plan().run_id,
        variant=name,
        tried=tuple(tried),
        best=smallest(tried),
        budget_left=budget - len(tried),
        not_judged=tuple(
            dict.fromkeys(
                rule.metric
                for rule in policy.rules
                if rule.metric not in JUDGED_HERE and rule.holds_for(name)
            )
        ),
    )


def _attempt(cases: CrossedCases, name: str, form: Form, policy: Policy) -> Candidate | None:
    spec = VariantSpec(name, form.recipe, keep_float=form.keep_float, granularity=form.granularity)
    built = cases.build(spec)
    if isinstance(built, FailedBuild):
        return None
    measured, reference = cases.measured, cases.reference_scores
    outputs = cases.on_tflite(cases.store.path(built.model))
    workload, confidence = cases.workload, policy.confidence
    truths = [one.truth for one in workload.inputs]
    found = agreement(
        reference,
        outputs,
        names=[one.name for one in workload.inputs],
        truths=truths,
        output_kind=workload.output_kind,
        confidence=confidence,
    )
    # Only the figures that the rules here are about are this candidate's own.
    as_measured = measured.model_copy(
        update={
            "variant": built,
            "agreement": found,
            "accuracy": accuracy(np.asarray(reference), outputs, truths, confidence),
        }
    )
    others = [one for one in cases.results if one.variant is not None and one.variant.name != name]
    judged = [one for one in judge(policy, [as_measured, *others]).results if one.variant == name]
    worst = next(
        (one for answer in (Answer.FAIL, Answer.UNDECIDED) for one in judged if one.answer is answer),
        judged[0],
    )
    return Candidate(
        form=form,
        file_bytes=built.file_bytes,
        compressed_bytes=built.compressed_bytes,
        agreement=found.top1,
        answer=worst.answer,
        reason=worst.reason,
    )
