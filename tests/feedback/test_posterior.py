"""Samples against a posterior that is known exactly."""

from __future__ import annotations

import numpy as np

from rewardbot.feedback import posterior


def test_samples_follow_a_normal_posterior_over_several_answers() -> None:
    """Prior N(0, I), three observations y = w . x + noise of variance 1: the posterior is normal, with known mean and covariance."""
    rng = np.random.default_rng(0)
    inputs = np.array([[1.0, 0.5], [0.0, 1.0], [1.0, -1.0]])
    outputs = np.array([1.0, -0.5, 2.0])

    def likelihood(w: np.ndarray, count: int) -> np.ndarray:
        return -0.5 * (w @ inputs[:count].T - outputs[:count]) ** 2

    samples = rng.normal(size=(2000, 2))
    for count in range(1, 4):
        samples = posterior.update(
            samples, likelihood(samples, count)[:, -1],
            lambda w, count=count: likelihood(w, count).sum(axis=1) - 0.5 * (w**2).sum(axis=1), rng)
    covariance = np.linalg.inv(np.eye(2) + inputs.T @ inputs)
    # Standard errors at 2000 samples are below .014 for the mean and .03 of the variances.
    np.testing.assert_allclose(samples.mean(axis=0), covariance @ inputs.T @ outputs, atol=0.06)
    np.testing.assert_allclose(np.cov(samples.T), covariance, atol=0.06)


def test_a_prior_is_never_left() -> None:
    rng = np.random.default_rng(0)
    samples = posterior.unit_ball(10_000, 3, rng)
    radius = np.linalg.norm(samples, axis=1)
    # Half the volume; four standard errors.
    assert (radius <= 1.0).all() and abs((radius < 0.5 ** (1 / 3)).mean() - 0.5) < 0.02

    def target(w: np.ndarray) -> np.ndarray:
        return np.where(np.linalg.norm(w, axis=1) <= 1.0, 20.0 * w[:, 0], -np.inf)

    found = posterior.update(samples, 20.0 * samples[:, 0], target, rng)
    assert (np.linalg.norm(found, axis=1) <= 1.0).all() and found[:, 0].mean() > 0.8


def test_logistic_agrees_with_quadrature() -> None:
    draw = np.random.default_rng(1)
    differences, wins, weights = draw.normal(size=(6, 2)), np.array([1, 0, 1, 0.5, 0, 1]), np.array([1, 1, 2, 1, 0.5, 1])
    axis = np.linspace(-12.0, 12.0, 241)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    u = grid @ differences.T
    log_mass = (weights * (wins * u - np.logaddexp(0.0, u))).sum(-1) - (grid**2).sum(-1) / (2 * 2.0**2)
    mass = np.exp(log_mass - log_mass.max())
    mass /= mass.sum()
    samples = posterior.logistic(differences, wins, weights, 2.0, 20000, draw)
    mean = mass @ grid
    np.testing.assert_allclose(samples.mean(0), mean, atol=0.05)
    np.testing.assert_allclose(np.cov(samples.T), ((grid - mean) * mass[:, None]).T @ (grid - mean), atol=0.1)


def test_logistic_without_an_answer_is_the_prior() -> None:
    samples = posterior.logistic(np.zeros((0, 3)), np.zeros(0), np.zeros(0), 2.0, 4000, np.random.default_rng(0))
    np.testing.assert_allclose(np.cov(samples.T), 4.0 * np.eye(3), atol=0.3)


def test_answers_that_contradict_each_other_leave_the_direction_open() -> None:
    """One direction, asked a hundred times and answered both ways alike: either sign is as likely, and w is short."""
    samples = posterior.logistic(np.ones((100, 1)), np.tile([0.0, 1.0], 50), np.ones(100), 5.0, 2000, np.random.default_rng(0))
    assert abs(np.mean(samples > 0) - 0.5) < 0.05 and samples.std() < 0.3
