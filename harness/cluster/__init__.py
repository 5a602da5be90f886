<<<<<<< HEAD
"""What the harness needs of Dask's scheduler: address, TLS, what is asked of a worker, calls that outlive workers."""
=======
"""Dask's distributed scheduler as the harness uses it: what is asked of a worker, and by whom it is answered.

Dask is imported where it is used: it takes most of a second.
"""
>>>>>>> 8c03e28 (Jobs on a cluster: what a worker is asked, the connection, the worker, and a device of it as a target)
