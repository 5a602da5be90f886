"""Builds variants of a model, runs them where they ship, and judges the measurements against a policy."""

# The only place of the version: the package's metadata and the runner executable are built from it.
__version__ = "0.1.0"
