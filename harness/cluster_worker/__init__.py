"""A worker of a cluster: the phones and cores of one machine, behind Dask's scheduler."""
