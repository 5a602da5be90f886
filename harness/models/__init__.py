"""What the user brings: one module for each format, and a registry that recognises them by content."""
