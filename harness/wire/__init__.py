"""The versioned files that the host and the runner share. docs/wire-format.md describes them."""
