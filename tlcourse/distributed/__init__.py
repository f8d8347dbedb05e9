"""Features on a Dask cluster (https://distributed.dask.org), bit for bit the same.

`model.extract_features(folder, engine="dask")` is the usual way in. The workers write
Parquet shards, which `read_shards` and every other reader of Parquet can read.
"""

from .cluster import connected, local_cluster
from .extraction import compute_features
from .shards import Shards, read_shards

__all__ = ["Shards", "compute_features", "connected", "local_cluster", "read_shards"]
