"""Estimates of totals: exact where all is known, and ranges that hold as often as they say."""

import math
import random

import pytest

from spark_keyframes.jobs.dry_run_report import _SIZES, _TIMES, amount, number
from spark_keyframes.jobs.estimates import Estimate, rate, spread_out, total


def test_where_all_are_read_the_total_is_exact():
    found = total([3.0, 5.0, 0.0], [10, 20, 30], 60, [1.0, 1.0, 1.0])
    assert (found.value, found.spread) == (8.0, 0.0)
    assert total([], [], 0, []) == Estimate(0.0)


@pytest.mark.parametrize("by", ["bytes", "count"])
def test_ninety_of_a_hundred_ranges_have_the_true_total(by):
    """Of a thousand videos of very different sizes, of which one in ten fails to open."""
    rng, inside, errors = random.Random(5), 0, []
    for _ in range(200):
        sizes = [rng.lognormvariate(0, 1.2) for _ in range(1000)]
        seconds = [0.0 if rng.random() < 0.1 else size * rng.uniform(0.6, 1.4) for size in sizes]
        images = [min(8.0, math.ceil(each)) for each in seconds]
        mean = sum(sizes) / len(sizes)
        shares = [min(1.0, 50 * (size / mean + 1) / 2 / len(sizes)) for size in sizes]
        chosen = [i for i, share in enumerate(shares) if rng.random() < share]
        values, known = (seconds, sizes) if by == "bytes" else (images, [1.0] * len(sizes))
        found = total(
            *([of[i] for i in chosen] for of in (values, known)),
            sum(known),
            [shares[i] for i in chosen],
        )
        errors.append(found.value / sum(values) - 1)
        inside += abs(found.value - sum(values)) <= found.spread
    assert 180 <= inside <= 200
    assert abs(sum(errors) / len(errors)) < 0.02, "neither too high nor too low on average"


def test_measurements_are_of_videos_that_stand_for_equal_parts():
    assert spread_out([1.0, 2.0, 0.0], 3) == {0: 1.0, 1: 2.0}
    assert spread_out([1.0] * 12, 3) == {2: 4.0, 6: 4.0, 10: 4.0}
    assert spread_out([90.0, *[1.0] * 10], 5) == {0: 80.0, 1: 20.0}, "a large one stands for more"


def test_a_rate_has_the_spread_of_its_measurements():
    found = rate([2.0, 4.0, 9.0], [2.0, 2.0, 3.0], [1.0, 1.0, 2.0])
    assert found.value == pytest.approx((1 + 2 + 3 * 2) / 4)
    assert 0 < found.spread < math.inf
    assert rate([2.0, 2.0], [1.0, 1.0], [1.0, 3.0]) == Estimate(2.0, 0.0)
    assert math.isinf(rate([2.0], [1.0], [1.0]).spread), "one says nothing of others"
    assert rate([1.0], [0.0], [1.0]) == Estimate(0.0)


def test_errors_add_as_squares():
    assert Estimate(10.0, 3.0) + Estimate(20.0, 4.0) == Estimate(30.0, 5.0)
    assert Estimate(10.0, 1.0) * 3.0 == Estimate(30.0, 3.0)
    found = Estimate(10.0, 3.0) * Estimate(10.0, 4.0)
    assert (found.value, found.spread) == (100.0, pytest.approx(50.0))
    assert Estimate(0.0) * Estimate(1.0, math.inf) == Estimate(0.0)


def test_amounts_have_the_unit_that_is_read_most_easily():
    assert amount(Estimate(7200.0), _TIMES) == "2.0 hours"
    assert amount(Estimate(7199.0, 600.0), _TIMES) == "120.0 (110.0 to 130.0) minutes"
    assert amount(Estimate(0.5), _TIMES) == "0.5 seconds"
    assert amount(Estimate(3e9, 4e9), _SIZES) == "3.0 (0.0 to 7.0) GB"
    assert number(Estimate(1234.4, 0.05)) == "1,234"
