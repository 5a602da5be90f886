"""The suite file (TOML): what to build, on what inputs, where to run it, and what it must meet.

One module for each table; docs/suite.md describes every key.
"""
