"""A report as text: a view model of formatted cells, and renderers that return it; nothing here prints."""
