# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 02 · The KL divergence, in both directions, and the ELBO
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/vae-course/vae-course/blob/main/notebooks/02_kl_divergence.ipynb)
#
# ![Film: minimising one divergence, q shrinks into the ridge of p; minimising the other, it grows to cover p](figures/02_directions.gif)
#
# A variational autoencoder is trained with two terms. One asks whether the image comes back. The other is a KL
# divergence: this lesson says what it measures, how it is computed, which of its two directions you minimise, and why a
# bound on $\log p(x)$ appears when you subtract one.

# %% [markdown]
# **You will do**
# - compute KL divergences by closed form, quadrature and sampling, and settle a published error with them;
# - fit a Gaussian to a target in both directions, and film the two fits;
# - verify the ELBO on a model where $\log p(x)$ is known.
#
# **You will learn**
# - why the divergence is never negative, and no distance;
# - why minimising KL(q‖p) and minimising KL(p‖q) give different answers;
# - how batch shape and event shape decide what is summed;
# - what the gap between the ELBO and $\log p(x)$ is.
#
# **You need** [lesson 00](00_start_here.ipynb), densities, expectations and logarithms. No network is trained here.
# Words are explained in the [glossary](../site/glossary.md).
#
# **Time:** about two minutes of computing at the `laptop` budget on two cores, and two to three hours of study.

# %% tags=["setup", "hide-input"] cellView="form" jupyter={"source_hidden": true}
# @title Set up (run this cell first)
import os
import sys
from importlib import invalidate_caches, metadata, util
from subprocess import run

if not util.find_spec("course_utils") and {"google.colab", "COURSE_SOURCE"} & {*sys.modules, *os.environ}:
    course = os.environ.get("COURSE_SOURCE", "git+https://github.com/vae-course/vae-course")
    keep = [f"{name}=={metadata.version(name)}" for name in ("tensorflow", "numpy")]  # tf-keras follows TensorFlow
    pip = run([sys.executable, "-m", "pip", "install", "-q", course, *keep], capture_output=True, text=True)
    assert pip.returncode == 0, pip.stderr
    invalidate_caches()

from course_utils import runtime

budget = runtime.start("02")

# %%
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras as keras

from course_utils import animation, checks, drawn, plots, selftest

tfd, tfb = tfp.distributions, tfp.bijectors
generator = np.random.default_rng(runtime.SEED)

# %% [markdown]
# ## Define the divergence as an expectation
#
# Somebody hands you a point $x$ and asks which of two distributions it came from, $q$ or $p$. The difference
# $\log q(x) - \log p(x)$ is the evidence that it gives in favour of $q$. Let the points really come from $q$. The
# evidence in each, on average, is the **Kullback-Leibler divergence**:
#
# $$\mathrm{KL}(q \parallel p) = \mathbb{E}_{q(x)}\left[\log q(x) - \log p(x)\right].$$
#
# The *first* distribution is the one that is sampled. With natural logarithms the unit is the **nat**; divide by
# $\ln 2$ and you have bits.
#
# Take $q = \mathcal{N}(0, 1)$ and $p = \mathcal{N}(1, 2^2)$. The expectation is an integral, evidence times the density
# of $q$: an area, and you can look at it.

# %% alt="Above, a narrow blue bell q and a wide orange bell p. Below, the integrand of the KL: positive in the middle, negative in two side regions; the areas differ by 0.44"
narrow, wide = tfd.Normal(0.0, 1.0), tfd.Normal(1.0, 2.0)
x = np.linspace(-5, 7, 1201, dtype=np.float32)
integrand = (narrow.prob(x) * (narrow.log_prob(x) - wide.log_prob(x))).numpy()

figure, axes = plt.subplots(2, 1, figsize=(9, 5.6), sharex=True, height_ratios=(1, 1.2))
axes[0].plot(x, narrow.prob(x), color=plots.BLUE, label="q = N(0, 1)")
axes[0].plot(x, wide.prob(x), color=plots.ORANGE, ls="--", label="p = N(1, 2²)")
axes[0].set(ylabel="density", title="Two distributions of one variable")
axes[0].legend()
axes[1].plot(x, integrand, color=plots.DARK)
axes[1].fill_between(x, integrand, where=integrand > 0, color=plots.BLUE, alpha=0.5, label="evidence for q")
axes[1].fill_between(
    x, integrand, where=integrand < 0, color=plots.ORANGE, alpha=0.5, hatch="//", label="evidence for p"
)
axes[1].axhline(0, color=plots.DARK, lw=1)
axes[1].set(xlabel="x", ylabel="q (log q − log p)\nin nats per unit of x")
axes[1].set_title("KL(q‖p) is the plain area minus the hatched area")
axes[1].legend()
plt.show()

# %% [markdown]
# ### Exercise 1: an estimate for any pair
#
# Write the definition as a function of any two TFP distributions and a number of draws. It returns one number. `sample`
# and `log_prob` are all you need; decide which of the two is sampled.


# %% tags=["exercise"]
def monte_carlo_kl(q, p, number):
    return tf.constant(0.0)  # your code here


checks.monte_carlo_kl(monte_carlo_kl)

# %% [markdown]
# Where $q$ is the taller density, a point is evidence for $q$; in the hatched regions, for $p$. Three ways to the net
# area: the closed form that TFP knows, which is $\ln 2 + \frac{1 + 1}{8} - \frac{1}{2}$; a sum over the grid, which
# agrees with it in four digits; and a mean over draws from $q$, which agrees within a few standard errors.

# %% tags=["claim"]
closed_form = float(tfd.kl_divergence(narrow, wide))
grid_sum = float(np.sum(integrand) * 0.01)  # the spacing of the grid
draws = narrow.sample(budget.draws)
evidence = narrow.log_prob(draws) - wide.log_prob(draws)
mean, error = float(tf.reduce_mean(evidence)), float(tf.math.reduce_std(evidence)) / budget.draws**0.5
print(f"closed form {closed_form:.4f} nats | grid {grid_sum:.4f} | {budget.draws:,} draws {mean:.4f} ± {error:.4f}")
print(f"the same in bits: {closed_form / np.log(2):.4f}")
np.testing.assert_allclose(closed_form, np.log(2) + 2 / 8 - 1 / 2, atol=1e-5)
np.testing.assert_allclose(grid_sum, closed_form, atol=1e-4)
assert abs(mean - closed_form) < 5 * error

# %% [markdown]
# ## Show that it is never negative, and zero only when equal
#
# The logarithm never rises above its tangent at 1: $\log t \le t - 1$, with equality at $t = 1$ and nowhere else. Put
# $t = p(x)/q(x)$ and take the expectation under $q$:
#
# $$-\mathrm{KL}(q \parallel p) = \mathbb{E}_q\left[\log \frac{p(x)}{q(x)}\right]
#   \le \mathbb{E}_q\left[\frac{p(x)}{q(x)} - 1\right] \le 1 - 1 = 0.$$
#
# The last step integrates $p$ over the region where $q$ has mass, which gives at most 1. Equality needs $p(x) = q(x)$
# wherever $q$ has mass. The left panel is the first line of this proof, the right one its consequence: the divergence of
# every $\mathcal{N}(m, s^2)$ from $p = \mathcal{N}(1, 2^2)$ is a bowl that touches zero once.

# %% alt="Left: the logarithm lies below its tangent and touches it at 1. Right: contours of KL(q‖p) over the mean and standard deviation of q, a bowl with its only zero at mean 1, standard deviation 2"
means, sds = np.linspace(-3, 5, 161, dtype=np.float32), np.linspace(0.4, 5, 185, dtype=np.float32)
bowl = tfd.kl_divergence(tfd.Normal(means, sds[:, None]), wide).numpy()

figure, axes = plt.subplots(1, 2, figsize=(11, 4.3))
t = np.linspace(0.05, 3, 200)
axes[0].plot(t, t - 1, color=plots.ORANGE, ls="--", label="t − 1")
axes[0].plot(t, np.log(t), color=plots.BLUE, label="log t")
axes[0].plot(1, 0, "o", color=plots.DARK)
axes[0].set(xlabel="t = p(x) / q(x)", ylabel="nats", title="The tangent is never below", ylim=(-3, 2.2))
axes[0].legend()
lines = axes[1].contour(means, sds, bowl, levels=[0.01, 0.1, 0.3, 0.6, 1, 1.5, 2], colors=plots.BLUE)
axes[1].clabel(lines, fontsize=10)
axes[1].plot(1, 2, "*", ms=14, color=plots.DARK)
axes[1].set(xlabel="mean of q", ylabel="standard deviation of q", title="KL(q‖p) in nats: one zero, at q = p")
plt.show()

# %% [markdown]
# The smallest value on the grid is at $p$'s own mean and standard deviation, and no other grid point comes near zero:

# %% tags=["claim"]
row, column = np.unravel_index(bowl.argmin(), bowl.shape)
np.testing.assert_allclose([means[column], sds[row]], [1, 2], atol=1e-5)
assert bowl.min() > -1e-6 and np.sum(bowl < 1e-5) == 1

# %% [markdown]
# ## Swap the two and get another number
#
# The definition samples one distribution and not the other, so the roles cannot be exchanged. A distance would also obey
# the triangle inequality: a detour is never shorter than the straight way. Take three unit normals with means 0, 1 and
# 2. Between unit normals the divergence is half the squared difference of the means.

# %% alt="Left: KL(q‖p) and KL(p‖q) against the standard deviation of q, two curves that meet only at 1. Right: bars; the straight way from mean 0 to mean 2 costs 2 nats, the two half steps together 1 nat"
sds = np.geomspace(0.3, 3.2, 200).astype(np.float32)
standard = tfd.Normal(0.0, 1.0)
q_to_p, p_to_q = tfd.kl_divergence(tfd.Normal(0.0, sds), standard), tfd.kl_divergence(standard, tfd.Normal(0.0, sds))
stops = [tfd.Normal(float(stop), 1.0) for stop in range(3)]
straight = float(tfd.kl_divergence(stops[0], stops[2]))
halves = [float(tfd.kl_divergence(stops[0], stops[1])), float(tfd.kl_divergence(stops[1], stops[2]))]

figure, axes = plt.subplots(1, 2, figsize=(11, 4.2))
axes[0].plot(sds, q_to_p, color=plots.BLUE, label="KL(q‖p)")
axes[0].plot(sds, p_to_q, color=plots.ORANGE, ls="--", label="KL(p‖q)")
axes[0].set(xlabel="standard deviation of q   (p has 1)", ylabel="nats", title="Two curves: not symmetric")
axes[0].legend()
axes[1].bar(["straight", "with a stop"], [straight, halves[0]], color=[plots.BLUE, plots.ORANGE])
axes[1].bar(["with a stop"], [halves[1]], bottom=[halves[0]], color=plots.ORANGE, hatch="//", edgecolor="white")
axes[1].set(ylabel="nats", title="From N(0, 1) to N(2, 1): the detour is shorter")
plt.show()

# %% [markdown]
# Left: a $q$ that is too narrow is cheap in the first direction and expensive in the second; one that is too wide, the
# other way round. Right: the straight way costs 2 nats, two half steps ½ + ½. So the divergence is no metric.
#
# The extreme asymmetry is the infinite one. If $q$ puts mass where $p$ has none, some draws of $q$ prove that they are
# not from $p$. So the uniform distribution on $[0, 2]$, half of whose draws are such proofs, is infinitely far from
# that on $[0, 1]$. The other way round it is $\ln 2$ nats.

# %% tags=["claim"]
short, long = tfd.Uniform(0.0, 1.0), tfd.Uniform(0.0, 2.0)
print(f"KL(short‖long) = {tfd.kl_divergence(short, long):.4f} nats, KL(long‖short) = {tfd.kl_divergence(long, short)}")
draws = long.sample(budget.draws)
proof = np.isinf(long.log_prob(draws) - short.log_prob(draws))
print(f"{proof.mean():.0%} of the draws of the long one prove that they are not from the short one")
np.testing.assert_allclose([straight, *halves], [2, 0.5, 0.5], atol=1e-6)
assert straight > sum(halves)
there = float(tfd.kl_divergence(narrow, wide))
back = float(tfd.kl_divergence(wide, narrow))
np.testing.assert_allclose([there, back], [0.4431, 1.3069], atol=1e-4)
too_narrow, too_wide = sds < 0.9, sds > 1.1
assert np.all(q_to_p.numpy()[too_narrow] < p_to_q.numpy()[too_narrow])
assert np.all(q_to_p.numpy()[too_wide] > p_to_q.numpy()[too_wide])
by_share = -np.log(np.mean(~proof))  # all evidence in a draw of the short one: it is inside
np.testing.assert_allclose(by_share, np.log(2), atol=5 / budget.draws**0.5)
np.testing.assert_allclose(tfd.kl_divergence(short, long), np.log(2), atol=1e-6)
assert np.isinf(tfd.kl_divergence(long, short))

# %% [markdown]
# When $q$ is the model that you fit, **KL(q‖p)** is also called *reverse*
# or *exclusive*, and **KL(p‖q)**, which samples the target, *forward* or *inclusive*.

# %% [markdown]
# ### Exercise 2: two normals of one variable
#
# Write KL(q‖p) for $q = \mathcal{N}(m_q, s_q^2)$ and $p = \mathcal{N}(m_p, s_p^2)$, from the definition. You need one
# fact: under $q$, the mean of $(x - m_p)^2$ is $s_q^2 + (m_q - m_p)^2$. The arguments are standard deviations, not
# variances.


# %% tags=["exercise"]
def kl_normals(mean_q, sd_q, mean_p, sd_p):
    return 0.0 * (mean_q + sd_q + mean_p + sd_p)  # your code here


checks.kl_normals(kl_normals)

# %% [markdown]
# ## Settle who is right
#
# Now two variables. Let $q = \mathcal{N}(0, I)$, and let $p$ be a normal with mean 0 and a lower-triangular scale
# $L$, so that $x = L \varepsilon$ with $\varepsilon \sim \mathcal{N}(0, I)$ and the covariance is $L L^\top$.
# `FillScaleTriL` makes $L$ from three numbers.

# %% alt="Ellipses at one and two standard deviations: q is a circle, p is long, thin and tilted along the diagonal; much of q's circle lies outside p"
scale = tfb.FillScaleTriL()([-0.5, 1.25, 1.0])
p = tfd.MultivariateNormalTriL(loc=tf.zeros(2), scale_tril=scale, name="p")
q = tfd.MultivariateNormalDiag(loc=tf.zeros(2), scale_diag=tf.ones(2), name="q")
covariance = p.covariance().numpy()
print("covariance of p:\n", covariance.round(4))
print(f"tfd.kl_divergence: KL(q‖p) = {tfd.kl_divergence(q, p):.7f}, KL(p‖q) = {tfd.kl_divergence(p, q):.7f} nats")
circle = np.stack([np.cos(np.linspace(0, 2 * np.pi, 181)), np.sin(np.linspace(0, 2 * np.pi, 181))])


def ellipses(axis, distribution, colour, label, filled=False):
    """Contours of a 2-D normal at one and two standard deviations."""
    mean, root = distribution.mean().numpy(), np.linalg.cholesky(distribution.covariance().numpy())
    for radius in (2, 1):
        ring = mean[:, None] + radius * root @ circle
        if filled:
            axis.fill(*ring, color=colour, alpha=0.3, lw=0, label=label if radius == 1 else None)
        else:
            axis.plot(*ring, color=colour, label=label if radius == 1 else None)


figure, axis = plt.subplots(figsize=(5.6, 5))
ellipses(axis, p, plots.ORANGE, "p", filled=True)
ellipses(axis, q, plots.BLUE, "q")
axis.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal", title="Half of q's draws fall off p's ridge")
axis.legend(loc="upper left")
plt.show()

# %% [markdown]
# About half of $q$'s draws land outside $p$'s outer ellipse. Of $p$'s draws little more than a quarter land
# outside $q$'s. So KL(q‖p) should be the larger of the two.
#
# > **A common mistake.** Published course notes print 0.4280361 for KL(q‖p) of these two distributions. (They
# > also look for `MultivariateNormalTriL` in `tfb`; it lives in `tfd`.) When a printed number disagrees with
# > yours, compute it in three ways that can each be wrong, but not in the same way.
#
# **Way 1, closed form.** For normals of dimension $d$ with means $\mu_q, \mu_p$ and covariances $\Sigma_q, \Sigma_p$,
#
# $$\mathrm{KL}(q \parallel p) = \tfrac{1}{2} \left( \mathrm{tr}(\Sigma_p^{-1} \Sigma_q)
#   + (\mu_p - \mu_q)^\top \Sigma_p^{-1} (\mu_p - \mu_q) - d + \ln \frac{\det \Sigma_p}{\det \Sigma_q} \right).$$
#
# Both means are zero here, so the second term drops out.
#
# **Way 2, quadrature.** Lay a fine grid over the plane and add up density times evidence.


# %%
def by_closed_form(covariance_q, covariance_p):
    """KL of two normals with mean zero. Plain NumPy."""
    trace = np.trace(np.linalg.solve(covariance_p, covariance_q))
    log_ratio = np.log(np.linalg.det(covariance_p) / np.linalg.det(covariance_q))
    return 0.5 * (trace - len(covariance_q) + log_ratio)


# FillScaleTriL sends the two diagonal entries, 1.0 and -0.5, through a softplus and adds 1e-5.
first, second = np.log1p(np.exp([1.0, -0.5])) + 1e-5
root = np.array([[first, 0.0], [1.25, second]])
sigma_p, sigma_q = root @ root.T, np.eye(2)
table = {"closed form": (by_closed_form(sigma_q, sigma_p), by_closed_form(sigma_p, sigma_q))}


def log_density(points, covariance):
    """Log density of N(0, covariance) at points of shape (..., 2)."""
    quadratic = np.einsum("...i,ij,...j->...", points, np.linalg.inv(covariance), points)
    return -0.5 * (quadratic + np.log(np.linalg.det(2 * np.pi * covariance)))


def by_quadrature(covariance_q, covariance_p, limit=9, step=0.03):
    side = np.arange(-limit, limit, step)
    points = np.stack(np.meshgrid(side, side), axis=-1)
    log_q, log_p = log_density(points, covariance_q), log_density(points, covariance_p)
    return np.sum(np.exp(log_q) * (log_q - log_p)) * step**2


table["quadrature"] = (by_quadrature(sigma_q, sigma_p), by_quadrature(sigma_p, sigma_q))


# %% [markdown]
# **Way 3, Monte Carlo.** Draw from the first distribution and average. This one tells you how far it may be off.


# %%
def by_sampling(covariance_q, covariance_p, number):
    """Mean evidence of draws from N(0, covariance_q), and its standard error."""
    points = generator.normal(size=(number, 2)) @ np.linalg.cholesky(covariance_q).T
    evidence = log_density(points, covariance_q) - log_density(points, covariance_p)
    return evidence.mean(), evidence.std(ddof=1) / number**0.5


sampled = [by_sampling(sigma_q, sigma_p, budget.draws), by_sampling(sigma_p, sigma_q, budget.draws)]
table["TFP"] = (float(tfd.kl_divergence(q, p)), float(tfd.kl_divergence(p, q)))
print(f"{'':12s} {'KL(q‖p)':>18s} {'KL(p‖q)':>18s}")
for way, (forwards, backwards) in table.items():
    print(f"{way:12s} {forwards:18.7f} {backwards:18.7f}")
print(f"{'Monte Carlo':12s}" + "".join(f" {value:9.4f} ± {error:.4f}" for value, error in sampled))
print(f"the published 0.4280361 is {(sampled[0][0] - 0.4280361) / sampled[0][1]:.0f} standard errors away from KL(q‖p)")

# %% [markdown]
# KL(q‖p) = 3.0560922 and KL(p‖q) = 1.2298135. TFP computes in 32 bits, the two ways in NumPy in 64; they differ in the
# seventh decimal. The published value is neither of the two, and rounding does not explain it: it lies dozens of
# standard errors off.

# %% tags=["claim"]
for way, atol in {"closed form": 5e-8, "quadrature": 5e-7, "TFP": 2e-6}.items():
    np.testing.assert_allclose(table[way], [3.0560922, 1.2298135], rtol=0, atol=atol)
for (value, error), exact in zip(sampled, table["closed form"], strict=True):
    assert abs(value - exact) < 5 * error
    assert abs(value - 0.4280361) > 30 * error
side = np.arange(-9, 9, 0.03)
plane = np.stack(np.meshgrid(side, side), axis=-1)


def outside(points, covariance):
    """Which points lie outside the ellipse of N(0, covariance) at two standard deviations."""
    return np.einsum("...i,ij,...j->...", points, np.linalg.inv(covariance), points) > 2**2


for name, source, own, other, about in (("q", q, sigma_q, sigma_p, 0.517), ("p", p, sigma_p, sigma_q, 0.285)):
    by_draws = outside(source.sample(budget.draws).numpy(), other).mean()
    by_grid = np.sum(np.exp(log_density(plane, own)) * outside(plane, other)) * 0.03**2
    print(f"draws of {name} outside the other's outer ellipse: {by_draws:.1%}, by the grid {by_grid:.1%}")
    assert abs(by_grid - about) < 0.003 and abs(by_draws - by_grid) < 2.5 / budget.draws**0.5 + 0.002

# %% [markdown]
# ## Keep batch shape and event shape apart
#
# A TFP object can hold many distributions. The **event shape** is the shape of one draw, and the log densities of its
# parts are *summed*. The **batch shape** counts distributions side by side, each with a result of its own. Here are six
# normals, grouped in three ways:

# %%
loc = tf.constant([[0.0, 1.0], [2.0, -1.0], [0.5, 0.5]])
groupings = {"six of one": 0, "three of two": 1, "one of six": 2}
kl_of = {}
for name, dimensions in groupings.items():
    many = tfd.Independent(tfd.Normal(loc, 1.0), dimensions)
    unit = tfd.Independent(tfd.Normal(tf.zeros_like(loc), 1.0), dimensions)
    kl_of[name] = tfd.kl_divergence(many, unit).numpy()
    shapes = f"batch {many.batch_shape!s:7s} event {many.event_shape!s:7s} KL of shape {kl_of[name].shape}"
    print(f"{name:13s} {shapes:46s} {kl_of[name].tolist()}")

# %% [markdown]
# Six numbers, then three, then one. **The KL has the batch shape**; the event shape is summed, because the divergence
# of independent parts is the sum of theirs. An encoder returns the middle line: one KL for each image.
#
# > **A common mistake.** With `tfd.Normal` the KL comes back for each latent dimension, and a `reduce_mean` over all of it divides it by
# > `latent_dim`. Print the batch shape before you reduce.

# %% tags=["claim"]
half_squares = np.square([[0.0, 1.0], [2.0, -1.0], [0.5, 0.5]]) / 2  # nats between unit normals, as above
for name, summed in {"six of one": (), "three of two": 1, "one of six": (0, 1)}.items():
    np.testing.assert_allclose(kl_of[name], half_squares.sum(axis=summed), rtol=1e-6)
np.testing.assert_allclose(kl_of["six of one"].mean(), half_squares.sum(axis=1).mean() / 2, rtol=1e-6)

# %% [markdown]
# ## Estimate it from draws, with an error bar
#
# Few pairs of distributions have a closed form. Every pair that you can sample and evaluate has an estimate:
#
# $$\widehat{\mathrm{KL}}_n = \frac{1}{n} \sum_{i=1}^{n} \left[\log q(x_i) - \log p(x_i)\right], \qquad x_i \sim q.$$
#
# Its expectation is the divergence for every $n$. Its standard error is $s / \sqrt{n}$, where $s$ is the standard
# deviation of the bracket, measured from the same draws. For the pair above, many experiments of up to 10,000 draws:

# %%
exact = float(tfd.kl_divergence(q, p))
x = q.sample([budget.repeats, 10_000])
evidence = (q.log_prob(x) - p.log_prob(x)).numpy().astype(np.float64)
sizes = np.array([10, 30, 100, 300, 1_000, 3_000, 10_000])
estimates = np.stack([evidence[:, :n].mean(axis=1) for n in sizes])
rms = np.sqrt(np.mean((estimates - exact) ** 2, axis=1))
slope = np.polyfit(np.log(sizes), np.log(rms), 1)[0]
print(f"n = {sizes[0]:,}: rms error {rms[0]:.2f} nats | n = {sizes[-1]:,}: {rms[-1]:.3f} nats | slope {slope:.2f}")

# %% alt="Left: one running estimate with a band that narrows around the exact 3.056. Right: the root-mean-square error of many estimates falls on a straight line of slope minus one half in log-log axes"
figure, axes = plt.subplots(1, 2, figsize=(11.5, 4.4))
count = np.arange(10, 10_001)
running = np.cumsum(evidence[0])[9:] / count
spread = np.sqrt(np.cumsum(evidence[0] ** 2)[9:] / count - running**2) / np.sqrt(count)
axes[0].fill_between(count, running - 2 * spread, running + 2 * spread, alpha=0.3, lw=0, label="± 2 standard errors")
axes[0].plot(count, running, label="one running mean")
axes[0].axhline(exact, color=plots.DARK, ls="--", label="exact")
axes[0].set(xscale="log", xlabel="number of draws n", ylabel="KL(q‖p) in nats", ylim=(exact - 4, exact + 4))
axes[0].set_title("The error bar closes in")
axes[0].legend(fontsize=11)
axes[1].loglog(sizes, rms, "o", ms=8, label=f"{budget.repeats} experiments")
axes[1].loglog(sizes, evidence.std() / np.sqrt(sizes), color=plots.DARK, ls="--", label="$s / \\sqrt{n}$")
axes[1].set(xlabel="number of draws n", ylabel="rms error in nats", title=f"The error falls as 1/√n: slope {slope:.2f}")
axes[1].legend()
plt.show()

# %% [markdown]
# The dots lie on the line $s / \sqrt{n}$. One more digit costs a hundred times the draws. The error bar is honest:
# about 95% of the experiments have the exact value within two standard errors.
#
# > **A common mistake.** *"A negative KL in the log is a bug."* The divergence is never negative. Its estimate from a few draws may
# > well be: here a third of the single draws are, and a VAE that uses one draw for each image prints such values.

# %% tags=["claim"]
errors = evidence.std(axis=1, ddof=1) / 10_000**0.5
covered = np.mean(np.abs(estimates[-1] - exact) < 2 * errors)
print(f"s = {evidence.std():.2f} nats | at n = 10,000: within 2 standard errors in {covered:.1%} of the experiments")
print(f"single draws whose evidence is negative: {np.mean(evidence < 0):.0%}")
s = np.sqrt(0.5 * np.sum((np.linalg.inv(sigma_p) - np.eye(2)) ** 2))  # the bracket is a quadratic form of normals
assert abs(evidence.std() / s - 1) < 0.02
assert abs(slope + 0.5) < 0.08
assert abs(covered - 0.954) < 4 * np.sqrt(0.954 * 0.046 / budget.repeats) + 0.005
by_grid = np.sum(np.exp(log_density(plane, sigma_q)) * (log_density(plane, sigma_q) < log_density(plane, sigma_p)))
assert abs(np.mean(evidence < 0) - by_grid * 0.03**2) < 0.003 and abs(by_grid * 0.03**2 - 0.343) < 0.002

# %% [markdown]
# ### Exercise 3: the KL of an encoder
#
# In a VAE the first distribution is the encoder's, a normal with a diagonal covariance, and the second is the prior:
#
# $$q(z) = \prod_j \mathcal{N}(z_j; \mu_j, \sigma_j^2), \qquad p(z) = \prod_j \mathcal{N}(z_j; 0, 1).$$
#
# The encoder returns `mean` and `log_variance`, each of shape `(batch, latent_dim)`. Return the KL of each image's
# $q(z|x)$ from $\mathcal{N}(0, I)$, shape `(batch,)`, in nats. Start from exercise 2, and mind which of $\sigma$,
# $\sigma^2$ and
# $\ln \sigma^2$ you are given. The next section derives the answer.


# %% tags=["exercise"]
def kl_to_standard_normal(mean, log_variance):
    return tf.zeros(len(mean))  # your code here


checks.kl_to_standard_normal(kl_to_standard_normal)

# %% [markdown]
# ## Derive the one closed form that a VAE needs
#
# Exercise 3, line by line.
#
# **Line 1.** Both factorise, so the divergence is a sum over $j$:
#
# $$\mathrm{KL}(q \parallel p) = \sum_j \mathbb{E}_q[\log q(z_j)] - \mathbb{E}_q[\log p(z_j)].$$
#
# **Line 2.** Write out the first log density. Its only random part is $(z_j - \mu_j)^2$, whose mean under $q$ is
# $\sigma_j^2$. It cancels:
#
# $$\mathbb{E}_q[\log q(z_j)] = -\tfrac{1}{2} \ln 2\pi - \tfrac{1}{2} \ln \sigma_j^2 - \tfrac{1}{2}.$$
#
# **Line 3.** The same for the second. Here the random part is $z_j^2$, whose mean under $q$ is $\mu_j^2 + \sigma_j^2$:
#
# $$\mathbb{E}_q[\log p(z_j)] = -\tfrac{1}{2} \ln 2\pi - \tfrac{1}{2} (\mu_j^2 + \sigma_j^2).$$
#
# **Line 4.** Subtract. The constants go, and what is left is
#
# $$\mathrm{KL}(q \parallel p) = \tfrac{1}{2} \sum_j \left( \mu_j^2 + \sigma_j^2 - 1 - \ln \sigma_j^2 \right).$$
#
# Check each line against draws:

# %%
mu, sigma = np.array([1.0, -0.5, 0.2]), np.array([0.3, 1.0, 1.8])
z = mu + sigma * generator.normal(size=(budget.draws, 3))
log_q = -0.5 * np.log(2 * np.pi * sigma**2) - (z - mu) ** 2 / (2 * sigma**2)
log_p = -0.5 * np.log(2 * np.pi) - z**2 / 2
derived = {
    "line 2": (log_q, -0.5 * np.log(2 * np.pi) - 0.5 * np.log(sigma**2) - 0.5),
    "line 3": (log_p, -0.5 * np.log(2 * np.pi) - 0.5 * (mu**2 + sigma**2)),
    "line 4": (log_q - log_p, 0.5 * (mu**2 + sigma**2 - 1 - np.log(sigma**2))),
}
print("for each of three dimensions     derived                       mean over draws")
for line, (values, formula) in derived.items():
    print(f"{line:28s} {formula.round(3)!s:29s} {values.mean(axis=0).round(3)}")

# %% [markdown]
# Every line agrees with its draws within five standard errors, and the sum agrees with TFP in six digits. The formula has
# two parts, one for each thing the encoder decides:

# %% alt="Left: a parabola, the price of a mean away from zero. Right: the price of a standard deviation away from one, a steep wall towards zero and a slow rise above one"
figure, axes = plt.subplots(1, 2, figsize=(10.5, 4), sharey=True)
m, s = np.linspace(-3, 3, 200), np.geomspace(0.01, 3, 300)
axes[0].plot(m, m**2 / 2)
axes[0].set(xlabel="mean μ", ylabel="nats per latent dimension", title="Price of moving the mean: ½ μ²")
axes[1].plot(s, (s**2 - 1 - np.log(s**2)) / 2, color=plots.ORANGE)
axes[1].set(xlabel="standard deviation σ", title="Price of the spread: ½ (σ² − 1 − ln σ²)")
axes[1].plot(1, 0, "o", color=plots.DARK)
axes[0].plot(0, 0, "o", color=plots.DARK)
plt.show()

# %% [markdown]
# A mean far out is expensive. Precision is cheap: once $\sigma$ is small, a tenfold smaller one costs $\ln 10 = 2.3$ nats
# more. Only $\sigma \to 0$, the point code of an autoencoder, costs infinitely much.

# %% tags=["claim"]
for values, formula in derived.values():
    assert np.all(np.abs(values.mean(axis=0) - formula) < 5 * values.std(axis=0) / budget.draws**0.5)
one_image, standard_normal = tfd.MultivariateNormalDiag(mu, sigma), tfd.MultivariateNormalDiag(np.zeros(3), np.ones(3))
np.testing.assert_allclose(derived["line 4"][1].sum(), tfd.kl_divergence(one_image, standard_normal), rtol=1e-6)
s = np.array([0.1, 0.01, 1e-150])
price = (s**2 - 1 - np.log(s**2)) / 2
np.testing.assert_allclose(price[1] - price[0], np.log(10), atol=0.01)
assert price[2] > 300

# %% [markdown]
# ## Fit q in both directions, and watch
#
# The target is the tilted $p$ from above. The family for $q$ is `MultivariateNormalDiag`: it can move and stretch along
# the axes, and it cannot tilt, so it can never become $p$. Which compromise does it make? Ask it twice: minimise KL(q‖p),
# then KL(p‖q). A standard deviation must stay positive while it learns; `TransformedVariable` with `tfb.Exp()` sees to
# that by learning $\ln \sigma$ ([A1](A1_tfp_parts.ipynb)).


# %%
def diagonal_normal():
    loc = tf.Variable([2.0, -1.5])
    scale = tfp.util.TransformedVariable([1.0, 1.0], tfb.Exp())
    return tfd.MultivariateNormalDiag(loc, scale)


def minimise(loss, variables, steps, learning_rate=0.1, watch=lambda: None):
    """Adam on ``loss()``. Returns the losses, and what ``watch()`` saw before each step."""
    optimizer = keras.optimizers.Adam(learning_rate, jit_compile=False)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            value = loss()
        optimizer.apply_gradients(zip(tape.gradient(value, variables), variables, strict=True))
        return value

    seen, losses = [], []
    for _ in range(steps):
        seen.append(watch())
        losses.append(float(step()))
    return losses, seen


# %% [markdown]
# The calls differ in the order of two arguments.

# %%
fits = {"KL(q‖p)": diagonal_normal(), "KL(p‖q)": diagonal_normal()}
divergence = {
    "KL(q‖p)": lambda: tfd.kl_divergence(fits["KL(q‖p)"], p),
    "KL(p‖q)": lambda: tfd.kl_divergence(p, fits["KL(p‖q)"]),
}
losses, films = {}, {}
for name, fit in fits.items():
    losses[name], films[name] = minimise(
        divergence[name],
        fit.trainable_variables,
        budget.steps,
        watch=lambda fit=fit: [variable.numpy() for variable in fit.trainable_variables],
    )
    ends = f"mean {fit.mean().numpy().round(3) + 0.0}, standard deviations {fit.stddev().numpy().round(5)}"
    print(f"minimising {name}: {losses[name][-1]:.4f} nats, {ends}")


# %% [markdown]
# $p$ is orange, $q$ blue.


# %% tags=["front-directions"] alt="Film, two panels: the same circle q starts below right of the tilted ellipse p. Left, minimising KL(q‖p), it slides to the centre and shrinks until it fits inside the ridge. Right, minimising KL(p‖q), it slides to the centre and grows until it covers the whole ellipse"
def draw_frame(index):
    figure, axes = plt.subplots(1, 2, figsize=(7, 4), dpi=100)
    for axis, name in zip(axes, fits, strict=True):
        ellipses(axis, p, plots.ORANGE, "p", filled=True)
        mean, log_sd = films[name][index]
        ellipses(axis, tfd.MultivariateNormalDiag(mean, np.exp(log_sd)), plots.BLUE, "q")
        axis.set(xlim=(-4.4, 4.4), ylim=(-4.4, 4.4), aspect="equal", xlabel="$x_1$", ylabel="$x_2$")
        axis.set_title(f"minimising {name}: {losses[name][index]:.2f} nats", fontsize=13)
        axis.legend(loc="upper left", fontsize=11)
    figure.suptitle(f"step {index:,}", fontsize=12)
    figure.canvas.draw()
    frame = np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()
    plt.close(figure)
    return frame


moments = np.unique(np.geomspace(1, 201, budget.frames).astype(int)) - 1
film = animation.gif([draw_frame(index) for index in moments], milliseconds=220, hold=3000, colours=32)
animation.show(film, alt="Minimising KL(q‖p), q shrinks into the ridge of p; minimising KL(p‖q), it grows to cover p")

# %% [markdown]
# Left, $q$ retreats into the ridge: its own draws are scored. Right, it swells until it holds all of $p$, whose draws are
# scored. Yet the last frame shows the same number twice. Both directions pay
#
# $$-\tfrac{1}{2} \ln(1 - \rho^2) = 1.0367 \text{ nats},$$
#
# where $\rho = 0.935$ is the correlation in $p$, which a family without tilt cannot express. The spreads differ:

# %% alt="Left: both divergences fall to 1.0367 nats. Right: the standard deviations; the fit of KL(q‖p) has 0.47 in both coordinates, the fit of KL(p‖q) has 1.31 and 1.34, as the marginals of p do"
figure, axes = plt.subplots(1, 2, figsize=(11, 4.1))
for (name, values), style in zip(losses.items(), ("-", "--"), strict=True):
    axes[0].plot(np.arange(1, len(values) + 1), values, ls=style, label=f"minimising {name}")
axes[0].axhline(1.0367, color=plots.DARK, lw=1)
axes[0].text(1.2, 1.06, "1.0367", va="bottom")
axes[0].minorticks_off()
axes[0].set(xscale="log", yscale="log", xlabel="step", ylabel="divergence in nats", title="The same floor")
axes[0].set_yticks([1, 3, 10, 30], [1, 3, 10, 30])
axes[0].legend()
spreads = {name: fit.stddev().numpy() for name, fit in fits.items()}
spreads["marginals of p"] = p.stddev().numpy()
labels = ["fit of KL(q‖p)", "fit of KL(p‖q)", "marginals of p"]
for index, values in enumerate(spreads.values()):
    axes[1].bar(
        np.arange(2) + 0.27 * (index - 1), values, width=0.25, label=labels[index], hatch=("", "//", "..")[index]
    )
axes[1].set_xticks([0, 1], ["$x_1$", "$x_2$"])
axes[1].set(ylabel="standard deviation", title="Not the same spread", ylim=(0, 2.2))
axes[1].legend(fontsize=11, ncols=2)
plt.show()

# %% [markdown]
# Set the derivatives of the closed form to zero. KL(q‖p) wants $1 / \sigma_j^2$ to equal the diagonal of the
# **precision** matrix $\Sigma_p^{-1}$: the spread of $x_1$ when $x_2$ is held fixed. KL(p‖q) wants $\sigma_j^2$ to
# equal the diagonal of the **covariance** $\Sigma_p$: the marginal spread, larger by nearly a factor of three.

# %% tags=["claim"]
rho = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
np.testing.assert_allclose(rho, 0.935, atol=5e-4)
for name, expected in {"KL(q‖p)": (0.46571, 0.47409), "KL(p‖q)": (1.3133, 1.3369)}.items():
    np.testing.assert_allclose(losses[name][-1], -0.5 * np.log(1 - rho**2), atol=1e-4)
    np.testing.assert_allclose(losses[name][-1], 1.0367, atol=1e-4)
    np.testing.assert_allclose(spreads[name], expected, atol=1e-3)
    np.testing.assert_allclose(fits[name].mean(), 0, atol=2e-3)
np.testing.assert_allclose(spreads["KL(q‖p)"], np.diag(np.linalg.inv(sigma_p)) ** -0.5, atol=1e-3)
np.testing.assert_allclose(spreads["KL(p‖q)"], np.diag(sigma_p) ** 0.5, atol=1e-3)
assert np.all((2.7 < spreads["KL(p‖q)"] / spreads["KL(q‖p)"]) & (spreads["KL(p‖q)"] / spreads["KL(q‖p)"] < 3))
assert len(film) < 500_000

# %% [markdown]
# > **A common mistake.** *"Minimising the KL encourages the support of q to lie within p's."* KL(q‖p) does: you saw $q$ shrink inside. KL(p‖q) does the opposite. Name the direction.

# %% [markdown]
# ## Aim at two modes
#
# Now half of the target's mass lies around −2, half around +2. A mixture has no closed-form KL from a normal. But one
# variable is cheap to integrate on a grid, and a sum can be differentiated. Start four fits at once: a batch of shape
# `(4,)`.

# %%
modes = tfd.MixtureSameFamily(tfd.Categorical(probs=[0.5, 0.5]), tfd.Normal([-2.0, 2.0], [0.6, 0.6]), name="two_modes")
grid = tf.linspace(-12.0, 12.0, 2401)


def kl_on_grid(a, b):
    """KL(a‖b) in nats for distributions of one variable, one for each member of the batch."""
    x = tf.reshape(grid, [-1] + [1] * max(len(a.batch_shape), len(b.batch_shape)))
    log_a, log_b = a.log_prob(x), b.log_prob(x)
    return tf.reduce_sum(tf.exp(log_a) * (log_a - log_b), axis=0) * (grid[1] - grid[0])


try:
    tfd.kl_divergence(tfd.Normal(0.0, 1.0), modes)
except NotImplementedError:
    print("TFP: no closed form is registered for this pair.")
print(f"the grid on a pair that has one: {kl_on_grid(narrow, wide):.5f} nats; closed form: {closed_form:.5f}")

starts = np.array([-3.0, -1.5, 0.5, 3.0], np.float32)
two_mode_fits, two_mode_kl = {}, {}
for name in ("KL(q‖p)", "KL(p‖q)"):
    fit = tfd.Normal(tf.Variable(starts), tfp.util.TransformedVariable(tf.ones(4), tfb.Exp()))
    pair = (fit, modes) if name == "KL(q‖p)" else (modes, fit)
    minimise(lambda pair=pair: tf.reduce_sum(kl_on_grid(*pair)), fit.trainable_variables, budget.steps)
    two_mode_fits[name], two_mode_kl[name] = fit, kl_on_grid(*pair).numpy()
    ends = f"mean {fit.mean().numpy().round(3) + 0.0}, sd {fit.stddev().numpy().round(3)}"
    print(f"minimising {name}, four starts: {two_mode_kl[name].round(3)} nats\n    {ends}")

# %% alt="The two-mode density twice. Left, the fits of KL(q‖p) from four starts: three narrow bells, each sitting on one of the two modes, and a wide one that was caught in the middle. Right, the fits of KL(p‖q): four times the same wide bell over both modes, highest in the gap between them"
shades = (plots.BLUE, plots.ORANGE, plots.DARK, plots.GREEN)
figure, axes = plt.subplots(1, 2, figsize=(11, 4.4), sharey=True)
for axis, fit in zip(axes, two_mode_fits.values(), strict=True):
    axis.fill_between(grid, modes.prob(grid), color="#bbbbbb", alpha=0.6, lw=0, label="p, two modes")
    for start, style, colour in zip(range(4), ("-", ":", "-.", "--"), shades, strict=True):
        density = fit.prob(grid[:, None])[:, start]
        axis.plot(grid, density, ls=style, color=colour, label=f"q from mean {starts[start]:g}")
    axis.set(xlabel="x", xlim=(-6, 6), ylim=(0, 1.05))
    axis.legend(fontsize=11, loc="upper center", ncols=2)
axes[0].set(ylabel="density", title="KL(q‖p): three starts find a mode, one does not")
axes[1].set_title("KL(p‖q): all four cover both modes")
plt.show()

# %% [markdown]
# Right: all starts end with the mean and the variance of $p$ itself, and peak in the gap, where $p$ has next to
# nothing. Left: the best fits settle on one mode. To leave half of $p$ out costs $\ln 2 = 0.69$ nats and no more, since
# $q$'s draws never visit it. One start was caught in a third place, at 1.14 nats. The landscape shows why:

# %% alt="Two maps over mean and standard deviation of q. KL(q‖p) has two deep basins, near means minus 2 and plus 2 at standard deviation 0.6, and a shallow one between them at 1.8. KL(p‖q) has one basin, at mean 0 and standard deviation 2.09"
means, sds = np.linspace(-4, 4, 161, dtype=np.float32), np.geomspace(0.25, 4, 120).astype(np.float32)
every_q = tfd.Normal(means, sds[:, None])
maps = {"KL(q‖p)": kl_on_grid(every_q, modes).numpy(), "KL(p‖q)": kl_on_grid(modes, every_q).numpy()}
titles = {"KL(q‖p)": "two deep basins", "KL(p‖q)": "one basin"}
levels = [0.5, 0.6, 0.75, 0.9, 1.05, 1.15, 1.25, 1.5, 2, 3, 5, 8]
shades = plt.colormaps["cividis"](np.linspace(0, 1, len(levels)))
figure, axes = plt.subplots(1, 2, figsize=(11, 4.4), sharey=True)
for axis, (name, values) in zip(axes, maps.items(), strict=True):
    filled_map = axis.contourf(means, sds, values, levels=levels, colors=shades, extend="max")
    axis.contour(means, sds, values, levels=levels, colors="white", linewidths=0.7)
    axis.plot(two_mode_fits[name].mean(), two_mode_fits[name].stddev(), "*", ms=15, color=plots.ORANGE, mec="white")
    axis.set(xlabel="mean of q", yscale="log", title=f"{name}: {titles[name]}")
    axis.set_yticks([0.25, 0.5, 1, 2, 4], ["0.25", "0.5", "1", "2", "4"])
    axis.minorticks_off()
axes[0].set_ylabel("standard deviation of q")
figure.colorbar(filled_map, ax=axes, label="nats", ticks=levels)
plt.show()

# %% [markdown]
# Stars mark where the fits ended. A VAE uses both directions. Its approximate posteriors minimise a KL(q‖p): they tend
# to be too narrow. Its model of the images is fitted in the other direction:
# **maximum likelihood**, the largest mean of $\log p(x)$ over the data, is the smallest KL(data‖model), since the two
# differ by the entropy of the data, which no parameter moves.

# %% tags=["claim"]
seeking, covering = two_mode_fits["KL(q‖p)"], two_mode_fits["KL(p‖q)"]
np.testing.assert_allclose(seeking.mean(), [-2, -2, 0, 2], atol=0.05)
np.testing.assert_allclose(seeking.stddev().numpy()[[0, 1, 3]], 0.6, atol=0.03)
np.testing.assert_allclose(two_mode_kl["KL(q‖p)"], [np.log(2), np.log(2), 1.138, np.log(2)], atol=0.01)
np.testing.assert_allclose(covering.mean(), 0, atol=0.01)
np.testing.assert_allclose(covering.stddev(), np.sqrt(0.6**2 + 2**2), atol=0.01)
assert np.all(covering.prob(0.0) > 50 * modes.prob(0.0))
data = modes.sample(budget.draws)
gain = covering.log_prob(data[:, None])[:, 0] - seeking.log_prob(data[:, None])[:, 0]  # in log-likelihood
saved = float((kl_on_grid(modes, seeking) - two_mode_kl["KL(p‖q)"])[0])  # of KL(data‖model)
assert abs(np.mean(gain) - saved) < 5 * np.std(gain) / budget.draws**0.5 and 8 < saved < 12


def basins(values):
    """Grid points, off the border, that are lower than their eight neighbours."""
    windows = np.lib.stride_tricks.sliding_window_view(values, (3, 3)).reshape(*np.subtract(values.shape, 2), 9)
    return np.sum(windows.argmin(axis=-1) == 4)


assert basins(maps["KL(q‖p)"]) == 3 and basins(maps["KL(p‖q)"]) == 1

# %% [markdown]
# That direction covers. Read $x$ as a place on the straight line through two images, trousers at −2 and a boot at +2. The
# data are the two modes. Draw from them, and from the two fits:

# %% alt="Three rows of ten pictures. Data: each is trousers or a boot. Draws of the fit of KL(model‖data): all trousers. Draws of the fit of KL(data‖model): some of both kinds, and many double exposures of trousers and boot"
garments, labels = drawn.garments(200, np.random.default_rng(runtime.SEED))
trousers, boot = (garments[labels == drawn.GARMENTS.index(kind)][0] / 255 for kind in ("Trouser", "Ankle boot"))


def on_the_line(x):
    """Images for numbers x of shape (number,): trousers at -2, a boot at 2, a blend of both between."""
    weight = np.reshape(x, (-1, 1, 1, 1)) / 4 + 0.5
    return np.clip((1 - weight) * trousers + weight * boot, 0, 1)


drawn_from = {
    "data: two kinds": modes.sample(10),
    "fit of KL(model‖data)": seeking[0].sample(10),
    "fit of KL(data‖model)": covering[0].sample(10),
}
plots.compare_rows(
    {name: on_the_line(x) for name, x in drawn_from.items()},
    title="The fit of maximum likelihood blends what it cannot keep apart",
)
plt.show()

# %% [markdown]
# The second row is sharp and has lost one kind. The third has both, and 37% of its draws are blends, from the middle of
# the line ($|x| < 1$), where the data have 5%. A model that is too simple for its data can be wrong in either way;
# maximum likelihood takes the second. It is one reason why VAEs blur.

# %% tags=["claim"]
blends = {
    name: float(np.mean(np.abs(each.sample(budget.draws)) < 1))
    for name, each in {"data": modes, "KL(model‖data)": seeking[0], "KL(data‖model)": covering[0]}.items()
}
print("in the middle of the line:", {name: f"{share:.1%}" for name, share in blends.items()})
for name, share in {"data": 0.048, "KL(model‖data)": 0.048, "KL(data‖model)": 0.368}.items():
    assert abs(blends[name] - share) < 5 * np.sqrt(share / budget.draws) + 0.01
assert np.all(np.abs(seeking[0].sample(budget.draws) + 2) < 4)  # one kind: the other one stands 4 away

# %% [markdown]
# **Predict, then run.** Let the two modes overlap, with standard deviations of 1 in place of 0.6. Where does the fit of
# KL(q‖p) that starts at −3 end now?

# %%
guessed_mean, guessed_sd = None, None  # your guess here, for instance: -2.0, 0.6

# %% tags=["claim"]
overlapping = tfd.MixtureSameFamily(tfd.Categorical(probs=[0.5, 0.5]), tfd.Normal([-2.0, 2.0], [1.0, 1.0]))
fit = tfd.Normal(tf.Variable(starts), tfp.util.TransformedVariable(tf.ones(4), tfb.Exp()))
minimise(lambda: tf.reduce_sum(kl_on_grid(fit, overlapping)), fit.trainable_variables, budget.steps)
print(f"minimising KL(q‖p): mean {fit.mean().numpy().round(3) + 0.0}  sd {fit.stddev().numpy().round(3)}")
selftest.compare(guessed_mean, fit.mean().numpy()[0], "mean")
selftest.compare(guessed_sd, fit.stddev().numpy()[0], "standard deviation")
np.testing.assert_allclose(fit.mean(), 0, atol=0.02)
np.testing.assert_allclose(fit.stddev(), 2.047, atol=0.01)

# %% [markdown]
# All four end in one place, over both modes: the basins have merged. "KL(q‖p) picks a mode" holds for modes that lie
# apart.

# %% [markdown]
# ## Derive the ELBO: log p(x) minus a KL
#
# A model with a latent variable draws $z \sim p(z)$, then $x \sim p(x|z)$. Its $p(x)$ is a mixture with one part for
# each code:
#
# $$p(x) = \int p(x|z) \, p(z) \, dz.$$
#
# Take one number for each, and a decoder $g$ that bends, $p(x|z) = \mathcal{N}(g(z), 0.5^2)$:


# %% tags=["claim"] alt="Left: the decoder's curve from code to mean, steep in the middle, with twelve codes on it. Middle: twelve thin bells, one a code, and their mean, a bumpy curve. Right: the mean of the bells of many codes, a smooth density with two peaks, which lies on the exact one"
def decode(z):
    """The mean of p(x|z): one number in, one number out."""
    return 2 * np.tanh(2 * z) + 0.3 * z


line = np.linspace(-5, 5, 401)[:, None]


def parts(z):
    """The density of p(x|z) at each x of the line (rows) for each code (columns)."""
    return np.exp(-((line - decode(z)) ** 2) / (2 * 0.5**2)) / np.sqrt(2 * np.pi * 0.5**2)


few, many = generator.normal(size=12), generator.normal(size=20_000)
every = np.linspace(-6, 6, 2_401)  # and the integral itself, as a sum over a fine grid
exact_mixture = parts(every) @ (np.exp(-(every**2) / 2) / np.sqrt(2 * np.pi)) * (every[1] - every[0])

figure, axes = plt.subplots(1, 3, figsize=(12.5, 4.2))
axes[0].plot(every, decode(every), color=plots.ORANGE)
axes[0].scatter(few, decode(few), c=few, cmap="cividis", ec=plots.DARK, s=70, zorder=3)
axes[0].set(xlim=(-3, 3), xlabel="code z", ylabel="mean of x", title="The decoder bends")
for z, bell in sorted(zip(few, parts(few).T, strict=True)):
    axes[1].plot(line, bell / 12, color=plt.colormaps["cividis"](np.interp(z, [-2, 2], [0, 1])), lw=1.5)
axes[1].plot(line, parts(few).mean(axis=1), color=plots.DARK, lw=3)
axes[1].set(xlabel="x", ylabel="density", title="12 codes: 12 bells, and their sum")
mixture = parts(many)
axes[2].plot(line, mixture.mean(axis=1), color=plots.DARK, lw=5, alpha=0.35, label="20,000 codes")
axes[2].plot(line, exact_mixture, color=plots.BLUE, ls="--", label="every code: p(x)")
axes[2].set(xlabel="x", title="Every code: two peaks", ylim=(0, 0.33))
axes[2].legend(loc="upper center")
plt.show()

standard_errors = mixture.std(axis=1) / np.sqrt(len(many))
assert np.all(np.abs(mixture.mean(axis=1) - exact_mixture) < 5.5 * standard_errors + 1e-6)
np.testing.assert_allclose(exact_mixture.sum() * (line[1, 0] - line[0, 0]), 1, atol=1e-3)


def peaks(density):
    return int(np.sum((density[1:-1] > density[:-2]) & (density[1:-1] > density[2:])))


assert peaks(exact_mixture) == 2 and all(peaks(bell) == 1 for bell in parts(few).T)

# %% [markdown]
# No part has two peaks, and the mixture has: a decoder network bends a normal into densities of any shape.
#
# To train such a model you want $\log p(x)$ of each image, and on images nobody can do the integral. Bring in any
# distribution $q(z|x)$. Since $\log p(x)$ does not depend on $z$, its mean under
# $q$ is itself:
#
# $$\log p(x) = \mathbb{E}_q[\log p(x)] = \mathbb{E}_q\left[\log \frac{p(x, z)}{p(z|x)}\right].$$
#
# Multiply and divide by $q(z|x)$ inside the logarithm, and split:
#
# $$\log p(x) = \mathbb{E}_q\left[\log \frac{p(x, z)}{q(z|x)}\right]
#   + \mathbb{E}_q\left[\log \frac{q(z|x)}{p(z|x)}\right].$$
#
# The second expectation is $\mathrm{KL}(q(z|x) \parallel p(z|x))$, the divergence from the *true posterior*. The first is
# the **evidence lower bound**, the ELBO. So the ELBO is $\log p(x)$ minus a KL:
#
# $$\mathrm{ELBO} = \log p(x) - \mathrm{KL}(q(z|x) \parallel p(z|x)) \le \log p(x).$$
#
# To compute it you do not need the posterior: split
# $p(x, z) = p(x|z) \, p(z)$, and a second, different KL appears, from the *prior*:
#
# $$\mathrm{ELBO} = \mathbb{E}_q[\log p(x|z)] - \mathrm{KL}(q(z|x) \parallel p(z)).$$
#
# This form has nothing unknown in it. The KL from the prior is what you **compute**, the KL from the posterior is what
# you
# **lose**. In both, $q$ comes first.

# %% [markdown]
# ## Verify it where log p(x) is known
#
# In general nobody knows $\log p(x)$. In a linear-Gaussian model everybody does:
#
# $$p(z) = \mathcal{N}(0, I), \qquad p(x|z) = \mathcal{N}(Wz + b, s^2 I)
#   \quad\Rightarrow\quad p(x) = \mathcal{N}(b, W W^\top + s^2 I).$$
#
# This is probabilistic PCA. Its posterior is normal too, with precision $M = I + W^\top W / s^2$ and mean
# $M^{-1} W^\top (x - b) / s^2$. Two latent variables, three observed ones. The last lines integrate over $z$ on a grid, to check $p(x)$:

# %% tags=["claim"]
weights = tf.constant([[1.0, 0.8], [0.6, 1.0], [1.2, 1.0]])
offset, noise = tf.constant([0.5, -1.0, 0.0]), 0.7
observed = tf.constant([2.0, 0.5, 1.5])
prior = tfd.MultivariateNormalDiag(tf.zeros(2), tf.ones(2))


def likelihood(z, weights=weights):
    """p(x|z): batch shape that of z without its last axis, event shape (3,)."""
    return tfd.MultivariateNormalDiag(tf.linalg.matvec(weights, z) + offset, noise * tf.ones(3))


def exact_model(weights):
    """The model's log p(x) at the observed x, and its true posterior p(z|x)."""
    marginal_covariance = weights @ tf.transpose(weights) + noise**2 * tf.eye(3)
    marginal = tfd.MultivariateNormalTriL(offset, tf.linalg.cholesky(marginal_covariance))
    covariance = tf.linalg.inv(tf.eye(2) + tf.transpose(weights) @ weights / noise**2)
    mean = tf.linalg.matvec(covariance @ tf.transpose(weights), observed - offset) / noise**2
    return float(marginal.log_prob(observed)), tfd.MultivariateNormalTriL(mean, tf.linalg.cholesky(covariance))


log_evidence, posterior = exact_model(weights)
print(f"log p(x) = {log_evidence:.4f} nats | posterior mean {posterior.mean().numpy().round(3)}")

side = np.arange(-7, 7, 0.04, dtype=np.float32)
plane = tf.reshape(tf.stack(tf.meshgrid(side, side), axis=-1), [-1, 2])
log_joint = likelihood(plane).log_prob(observed) + prior.log_prob(plane)
np.testing.assert_allclose(tf.reduce_logsumexp(log_joint) + 2 * np.log(0.04), log_evidence, atol=2e-3)

# %% [markdown]
# Now the ELBO. For a normal $q$ with mean $m$ and covariance $S$, its expectation is $\log p(x|m)$ minus
# $\mathrm{tr}(W S W^\top) / 2s^2$, which is what the spread of $q$ costs in reconstruction. Try it on five random $q$:


# %% alt="Six stacked bars that all end at the line log p(x). Five random q: a blue ELBO, and on it a hatched gap of another height each. The sixth, the true posterior: blue up to the line, no gap"
def lower_bound(q, weights=weights):
    """E_q[log p(x|z)] - KL(q(z|x)‖p(z)) in nats."""
    spread = tf.linalg.trace(weights @ q.covariance() @ tf.transpose(weights)) / (2 * noise**2)
    return likelihood(q.mean(), weights).log_prob(observed) - spread - tfd.kl_divergence(q, prior)


rows = []
for _ in range(5):
    guess = tfd.MultivariateNormalTriL(tf.random.normal([2]), 0.5 * tfb.FillScaleTriL()(tf.random.normal([3])))
    bound, gap = float(lower_bound(guess)), float(tfd.kl_divergence(guess, posterior))
    rows.append((bound, gap, bound + gap))
print(f"{'ELBO':>10s} {'KL(q‖posterior)':>17s} {'sum':>10s}      log p(x) = {log_evidence:.4f}")
print("\n".join("{:10.4f} {:17.4f} {:10.4f}".format(*row) for row in rows))

bars = np.array([*rows, (float(lower_bound(posterior)), 0.0, log_evidence)])
floor = np.floor(bars[:, 0].min()) - 2
figure, axis = plt.subplots(figsize=(9, 4.6))
names = [f"random q {number}" for number in range(1, 6)] + ["true posterior"]
axis.bar(names, bars[:, 0] - floor, bottom=floor, color=plots.BLUE, label="ELBO")
axis.bar(names, bars[:, 1], bottom=bars[:, 0], color=plots.ORANGE, hatch="//", ec="white", label="gap: KL(q‖posterior)")
axis.axhline(log_evidence, color=plots.DARK, ls="--", label="log p(x)")
axis.set(ylabel="nats", ylim=(floor, log_evidence + 0.22 * (log_evidence - floor)))
axis.set_title("ELBO + gap = log p(x), whatever q is")
axis.legend(ncols=3, loc="upper center")
plt.show()

# %% [markdown]
# The sum is $\log p(x)$ each time, and no ELBO is above it.
#
# The same by sampling, as a VAE does it: draw $z \sim q$ and average $\log p(x|z) + \log p(z) - \log q(z|x)$. When $q$
# *is* the posterior, this sum equals $\log p(x)$ for every single $z$.

# %% tags=["claim"]
sampled = {}
for name, some_q in {"the last q": guess, "the posterior": posterior}.items():
    z = some_q.sample(budget.draws)
    bracket = likelihood(z).log_prob(observed) + prior.log_prob(z) - some_q.log_prob(z)
    sampled[name] = float(lower_bound(some_q)), float(tf.reduce_mean(bracket)), float(tf.math.reduce_std(bracket))
for name, (bound, mean, sd) in sampled.items():
    print(f"{name:14s} ELBO {bound:9.4f} | mean of the draws {mean:9.4f} | standard deviation of one draw {sd:.5f}")
np.testing.assert_allclose(bars[:, 2], log_evidence, rtol=1e-5, atol=1e-3)
np.testing.assert_allclose(bars[-1, 0], log_evidence, atol=1e-4)
assert all(row[0] < log_evidence for row in rows)
for bound, mean, sd in sampled.values():
    assert abs(mean - bound) < 5 * sd / budget.draws**0.5 + 1e-4
np.testing.assert_allclose(sampled["the posterior"][:2], log_evidence, atol=1e-3)
assert sampled["the posterior"][2] < 1e-4 < sampled["the last q"][2]

# %% [markdown]
# ### Watch the bound touch
#
# Now keep $q$ and change the model: multiply its weights by a factor $\theta$. Take for $q$ the true posterior of the
# model with
# $\theta = 0.3$, go to the top of that bound, take the posterior *there*, and draw the next bound.


# %% alt="log p(x) against a factor on the weights, a dark curve with one top. Below it two blue and green bounds; each touches the curve in one point, where its q is the true posterior, and falls away from it on both sides; the second touches below the top of the first, higher up"
factors = np.linspace(0.05, 1.5, 146)
evidence_curve = np.array([exact_model(factor * weights)[0] for factor in factors])
touching, curves = [int(np.argmin(np.abs(factors - 0.3)))], []
for _ in range(2):
    _, there = exact_model(factors[touching[-1]] * weights)
    curves.append(np.array([float(lower_bound(there, factor * weights)) for factor in factors]))
    touching.append(int(curves[-1].argmax()))

figure, axis = plt.subplots(figsize=(9, 4.8))
axis.plot(factors, evidence_curve, color=plots.DARK, lw=3, label="log p(x)")
for number, (curve, colour, style) in enumerate(zip(curves, (plots.BLUE, plots.GREEN), ("--", "-."), strict=True)):
    at = touching[number]
    axis.plot(factors, curve, color=colour, ls=style, label=f"ELBO, q = posterior at θ = {factors[at]:.2f}")
    axis.plot(factors[at], evidence_curve[at], "o", ms=11, color=colour)
    axis.plot(factors[touching[number + 1]], curve.max(), "^", ms=10, color=colour, mec="white")
axis.set(xlabel="factor θ on the weights", ylabel="nats", ylim=(-10, -1))
axis.set_title("Each bound touches log p(x) in one point (dot); its top (triangle) is a better model")
axis.legend(loc="upper left")
plt.show()

# %% [markdown]
# A bound touches the curve where its $q$ is the true posterior, with the same slope, and lies below it everywhere else.
# So where the bound has risen, $\log p(x)$ has risen at least as much. Fit $q$, then the model, and so on: this is the
# EM algorithm. A VAE takes small steps of both at once.

# %% tags=["claim"]
for at, after, curve in zip(touching[:-1], touching[1:], curves, strict=True):
    gap = evidence_curve - curve
    assert gap.argmin() == at and abs(gap[at]) < 1e-4 and np.delete(gap, at).min() > 0
    assert evidence_curve[after] - evidence_curve[at] > curve[after] - curve[at] > 0
    slopes = np.gradient(evidence_curve, factors)[at], np.gradient(curve, factors)[at]
    np.testing.assert_allclose(*slopes, rtol=0.02)

# %% [markdown]
# Last, train $q$ by *maximising the ELBO*, with a diagonal covariance, as the encoder of a VAE has it, and with a full
# one. That is minimising KL(q(z|x)‖p(z|x)), up to a constant.

# %% alt="Left: the ELBO of a diagonal and of a full q climbs with training; the full one reaches the line log p(x), the diagonal one stays 0.53 nats below. Right: the tilted true posterior, the full q on it, and the diagonal q, a small circle inside"
learners = {
    "diagonal q": tfd.MultivariateNormalDiag(
        tf.Variable([0.0, 0.0]), tfp.util.TransformedVariable([1.0, 1.0], tfb.Exp())
    ),
    "full q": tfd.MultivariateNormalTriL(
        tf.Variable([0.0, 0.0]), tfp.util.TransformedVariable(tf.eye(2), tfb.FillScaleTriL())
    ),
}
bounds = {}
for name, learner in learners.items():
    negative, _ = minimise(
        lambda learner=learner: -lower_bound(learner), learner.trainable_variables, budget.steps, learning_rate=0.03
    )
    bounds[name] = -np.array(negative)
    print(f"{name:10s} ELBO {bounds[name][0]:7.3f} at the start, {bounds[name][-1]:7.4f} at the end")

figure, axes = plt.subplots(1, 2, figsize=(11.5, 4.5), width_ratios=(1.25, 1))
axes[0].axhline(log_evidence, color=plots.DARK, ls="--", label="log p(x)")
for (name, values), style, colour in zip(bounds.items(), ("-", "-."), (plots.BLUE, plots.GREEN), strict=True):
    axes[0].plot(np.arange(1, len(values) + 1), values, ls=style, color=colour, label=name)
    ellipses(axes[1], learners[name], colour, name)
axes[0].set(xscale="log", xlabel="step", ylabel="ELBO in nats", ylim=(log_evidence - 4, log_evidence + 0.6))
axes[0].set_title("The gap that stays is a KL")
ceiling, plateau = log_evidence, bounds["diagonal q"][-1]
axes[0].annotate("", (budget.steps, ceiling), (budget.steps, plateau), arrowprops={"arrowstyle": "<->"})
axes[0].text(budget.steps * 0.8, (ceiling + plateau) / 2, f"{ceiling - plateau:.2f} nats", ha="right", va="center")
axes[0].legend(loc="lower right")
ellipses(axes[1], posterior, plots.ORANGE, "true posterior", filled=True)
axes[1].set(xlabel="$z_1$", ylabel="$z_2$", aspect="equal", title="What each q makes of p(z|x)")
axes[1].legend(fontsize=11)
plt.show()

# %% [markdown]
# The full $q$ closes the gap. The diagonal one stays below by the same $-\frac{1}{2} \ln(1 - \rho^2)$ as in the film,
# now with the correlation of the posterior. Training the *decoder* can win it back. Turn the latent axes onto the
# eigenvectors of
# $W^\top W$: $p(x)$ stays the same, the posteriors are no longer tilted, and the gap is gone.

# %% tags=["claim"]
posterior_covariance = posterior.covariance()
correlation = float(posterior_covariance[0, 1] / tf.sqrt(posterior_covariance[0, 0] * posterior_covariance[1, 1]))
left_over = {name: log_evidence - values[-1] for name, values in bounds.items()}
print(f"left over: diagonal {left_over['diagonal q']:.4f} nats, full {abs(left_over['full q']):.4f} nats")
print(f"correlation of the posterior {correlation:.3f}: -1/2 ln(1 - rho^2) = {-0.5 * np.log(1 - correlation**2):.4f}")
np.testing.assert_allclose(left_over["diagonal q"], -0.5 * np.log(1 - correlation**2), atol=3e-3)
np.testing.assert_allclose(left_over["full q"], 0, atol=3e-3)
assert np.all(learners["diagonal q"].stddev() < posterior.stddev())
assert all(values.max() < log_evidence + 1e-3 for values in bounds.values())
turned = weights @ tf.linalg.eigh(tf.transpose(weights) @ weights)[1]
np.testing.assert_allclose(turned @ tf.transpose(turned), weights @ tf.transpose(weights), atol=1e-5)
turned_precision = (tf.eye(2) + tf.transpose(turned) @ turned / noise**2).numpy()
assert abs(turned_precision[0, 1]) < 1e-4 * turned_precision.max()

# %% [markdown]
# ## In this notebook we saw
#
# - KL(q‖p) is the mean evidence for $q$ over $p$ in draws of $q$: never negative, zero only for equal distributions,
#   not symmetric.
# - KL has the batch shape; the event shape is summed.
# - Minimising KL(q‖p) shrinks into one mode; minimising KL(p‖q) spreads over all of them. Say which one you mean.
# - The ELBO is $\log p(x) - \mathrm{KL}(q(z|x) \parallel p(z|x))$, and it is computed as
#   $\mathbb{E}_q[\log p(x|z)] - \mathrm{KL}(q(z|x) \parallel p(z))$.
#
# Next: [lesson 03](03_reparameterization.ipynb). Here every expectation was a closed form or a sum over a grid. A VAE
# has neither, so its gradient has to pass through a draw.
#
# **An open problem.** Average $K$ ratios $p(x, z_k) / q(z_k|x)$ *inside* the logarithm, and the bound gets tighter. On the
# linear model, with the trained diagonal $q$: how fast does the gap close as $K$ grows? Which diagonal $q$ does better?
#
# <details><summary>A hint</summary>
#
# If the ratio has a finite variance, the gap shrinks as $1/K$. Does it? Ask for which $a$ the mean of its $a$-th power is
# finite: a Gaussian integral in two variables, with the correlation of the posterior in it.
#
# </details>
#
# ## Test yourself
#
# Run the cell and click on an answer: it tells you whether it is right, and why.

# %% tags=["self-test"]
selftest.ask("02")

# %% [markdown]
# ## Sources and further reading
#
# - S. Kullback, R. A. Leibler, [On Information and Sufficiency](https://doi.org/10.1214/aoms/1177729694), 1951.
# - D. P. Kingma, M. Welling, [Auto-Encoding Variational Bayes](https://arxiv.org/abs/1312.6114), 2013; the closed form
#   for a diagonal normal is in its appendix B.
# - C. M. Bishop, [Pattern Recognition and Machine
#   Learning](https://www.microsoft.com/en-us/research/publication/pattern-recognition-machine-learning/), 2006, section
#   10.1: both directions, with the picture of the correlated Gaussian.
# - D. M. Blei, A. Kucukelbir, J. D. McAuliffe, [Variational Inference: A Review for
#   Statisticians](https://arxiv.org/abs/1601.00670), 2017.
# - M. E. Tipping, C. M. Bishop, [Probabilistic Principal Component
#   Analysis](https://doi.org/10.1111/1467-9868.00196), 1999: the linear-Gaussian model.
# - Published course notes on variational autoencoders with TensorFlow Probability, where the two-Gaussian example and
#   the fit with `TransformedVariable` come from; the numbers here are recomputed.

# %% [markdown] tags=["solution"]
# ---
# ## Solutions
#
# Collapsed. Click on the dots of a cell to see its code; what it prints is the verdict of the check.


# %% tags=["solution"] jupyter={"source_hidden": true}
def monte_carlo_kl(q, p, number):
    """Draws from the first distribution; the same draws go into both log densities."""
    x = q.sample(number)
    return tf.reduce_mean(q.log_prob(x) - p.log_prob(x))


checks.monte_carlo_kl(monte_carlo_kl)


# %% tags=["solution"] jupyter={"source_hidden": true}
def kl_normals(mean_q, sd_q, mean_p, sd_p):
    """The mean of log q is -ln(sd_q) - 1/2; that of log p has the mean square distance to mean_p in it."""
    return np.log(sd_p / sd_q) + (sd_q**2 + (mean_q - mean_p) ** 2) / (2 * sd_p**2) - 0.5


checks.kl_normals(kl_normals)


# %% tags=["solution"] jupyter={"source_hidden": true}
def kl_to_standard_normal(mean, log_variance):
    """The variance is the exponential of what the encoder returns; the sum runs over the latent dimensions."""
    return 0.5 * tf.reduce_sum(mean**2 + tf.exp(log_variance) - 1 - log_variance, axis=-1)


checks.kl_to_standard_normal(kl_to_standard_normal)


# %% [markdown] tags=["solution"]
# **The open problem.** In units of its own standard deviations, the trained $q$ is $\mathcal{N}(0, I)$ and the posterior has
# the precision $\begin{pmatrix} 1 & -\rho \\ -\rho & 1 \end{pmatrix}$, so the ratio is proportional to $e^{\rho z_1
# z_2}$. The mean of its $a$-th power is finite for $a |\rho| < 1$. With $\rho = -0.81$ that is $a < 1.23$: the variance
# is infinite. The mean of
# $K$ ratios then hangs on its largest, rare members, and the gap shrinks as $K^{1 - 1/|\rho|}$, in the end as $K^{-0.23}$, in place of $1/K$.
# What was best for one draw is a bad proposal for many. A $q$ with the *marginal* spreads of the posterior, the one that
# KL(p‖q) chooses, has $a < 1 + 1/|\rho| = 2.23$. It starts lower and closes its gap nearly as $1/K$.

# %% tags=["solution"] jupyter={"source_hidden": true} alt="The gap of the importance-weighted bound against the number of draws K, both axes logarithmic. The trained narrow q falls slowly, to about a tenth; the wide q starts higher, crosses it before K = 4 and falls nearly as 1/K"
precision = np.linalg.inv(posterior_covariance)
spreads_of = {"trained, narrow q": np.diag(precision) ** -0.5, "wide q": np.diag(posterior_covariance) ** 0.5}
sizes, slopes = 2 ** np.arange(9), {}
figure, axis = plt.subplots(figsize=(7.5, 4.4))
for (name, sd), marker in zip(spreads_of.items(), plots.MARKERS, strict=False):
    noise_draws = generator.normal(size=(256 * 4_000, 2))
    z = sd * noise_draws  # the distance from the posterior's mean
    log_ratio = -0.5 * np.einsum("ni,ij,nj->n", z, precision, z) + 0.5 * np.log(np.linalg.det(precision))
    log_ratio += 0.5 * np.sum(noise_draws**2, axis=1) + np.log(sd).sum()  # log p(z|x) - log q(z|x)
    gaps = np.array([-np.log(np.exp(log_ratio.reshape(-1, size)).mean(axis=1)).mean() for size in sizes])
    slopes[name] = np.polyfit(np.log(sizes[2:7]), np.log(gaps[2:7]), 1)[0]  # beyond, a gap is near its noise
    axis.loglog(sizes, gaps, marker + "-", label=f"{name}: slope {slopes[name]:.2f} from 4 to 64")
    print(f"{name:18s} gap with K = 1: {gaps[0]:.3f} nats, with K = {sizes[-1]}: {gaps[-1]:.4f}")
axis.set(xlabel="draws K inside the logarithm", ylabel="gap to log p(x) in nats")
axis.set_title("The best q for one draw is not the best for many")
axis.legend()
plt.show()
assert -0.4 < slopes["trained, narrow q"] < -0.2 and -1.1 < slopes["wide q"] < -0.85
