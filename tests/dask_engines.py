"""Engines for Dask's workers in tests; a file says what happened to them."""

import os
import signal
from pathlib import Path

import numpy as np
from distributed import LocalCluster


class MeanColour:
    """A picture's mean colour; notes the processes that unpickled it and ran it."""

    batch, output_shape = 1, (3,)

    def __init__(self, diary: Path, key: str = "mean colour"):
        self.diary, self.key = diary, key

    def note(self, event: str) -> None:
        with open(self.diary, "a") as file:
            file.write(f"{event} {os.getpid()}\n")

    def events(self, event: str) -> list[str]:
        """The processes that noted this event."""
        lines = self.diary.read_text().splitlines() if self.diary.exists() else []
        return [line.split()[1] for line in lines if line.startswith(f"{event} ")]

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        self.note("unpickled")

    def run(self, batch: np.ndarray) -> np.ndarray:
        self.note("ran")
        return batch.mean(axis=(1, 2))


class Deadly(MeanColour):
    """Kills its process at a black picture, as a faulty decoder does, `most` times."""

    def __init__(self, diary: Path, most: int = 10**6):
        super().__init__(diary, "deadly")
        self.most = most

    def run(self, batch: np.ndarray) -> np.ndarray:
        if not batch.any() and len(self.events("died")) < self.most:
            self.note("died")
            os.kill(os.getpid(), signal.SIGKILL)
        return super().run(batch)


def secure_cluster(workers: int) -> LocalCluster:
    """A cluster with a certificate, as lesson 12 starts it."""
    options = {"n_workers": workers, "threads_per_worker": 1}
    return LocalCluster(security=True, dashboard_address="127.0.0.1:0", **options)


def certificate_settings(cluster, folder: Path) -> dict[str, str]:
    """Dask's settings that name the files of a cluster's certificate."""
    files = {
        "ca-file": "tls_ca_file",
        "client.cert": "tls_client_cert",
        "client.key": "tls_client_key",
    }
    for name, attribute in files.items():
        (folder / f"{name}.pem").write_text(getattr(cluster.security, attribute))
    return {
        f"distributed.comm.tls.{name}": str(folder / f"{name}.pem") for name in files
    }
