"""Curves of many candidates are drawn with few points, and lose no peak."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_keyframes.html.thin import thinned


def test_a_short_curve_keeps_all_points():
    x = np.arange(40.0)
    assert thinned(x, x, columns=10).tolist() == list(range(40))


def test_a_long_curve_keeps_the_extremes_of_each_column():
    rng = np.random.default_rng(1)
    x, y = np.arange(10_000.0), rng.normal(size=10_000)
    kept = thinned(x, y, columns=100)
    assert len(kept) <= 400
    columns = np.minimum((x / x[-1] * 100).astype(int), 99)
    for column in range(100):
        inside = np.flatnonzero(columns == column)
        drawn = np.intersect1d(inside, kept)
        assert y[drawn].max() == y[inside].max()
        assert y[drawn].min() == y[inside].min()
        assert {inside[0], inside[-1]} <= set(drawn)


@given(st.integers(0, 9_999))
def test_a_single_peak_stays(place):
    x, y = np.arange(10_000.0), np.zeros(10_000)
    y[place] = 1
    assert place in thinned(x, y)


@pytest.mark.parametrize("last", [0.0, 1e-300])
def test_times_that_are_equal_or_next_to_it_do(last):
    x = np.zeros(10_000)
    x[-1] = last
    y = np.arange(10_000.0)
    assert {0, 9_999} <= set(thinned(x, y))
