"""The variants of a suite: what to build."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from harness.core.jobs import MOST_PROFILE_RUNS, Accelerator, Loading
from harness.core.value import Value
from harness.core.variants import Granularity, Recipe, VariantName, VariantSpec


class NamedVariantSection(Value):
    """``[variants.named.NAME]``: a recipe once more, built or run in another way."""

    recipe: Recipe
    loading: Loading | None = None
    threads: Annotated[int, Field(ge=1, le=64)] | None = None
    accelerator: Accelerator | None = None
    profile: Annotated[int, Field(ge=0, le=MOST_PROFILE_RUNS)] | None = None
    keep_float: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    granularity: Granularity = Granularity.CHANNEL

    @model_validator(mode="after")
    def _only_quantized_recipes_are_mixed(self) -> NamedVariantSection:
        is_mixed = bool(self.keep_float) or self.granularity is not Granularity.CHANNEL
        if is_mixed and not self.recipe.is_mixable:
            mixable = ", ".join(recipe.value for recipe in Recipe if recipe.is_mixable)
            raise ValueError(f"keep_float and granularity are for {mixable}, not for {self.recipe.value}")
        return self


class VariantsSection(Value):
    """``[variants]``: what to build."""

    recipes: tuple[Recipe, ...] = ()
    threads: tuple[Annotated[int, Field(ge=1, le=64)], ...] = ()
    named: Annotated[dict[VariantName, NamedVariantSection], Field(default_factory=dict)]

    @property
    def specs(self) -> tuple[VariantSpec, ...]:
        """All variants, in the order of the file; those of ``recipes`` are named by their recipe.

        With ``threads`` each of ``recipes`` runs with each number of them: ``int8-1t``, ``int8-2t``.
        """
        plain: tuple[VariantSpec, ...] = tuple(
            VariantSpec(f"{recipe.value}-{count}t", recipe, threads=count)
            for recipe in self.recipes
            for count in self.threads
        )
        if not self.threads:
            plain = tuple(VariantSpec(recipe.value, recipe) for recipe in self.recipes)
        named = (
            VariantSpec(
                name,
                section.recipe,
                section.loading,
                section.threads,
                section.accelerator,
                section.profile,
                section.keep_float,
                section.granularity,
            )
            for name, section in self.named.items()
        )
        return (*plain, *named)

    def spec(self, name: str) -> VariantSpec:
        """The variant called ``name``, which is there."""
        return next(spec for spec in self.specs if spec.name == name)

    @model_validator(mode="after")
    def _there_is_one(self) -> VariantsSection:
        if not self.specs:
            raise ValueError("no variant is asked for: list some in recipes")
        names = [spec.name for spec in self.specs]
        taken = [name for name in self.named if names.count(name) > 1]
        if taken:
            raise ValueError(f"{taken[0]} is among recipes already: give the named variant another name")
        return self

    @model_validator(mode="after")
    def _each_once(self) -> VariantsSection:
        repeated = {recipe.value for recipe in self.recipes if self.recipes.count(recipe) > 1}
        if repeated:
            raise ValueError(f"{', '.join(sorted(repeated))} is listed twice")
        if len(set(self.threads)) < len(self.threads):
            raise ValueError("a number of threads is listed twice")
        return self
