"""Past one machine: the same features, computed by the workers of Dask (https://distributed.dask.org).

`model.extract_features(folder, engine="dask")` is the usual way in. What was computed lies in Parquet shards, which
`read_shards` reads, and every other tool that knows Parquet.
"""

from .job import compute
from .shards import Shards, read_shards
from .training import Trained, train

__all__ = ["Shards", "Trained", "compute", "read_shards", "train"]
