"""Samples read when asked for: the same values as an array, and no more read than asked."""

import numpy as np
import pytest

from dalif_deploy.data import LabelledData, LazySamples
from dalif_deploy.hw_models.samples.input_data import take_samples

ARRAY = np.random.default_rng(0).random((7, 2, 3)).astype(np.float32)


@pytest.fixture
def lazy():
    """The array, and the list of samples read so far."""
    read = []

    def sample(index):
        read.append(index)
        return ARRAY[index]

    return LazySamples(ARRAY.shape[1:], len(ARRAY), sample), read


@pytest.mark.parametrize(
    "index",
    [slice(None), slice(2, 5), slice(None, None, -2), slice(4, 99), slice(0, 0), np.array([5, 0, 5, -1]),
     np.array([], int), np.arange(7) % 2 == 0, 3, -1],
)  # fmt: skip
def test_an_index_gives_what_an_array_gives_and_reads_nothing_else(lazy, index):
    samples, read = lazy
    given = samples[index]
    assert isinstance(given, np.ndarray) and given.dtype == np.float32
    np.testing.assert_array_equal(given, ARRAY[index])
    assert read == np.arange(7)[index].ravel().tolist()


def test_it_has_an_array_s_shape_and_becomes_one(lazy):
    samples, read = lazy
    assert (samples.shape, samples.ndim, len(samples), samples.dtype) == (ARRAY.shape, 3, 7, np.float32)
    assert read == []
    np.testing.assert_array_equal(np.asarray(samples), ARRAY)
    assert np.asarray(samples, dtype=np.float64).dtype == np.float64
    assert [len(each) for each in samples] == [2] * 7  # ends, so IndexError is raised where an array raises it


def test_a_limit_reads_no_more(lazy):
    samples, read = lazy
    part = take_samples(LabelledData(samples, None, None, "x").inputs, slice(2))
    np.testing.assert_array_equal(part, ARRAY[:2])
    assert read == [0, 1]


def test_a_sample_of_another_shape_is_refused():
    samples = LazySamples((2, 3), 4, lambda index: np.zeros(3))
    with pytest.raises(ValueError, match="sample 1 has shape"):
        samples[1:3]
