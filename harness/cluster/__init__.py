"""What the harness needs of Dask's scheduler: address, TLS, what is asked of a worker, calls that outlive workers."""
