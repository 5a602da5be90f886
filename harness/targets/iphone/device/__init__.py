"""All that touches pymobiledevice3 (GPL-3.0-or-later, pinned). Imported only in the worker process."""
