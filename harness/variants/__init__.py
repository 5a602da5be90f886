"""Recipes, the builder that runs them in subprocesses, and the content-addressed cache of what was built."""
