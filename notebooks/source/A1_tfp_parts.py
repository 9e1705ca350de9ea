# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A1 · TFP's parts taken apart
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/vae-course/vae-course/blob/main/notebooks/A1_tfp_parts.ipynb)
#
# ![Three matrices: a vector laid out as a triangle, its diagonal made positive, and the covariance that it stands for](figures/A1_triangle.png)
#
# Lessons 02 to 04 take TensorFlow Probability's parts as they come. This appendix opens them: what a bijector is, how a
# scale stays positive while an optimizer pulls at it, how three numbers become a covariance, and which draws a gradient
# can pass. Nothing later depends on it.

# %% [markdown]
# **You will do**
# - send a normal through an exponential, and compare its density with the one in the textbook;
# - rebuild `FillScaleTriL` from its parts, say how much it stretches, and train a full covariance with it;
# - ask sixteen distributions whether a gradient can pass their draws.
#
# **You will learn**
# - what `TransformedVariable` stores, and what it shows;
# - in which order a chain is applied, and a triangle is filled;
# - what `reparameterization_type` promises, and what it does not.
#
# **You need** lessons [02](02_kl_divergence.ipynb) and [03](03_reparameterization.ipynb). Words are explained in the
# [glossary](../site/glossary.md).
#
# **Time:** about half a minute of computing at the `laptop` budget on two cores, and an hour of study.

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

budget = runtime.start("A1")

# %%
import itertools

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras as keras

from course_utils import checks, plots, selftest

tfd, tfb = tfp.distributions, tfp.bijectors

# %% [markdown]
# ## Send a draw through a bijector
#
# A **bijector** $g$ is a function with an inverse and a derivative. TFP's bijectors carry three methods: `forward`,
# `inverse` and `forward_log_det_jacobian`. The third is there for densities. If $y = g(x)$, then
#
# $$\log p(y) = \log p(x) - \log \left| g'(x) \right|, \qquad x = g^{-1}(y):$$
#
# where $g$ stretches, the same mass is spread over more room. A `TransformedDistribution` does this bookkeeping. Send a
# standard normal through `tfb.Exp()`:

# %% alt="Histogram of exponentials of normal draws, right-skewed and positive, with the transformed density on top of it; a dashed curve without the derivative does not fit"
skewed = tfd.TransformedDistribution(tfd.Normal(0.0, 1.0), tfb.Exp())
draws = skewed.sample(budget.draws).numpy()
y = np.linspace(0.02, 6, 400, dtype=np.float32)
x = tfb.Exp().inverse(y)

figure, axis = plt.subplots(figsize=(8.5, 4))
axis.hist(
    draws, bins=np.linspace(0, 6, 121), weights=np.full(len(draws), 20 / len(draws)), color="#cccccc", label="draws"
)
axis.plot(y, skewed.prob(y), color=plots.BLUE, label="with the derivative")
axis.plot(y, tfd.Normal(0.0, 1.0).prob(x), "--", color=plots.ORANGE, label="without it")
axis.set(xlabel="y = exp(x)", ylabel="density per unit of y", title="A density has to pay for the stretching")
axis.legend()
plt.show()

# %% [markdown]
# The plain curve lies on the histogram. The dashed one leaves the derivative out, and it is no density: its area is
# $\sqrt{e}$. What TFP made of two parts is the log-normal of the textbooks.

# %% tags=["claim"]
np.testing.assert_allclose(skewed.log_prob(y), tfd.LogNormal(0.0, 1.0).log_prob(y), rtol=1e-5, atol=1e-5)
by_hand = tfd.Normal(0.0, 1.0).log_prob(x) - tfb.Exp().forward_log_det_jacobian(x)
np.testing.assert_allclose(skewed.log_prob(y), by_hand, rtol=1e-5, atol=1e-5)
x = np.linspace(-8, 10, 18_001)
np.testing.assert_allclose(np.sum(tfd.Normal(0.0, 1.0).prob(x) * np.exp(x)) * 0.001, np.sqrt(np.e), rtol=1e-4)
np.testing.assert_allclose(np.mean(draws < 1), 0.5, atol=5 * 0.5 / budget.draws**0.5)

# %% [markdown]
# **Predict, then run.** `tfb.Chain` puts bijectors in a row. Is `Chain([Shift(1.0), Exp()])` at 0 equal to $e^{0 + 1}$
# or to $e^0 + 1$?

# %% tags=["claim"]
chained = tfb.Chain([tfb.Shift(1.0), tfb.Exp()])
print(f"Chain([Shift(1), Exp()]) at 0: {float(chained(0.0)):.4f}")
assert float(chained(0.0)) == 2.0
np.testing.assert_allclose(chained.inverse(2.0), 0.0, atol=1e-6)

# %% [markdown]
# The last in the list is applied first, as in $(f \circ g)(x) = f(g(x))$.

# %% [markdown]
# ## Keep a scale positive while it learns
#
# A standard deviation must stay positive, and an optimizer does not know that: it adds numbers to a variable.
# `tfp.util.TransformedVariable` keeps an unconstrained variable inside and shows the world `bijector(variable)`. With
# `tfb.Exp()` the inside is $\ln \sigma$.

# %%
learned = tfp.util.TransformedVariable(0.5, tfb.Exp(), name="sd")
plain = tf.Variable(0.5)
for variable, shown in ((plain, plain), (learned.trainable_variables[0], learned)):
    with tf.GradientTape() as tape:
        value = tfd.kl_divergence(tfd.Normal(0.0, shown), tfd.Normal(0.0, 0.1))
    before, gradient = float(variable), float(tape.gradient(value, variable))
    variable.assign_sub(0.02 * gradient)
    print(f"variable {before:6.3f}, gradient {gradient:6.2f}: after one step, sd = {tf.convert_to_tensor(shown):6.3f}")

# %% [markdown]
# Both start at $\sigma = 0.5$, and both take a gradient step of the same rate towards a target of 0.1. The plain
# variable steps across zero, and a negative standard deviation is not one: the next KL would be `nan`. The transformed
# variable moves in $\ln \sigma$ and cannot leave the positive numbers. Assigning to it goes through the inverse.

# %% tags=["claim"]
assert float(plain) < 0 < float(tf.convert_to_tensor(learned))
assert np.isnan(tfd.kl_divergence(tfd.Normal(0.0, plain), tfd.Normal(0.0, 0.1)))
learned.assign(2.0)
np.testing.assert_allclose(learned.trainable_variables[0], np.log(2.0), atol=1e-6)

# %% [markdown]
# ## Take `FillScaleTriL` apart
#
# A diagonal scale is $d$ numbers, each of them positive. A full covariance needs a matrix $L$ that is lower triangular,
# with a positive diagonal. `FillScaleTriL` maps *any* vector of $d(d+1)/2$ numbers to one. It is a chain of two
# bijectors, applied from the right:
#
# 1. `FillTriangular` lays the vector out in a lower triangle;
# 2. `TransformDiagonal` sends the diagonal, and it alone, through a softplus and adds $10^{-5}$, so that it is never
#    closer to zero than that.

# %% tags=["front-triangle"] alt="Three annotated matrices. FillTriangular puts 1.0 and minus 0.5 on the diagonal and 1.25 below it. Softplus turns the diagonal into 1.313 and 0.474. The product with its transpose is the covariance"
vector = tf.constant([-0.5, 1.25, 1.0])
filled = tfb.FillTriangular()(vector)
positive_diagonal = tfb.TransformDiagonal(tfb.Chain([tfb.Shift(1e-5), tfb.Softplus()]))
triangular = positive_diagonal(filled)
stages = {
    "FillTriangular": filled,
    "diagonal through\nsoftplus, plus 1e-5": triangular,
    "covariance $L L^\\top$": triangular @ tf.transpose(triangular),
}
figure, axes = plt.subplots(1, 3, figsize=(9.5, 3.5))
for axis, (name, values) in zip(axes, stages.items(), strict=True):
    axis.imshow(values, cmap="PuOr", vmin=-3, vmax=3)
    for (i, j), value in np.ndenumerate(values.numpy()):
        axis.text(j, i, f"{value:.4g}", ha="center", va="center", fontsize=15)
    axis.set(xticks=[0, 1], yticks=[0, 1], xlabel="column", ylabel="row", title=name)
figure.suptitle("From [−0.5, 1.25, 1.0] to a covariance", fontsize=14)
plt.show()

# %% [markdown]
# Mind the order: `FillTriangular` winds around its triangle, it does not read it row by row. Here the last number is the
# first diagonal entry. In three dimensions, where the numbers 1 to 6 have the diagonal 4, 5, 1, it is the last one. Print
# the matrix before you trust a vector.
#
# Now rebuild it from its parts, and compare on random vectors of length 10, which make 4 by 4 matrices:

# %%
rebuilt = tfb.Chain(
    [
        tfb.TransformDiagonal(diag_bijector=tfb.Chain([tfb.Shift(1e-5), tfb.Softplus()])),
        tfb.FillTriangular(),
    ]
)
vectors = tf.random.normal([1000, 10], stddev=3.0)
difference = tf.reduce_max(tf.abs(rebuilt(vectors) - tfb.FillScaleTriL()(vectors)))
smallest = tf.reduce_min(tf.linalg.diag_part(rebuilt(vectors)))
print(f"largest difference {difference:.1e} | smallest diagonal entry {smallest:.1e} | shape {rebuilt(vectors).shape}")

# %% tags=["claim"]
assert difference < 1e-6
assert smallest > 9.9e-6
assert np.diag(tfb.FillTriangular()(np.arange(1.0, 7.0))).tolist() == [4, 5, 1]
np.testing.assert_allclose(filled, [[1.0, 0.0], [1.25, -0.5]])
np.testing.assert_allclose(rebuilt(vector), tfb.FillScaleTriL()(vector), atol=1e-6)
np.testing.assert_allclose(rebuilt.inverse(rebuilt(vector)), vector, atol=1e-4)
np.testing.assert_allclose(tf.linalg.diag_part(triangular), np.log1p(np.exp([1.0, -0.5])) + 1e-5, atol=1e-6)

# %% [markdown]
# > **A common mistake.** Published course notes build $p$ from this vector and print 0.4280361 for KL(q‖p), with
# > $q = \mathcal{N}(0, I)$; the right number is 3.0560922. Did the three numbers slip into another order? Then one of
# > the six orders would give it, in one of the two directions. None does:

# %% tags=["claim"]
scale, q = rebuilt(vector), tfd.MultivariateNormalDiag(tf.zeros(2), tf.ones(2))
for order in itertools.permutations([-0.5, 1.25, 1.0]):
    other = tfd.MultivariateNormalTriL(tf.zeros(2), rebuilt(list(order)))
    both = [float(tfd.kl_divergence(q, other)), float(tfd.kl_divergence(other, q))]
    print(order, "KL(q‖p) {:.4f}, KL(p‖q) {:.4f}".format(*both))
    assert min(abs(value - 0.4280361) for value in both) > 0.005

# %% [markdown]
# ### Exercise 1: how much a triangle stretches
#
# A density over triangles has to pay for the stretching, as the log-normal did. `FillScaleTriL` makes $d(d + 1)/2$ entries of
# as many numbers, so its Jacobian $J$ is square. From `numbers`, of shape `(batch, d * (d + 1) / 2)`, return
# $\log |\det J|$ of each row, shape `(batch,)`, for any $d$, and do not ask `FillScaleTriL` for it. Which numbers are only
# moved? It must survive numbers of −200, whose softplus is 0 in float32.


# %% tags=["exercise"]
def log_det_jacobian(numbers):
    return tf.zeros(len(numbers))  # your code here


checks.log_det_jacobian(log_det_jacobian)

# %% [markdown]
# ## Fit a full covariance
#
# In lesson 02 a diagonal $q$ left 1.0367 nats on the table, in both directions. Put the bijector into a
# `TransformedVariable`: the optimizer moves freely through three numbers, and the distribution sees a valid triangle.
# `tfp.math.minimize` is the training loop of lesson 02 as one call.

# %%
p = tfd.MultivariateNormalTriL(tf.zeros(2), scale, name="p")
divergences, inside = {}, {}
for name in ("KL(q‖p)", "KL(p‖q)"):
    full = tfd.MultivariateNormalTriL(
        tf.Variable([2.0, -1.5]), tfp.util.TransformedVariable(tf.eye(2), rebuilt, name="scale_tril")
    )
    pair = (full, p) if name == "KL(q‖p)" else (p, full)
    optimizer = keras.optimizers.Adam(0.1, jit_compile=False)
    optimizer.build(full.trainable_variables)
    losses = tfp.math.minimize(lambda pair=pair: tfd.kl_divergence(*pair), budget.steps, optimizer)
    divergences[name], inside[name] = float(losses[-1]), full.trainable_variables[1].numpy()
    print(f"minimising {name}: {abs(divergences[name]):.5f} nats, vector inside {inside[name].round(3)}")

# %% [markdown]
# The choice of a direction matters when the family is too small for the target. When it is not, both find $p$, and the
# vector inside is the one that $p$ was made from.

# %% tags=["claim"]
assert all(abs(value) < 1e-3 for value in divergences.values())
np.testing.assert_allclose(list(inside.values()), [vector, vector], atol=0.03)

# %% [markdown]
# ## Compare a batch with a batch
#
# Batch shapes broadcast as arrays do. A batch of shape `(5, 1)` against one of shape `(5,)` gives all 25 divergences in
# one call:

# %% alt="A 5 by 5 table of divergences between five normals, zero on the diagonal, and different above and below it"
locations, scales = tf.constant([0.0, 0.0, 1.0, 2.0, 2.0]), tf.constant([1.0, 2.0, 1.0, 0.5, 1.0])
rows, columns = tfd.Normal(locations[:, None], scales[:, None]), tfd.Normal(locations, scales)
matrix = tfd.kl_divergence(rows, columns).numpy()

names = [f"N({m:g}, {s:g}²)" for m, s in zip(locations.numpy(), scales.numpy(), strict=True)]
figure, axis = plt.subplots(figsize=(7.4, 5))
image = axis.imshow(np.log1p(matrix), cmap="cividis", vmax=np.log1p(30))
for (i, j), value in np.ndenumerate(matrix):
    axis.text(j, i, f"{value:.2f}", ha="center", va="center", color="white" if value < 4 else "black")
axis.set_xticks(range(5), names, fontsize=11)
axis.set_yticks(range(5), names, fontsize=11)
axis.set(xlabel="second argument", ylabel="first argument: sampled", title="KL(row‖column) in nats")
axis.spines[:].set_visible(False)
plt.show()

# %% [markdown]
# The diagonal is zero, everything else is positive, and the table is not its own mirror image. The fourth column is the
# expensive one: the narrow $\mathcal{N}(2, 0.5^2)$ finds draws of the others hard to believe.

# %% tags=["claim"]
assert matrix.shape == (5, 5)
np.testing.assert_allclose(np.diag(matrix), 0, atol=1e-6)
assert np.all(matrix[~np.eye(5, dtype=bool)] > 0)
assert not np.allclose(matrix, matrix.T)
assert matrix.sum(axis=0).argmax() == 3

# %% [markdown]
# ## Ask TFP which draws let gradients through
#
# Lesson 03 gets a gradient past a normal draw. Every distribution in TFP says in an attribute, `reparameterization_type`,
# whether its draws let one through. We let one parameter $t = 0.7$ set each of sixteen distributions and compare the
# label with what the tape says. The last column is how TFP draws, from its source. (With TensorFlow 2.20, which Colab has,
# a line about `meta_optimizer` may appear: it is about speed, and the numbers are the same.)

# %%
t = tf.Variable(0.7)
families = {
    "Normal": (lambda: tfd.Normal(t, 1.0), "location + scale * noise"),
    "Logistic": (lambda: tfd.Logistic(t, 1.0), "location + scale * noise"),
    "LogNormal": (lambda: tfd.LogNormal(t, 0.5), "exp of a normal"),
    "Uniform": (lambda: tfd.Uniform(0.0, t), "location + scale * noise"),
    "Laplace": (lambda: tfd.Laplace(t, 1.0), "inverse of the distribution function"),
    "Exponential": (lambda: tfd.Exponential(t), "inverse of the distribution function"),
    "Gamma": (lambda: tfd.Gamma(t, 1.0), "rejection, implicit gradient"),
    "Beta": (lambda: tfd.Beta(t, 2.0), "from two gammas"),
    "Dirichlet": (lambda: tfd.Dirichlet(tf.stack([t, 1.0, 2.0])), "from gammas"),
    "VonMises": (lambda: tfd.VonMises(0.0, t), "rejection, implicit gradient"),
    "TruncatedNormal": (lambda: tfd.TruncatedNormal(t, 1.0, 0.0, 2.0), "implicit gradient"),
    "RelaxedBernoulli": (lambda: tfd.RelaxedBernoulli(0.5, logits=t), "sigmoid of a logistic"),
    "Bernoulli": (lambda: tfd.Bernoulli(logits=t), "discrete"),
    "Categorical": (lambda: tfd.Categorical(logits=tf.stack([t, 0.0, 1.0])), "discrete"),
    "Poisson": (lambda: tfd.Poisson(t), "discrete"),
    "Geometric": (lambda: tfd.Geometric(logits=t), "discrete"),
}

# %%
labels, reaches = {}, {}
for name, (make, how) in families.items():
    with tf.GradientTape() as tape:
        distribution = make()
        value = tf.reduce_sum(tf.cast(distribution.sample(100), tf.float32) ** 2)
    labels[name] = distribution.reparameterization_type == tfd.FULLY_REPARAMETERIZED
    reaches[name] = tape.gradient(value, t) is not None
    print(
        f"{name:17s} {'FULLY' if labels[name] else 'NOT'}_REPARAMETERIZED".ljust(41),
        f"gradient {str(reaches[name]):6s} {how}",
    )

# %% [markdown]
# Label and tape agree in every row. The continuous ones let the gradient through, and the discrete ones do not.
# `RelaxedBernoulli` is the bridge: a continuous stand-in for a coin, with values between 0 and 1.
#
# The gamma has no formula of the kind "location plus scale times noise", and its draws come from rejection sampling.
# Its gradient is *implicit*: differentiate $F_t(z) = u$ with $u$ held fixed, and
# $\partial z / \partial t = -\partial_t F_t(z) \, / \, q_t(z)$ follows. It can be checked. With rate 1,
# $\mathbb{E}[z^2] = t(t + 1)$, so the derivative is $2t + 1 = 2.4$:

# %% tags=["claim"]
assert labels == reaches and 12 == sum(labels.values()) == len(labels) - 4

copies = tf.fill([budget.draws], 0.7)
with tf.GradientTape() as tape:
    tape.watch(copies)
    squares = tfd.Gamma(copies, 1.0).sample() ** 2
gamma_gradients = tape.gradient(squares, copies).numpy()
print(f"gamma, derivative of E[z^2]: {gamma_gradients.mean():.3f}, closed form 2.4")
assert abs(gamma_gradients.mean() - 2.4) < 6 * gamma_gradients.std() / budget.draws**0.5

# %% [markdown]
# ### Distrust a gradient that is not None
#
# A mixture first draws *which* component, then draws from it. The first step is discrete, the second is not. Let the
# parameter $t$ move both: the weights are $\mathrm{softmax}(t, -t)$, and the components are $\mathcal{N}(t, 1)$ and
# $\mathcal{N}(3, 1)$.

# %%
mixture_gradients = {}
for reparameterize_it in (False, True):
    with tf.GradientTape() as tape:
        weights, components = tfd.Categorical(logits=tf.stack([t, -t])), tfd.Normal(tf.stack([t, 3.0]), 1.0)
        mixture = tfd.MixtureSameFamily(weights, components, reparameterize=reparameterize_it)
        mean_square = tf.reduce_mean(mixture.sample(budget.draws) ** 2)
    label = "FULLY" if mixture.reparameterization_type == tfd.FULLY_REPARAMETERIZED else "NOT"
    mixture_gradients[label] = float(tape.gradient(mean_square, t))
    print(f"{label}_REPARAMETERIZED".ljust(22), f"tape: {mixture_gradients[label]:+.2f}")

with tf.GradientTape() as tape:
    share = tf.sigmoid(2 * t)
    exact_mean_square = share * (t**2 + 1) + (1 - share) * 10
mixture_truth = float(tape.gradient(exact_mean_square, t))
print("closed form".ljust(28), f"{mixture_truth:+.2f}")

# %% [markdown]
# The first mixture is labelled `NOT_REPARAMETERIZED`, and the tape returns a number all the same. It has the wrong
# *sign*. The path through the component's mean exists, the path through the weights is missing, and nobody warns you.
# With `reparameterize=True` TFP uses implicit gradients, and the number is right. So a gradient that is `None` is
# honest. One that is a number wants a check: a closed form, or this label.

# %% tags=["claim"]
assert mixture_gradients["NOT"] > 0.5 and mixture_truth < -1.5
np.testing.assert_allclose(mixture_gradients["FULLY"], mixture_truth, atol=0.15)

# %% [markdown]
# **An open problem.** `RelaxedBernoulli` lets a gradient through and is biased for a coin; the score function is unbiased
# and noisy. Take $f(z) = (z - 0.45)^2$ for a coin $z$ with logit $t$, where the exact derivative is two lines. Which
# estimate comes closer with 10, 100, 1,000 draws, and at which temperature?
#
# ## In this notebook we saw
#
# - A bijector knows its inverse and its derivative, so a transformed distribution knows its density. Chains are applied
#   from the right.
# - `TransformedVariable` stores an unconstrained number and shows a valid one. With `FillScaleTriL` that is a whole
#   triangle, filled in an order that you had better print.
# - The KL has the batch shape, and batches broadcast.
# - TFP labels what it can differentiate. A number from a distribution labelled `NOT_REPARAMETERIZED` may have the wrong
#   sign.
#
# ## Test yourself
#
# Run the cell and click on an answer: it tells you whether it is right, and why.

# %% tags=["self-test"]
selftest.ask("A1")

# %% [markdown]
# ## Sources and further reading
#
# - J. V. Dillon and others, [TensorFlow Distributions](https://arxiv.org/abs/1711.10604), 2017: batch shape, event shape,
#   bijectors.
# - M. Figurnov, S. Mohamed, A. Mnih, [Implicit Reparameterization Gradients](https://arxiv.org/abs/1805.08498), 2018:
#   gammas, betas, von Mises, and mixtures.
# - E. Jang, S. Gu, B. Poole, [Categorical Reparameterization with Gumbel-Softmax](https://arxiv.org/abs/1611.01144), 2016,
#   and C. J. Maddison, A. Mnih, Y. W. Teh, [The Concrete Distribution](https://arxiv.org/abs/1611.00712), 2016: relaxed
#   coins and dice.
# - Published course notes on variational autoencoders with TensorFlow Probability, where the example with
#   `FillScaleTriL` and the fit with `TransformedVariable` come from; the numbers here are recomputed.

# %% [markdown] tags=["solution"]
# ---
# ## Solutions
#
# Collapsed. Click on the dots of a cell to see its code; what it prints is the verdict of the check.


# %% tags=["solution"] jupyter={"source_hidden": true}
def log_det_jacobian(numbers):
    """Below the diagonal every derivative is 1. On it, that of a softplus is a sigmoid; the shift has none."""
    diagonal = tf.linalg.diag_part(tfb.FillTriangular()(numbers))
    return tf.reduce_sum(tf.math.log_sigmoid(diagonal), axis=-1)


checks.log_det_jacobian(log_det_jacobian)
