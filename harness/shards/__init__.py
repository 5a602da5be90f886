"""Large computations on the desktop, cut into shards: what a shard is, who computes it, and in which processes."""
