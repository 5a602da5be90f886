"""Pages that open from disk: one file each, without a request, safe against whatever a device or a file says."""
