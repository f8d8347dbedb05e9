"""Training on several ranks: what one rank would come to, also after one of them is killed."""

import os
import signal
import threading

import numpy as np
import pytest
from dask_engines import rank_processes
from distributed import Client

import tlcourse as tl
from tlcourse.errors import TLCourseError, UserInputError
from tlcourse.scale import rank
from tlcourse.scale.cluster import local_cluster
from tlcourse.tensorflow_start import import_tensorflow

pytestmark = pytest.mark.slow

EPOCHS = 3
SETTINGS = {
    "epochs": EPOCHS,
    "batch_size": 32,
    "learning_rate": 0.01,
    "say": lambda line: None,
}


def make_network(activation="relu"):
    import_tensorflow()
    import keras

    keras.utils.set_random_seed(0)
    features = keras.Input((20,))
    hidden = keras.layers.Dense(16, activation=activation)(features)
    return keras.Model(features, keras.layers.Dense(4, activation="softmax")(hidden))


@pytest.fixture(scope="module")
def rows():
    """150 rows of 20 numbers, whose largest of the first four is the class; 150 is no multiple of the batch."""
    inputs = np.random.default_rng(0).normal(size=(150, 20)).astype(np.float32)
    return inputs, inputs[:, :4].argmax(axis=1)


@pytest.fixture(scope="module")
def client():
    with (
        local_cluster(n_workers=2, threads_per_worker=1) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def alone(client, rows, tmp_path_factory):
    """What one rank comes to."""
    return tl.scale.train(
        make_network(),
        *rows,
        tmp_path_factory.mktemp("alone") / "out",
        ranks=1,
        **SETTINGS,
    )


@pytest.fixture(scope="module")
def killed(client, rows, tmp_path_factory):
    """Two ranks; one of them is killed after the first epoch."""
    out = tmp_path_factory.mktemp("killed") / "out"

    def kill_one() -> None:
        while not rank.checkpoint_path(out, 1).exists():
            if over.wait(0.01):
                return
        processes = rank_processes(out)
        if processes:
            os.kill(processes[0].pid, signal.SIGKILL)

    over = threading.Event()
    killer = threading.Thread(target=kill_one)
    killer.start()
    try:
        with pytest.warns(UserWarning, match="without authentication"):
            trained = tl.scale.train(
                make_network(), *rows, out, ranks=2, **SETTINGS | {"epochs": 40}
            )
    finally:
        over.set()
        killer.join()
    return trained, out


@pytest.fixture(scope="module")
def alone_for_long(client, rows, tmp_path_factory):
    out = tmp_path_factory.mktemp("alone") / "long"
    return tl.scale.train(
        make_network(), *rows, out, ranks=1, **SETTINGS | {"epochs": 40}
    )


def test_a_killed_rank_is_noticed_and_all_begin_again_from_the_checkpoint(killed):
    assert len(killed[0].begun_after) == 2 and killed[0].begun_after[1] >= 1


def test_the_losses_are_those_of_one_rank(killed, alone_for_long):
    np.testing.assert_allclose(killed[0].losses, alone_for_long.losses, rtol=1e-4)


def test_the_losses_are_those_of_a_loop_in_this_process(alone, rows):
    np.testing.assert_allclose(alone.losses, losses_here(*rows), rtol=1e-5)


def losses_here(inputs, labels) -> list[float]:
    """Keras' own training on the same batches."""
    import keras

    network = make_network()
    network.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    found = []
    for epoch in range(EPOCHS):
        order, total = np.random.default_rng([0, epoch]).permutation(len(labels)), 0.0
        for at in range(0, len(order), 32):
            some = order[at : at + 32]
            network.reset_metrics()
            total += len(some) * float(
                network.train_on_batch(inputs[some], labels[some])
            )
        found.append(total / len(order))
    return found


def test_the_network_that_comes_back_is_the_trained_one(alone, rows):
    import keras

    probabilities = alone.network.predict(rows[0], verbose=0)
    loss = float(
        np.mean(keras.losses.sparse_categorical_crossentropy(rows[1], probabilities))
    )
    assert loss < alone.losses[-1]


def test_a_finished_training_is_not_begun_again(client, rows, tmp_path):
    first = tl.scale.train(make_network(), *rows, tmp_path / "out", ranks=1, **SETTINGS)
    again = tl.scale.train(make_network(), *rows, tmp_path / "out", ranks=1, **SETTINGS)
    assert again.begun_after == [] and again.losses == first.losses


def test_another_trainings_folder_is_not_written_over(client, rows, killed):
    with pytest.raises(UserInputError, match="holds another training"):
        tl.scale.train(make_network(), *rows, killed[1], ranks=1, **SETTINGS)


def test_a_folder_with_another_programs_note_in_it_is_not_written_to(rows, tmp_path):
    for name in ("_begun.json", "inputs.npy"):
        (tmp_path / name).write_text('{"mine": 1}')
    with pytest.raises(UserInputError, match="or something else"):
        tl.scale.train(make_network(), *rows, tmp_path, ranks=1, **SETTINGS)
    assert (tmp_path / "inputs.npy").read_text() == '{"mine": 1}'


def test_another_network_is_another_training(client, rows, killed):
    with pytest.raises(UserInputError, match="holds another training"):
        tl.scale.train(
            make_network("tanh"), *rows, killed[1], ranks=2, **SETTINGS | {"epochs": 40}
        )


def test_more_ranks_than_workers_are_refused(client, rows, tmp_path):
    with pytest.raises(
        TLCourseError, match="3 ranks were asked for, and the cluster has 2 workers"
    ):
        tl.scale.train(make_network(), *rows, tmp_path / "out", ranks=3, **SETTINGS)


@pytest.mark.parametrize(
    "labels", [np.zeros(149, int), np.zeros(150), np.full(150, -1)]
)
def test_labels_that_do_not_fit_are_refused(rows, tmp_path, labels):
    with pytest.raises(
        UserInputError, match="expected one whole number from 0 for each row"
    ):
        tl.scale.train(make_network(), rows[0], labels, tmp_path / "out")


def test_a_rank_that_fails_again_and_again_is_given_up(client, rows, tmp_path):
    with pytest.raises(TLCourseError, match="Ranks were lost 3 times after epoch 0"):
        tl.scale.train(
            make_network(),
            rows[0][:, :3],
            rows[1],
            tmp_path / "out",
            ranks=1,
            **SETTINGS,
        )
