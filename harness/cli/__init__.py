"""The command line: one file for each verb; ``main`` composes them."""
