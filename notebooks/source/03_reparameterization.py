# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 03 · Reparameterization: a gradient through a random draw
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/vae-course/vae-course/blob/main/notebooks/03_reparameterization.ipynb)
#
# ![Two computation graphs: in one the gradient stops at the draw, in the other it passes](figures/03_graphs.png)
#
# In the middle of a VAE somebody rolls dice. The encoder names a distribution, a code $z$ is drawn from it, and the
# decoder goes on from there. Training needs the derivative of the loss with respect to the encoder. This lesson gets it
# past the dice, and ends with a whole VAE in one cell.

# %% [markdown]
# **You will do**
# - ask TensorFlow for the gradient of a draw, be refused, and find the way around;
# - draw the two computation graphs, coloured by what the tape answers;
# - race two gradient estimators from 1 to 256 dimensions;
# - train a VAE whose best possible loss you know in advance, and break it with one published formula.
#
# **You will learn**
# - why $z = \mu + \sigma\,\varepsilon$ carries a gradient and other draws do not;
# - how to check a stochastic gradient: closed form, finite differences, standard errors;
# - why encoders return a log variance, and where float32 gives up.
#
# **You need** lesson [02](02_kl_divergence.ipynb), or the words *KL divergence* and *log density*; derivatives of one
# variable. Words are explained in the [glossary](../site/glossary.md).
#
# **Time:** about a minute and a half of computing at the `laptop` budget on two cores, and two hours of study.

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

budget = runtime.start("03")

# %%
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras as keras

from course_utils import animation, checks, plots, selftest

tfd = tfp.distributions

# %% [markdown]
# ## Ask a draw for its gradient
#
# This is where the lesson leads. Numbers count what a layer holds, for images of 28x28 pixels and codes of two numbers:

# %% alt="Diagram of a VAE: an image x of 784 numbers enters the encoder, which ends in two bars, mean and log variance. Arrows from both, and noise epsilon from below, meet in the code z, which is the mean plus noise times e to half the log variance. The decoder widens it to p(x|z). The encoder pays the KL, the decoder minus log p(x|z)"
plots.vae_diagram((784, 64, 2, 64, 784), title="A VAE: the encoder names a distribution, and a draw goes on")
plt.show()

# %% [markdown]
# A VAE's loss is an average over draws of $z$ from the encoder's distribution $q_\phi(z \mid x)$. Training the decoder
# is easy: draw $z$, treat it as data, differentiate. The encoder's parameters $\phi$ are different. They do not stand
# inside the average, they say *what is averaged over*:
#
# $$\nabla_\phi \, \mathbb{E}_{q_\phi(z)}[f(z)] \;\ne\; \mathbb{E}_{q_\phi(z)}[\nabla_\phi f(z)] = 0.$$
#
# Once $z$ is a number, $f(z)$ knows nothing of $\phi$. Take the smallest case: $z$ is normal with mean $\mu = 1$ and
# standard deviation $\sigma = 0.5$, and $f(z) = z^2$. Here are seven draws. Four are from that normal; the three
# discrete ones take whichever parameter fits. We ask the tape for the derivative with respect to both parameters.

# %%
mean, sd = tf.Variable(1.0), tf.Variable(0.5)
rng = np.random.default_rng(runtime.SEED)

draws = {
    "NumPy's normal(mean, sd)": lambda: tf.numpy_function(
        lambda m, s: np.float32(rng.normal(m, s)), [mean, sd], tf.float32
    ),
    "tf.stop_gradient(draw)": lambda: tf.stop_gradient(tf.random.normal([], mean, sd)),
    "tf.random.stateless_poisson": lambda: tf.random.stateless_poisson([], [1, 2], sd, tf.float32),
    "tf.random.stateless_binomial": lambda: tf.random.stateless_binomial([], [1, 2], 10.0, sd, tf.float32),
    "tf.random.categorical": lambda: tf.cast(tf.random.categorical([[mean, sd]], 1), tf.float32),
    "tf.random.normal(mean, sd)": lambda: tf.random.normal([], mean, sd),
    "tfd.Normal(mean, sd).sample()": lambda: tfd.Normal(mean, sd).sample(),
}
answers = {}
for name, draw in draws.items():
    with tf.GradientTape() as tape:
        square = draw() ** 2
    answers[name] = tape.gradient(square, [mean, sd])
    print(f"{name:30s}", [None if g is None else round(float(g), 2) for g in answers[name]])

# %% [markdown]
# `None` is not zero. Zero would say: the loss does not depend on `mean`. `None` says: I know no derivative on any
# path from the loss to `mean`. The first five draws block: a sampler returned a number without a derivative. The last
# two do not. That is worth a second look.

# %% tags=["claim"]
blocked = [name for name, gradients in answers.items() if gradients == [None, None]]
passed = [name for name, gradients in answers.items() if None not in gradients]
assert blocked == list(draws)[:5] and passed == list(draws)[5:]

# %% [markdown]
# > **A common mistake.** Often written: "`tf.random.normal` has no gradient". Right: the random *operation* has none,
# > but the Python function of that name is more than the operation. To see it, list what the function puts into a
# > graph:


# %%
@tf.function
def draw_normal(mean, sd):
    return tf.random.normal([3], mean, sd)


scalar = tf.TensorSpec([], tf.float32)
operations = [operation.type for operation in draw_normal.get_concrete_function(scalar, scalar).graph.get_operations()]
print(" -> ".join(operations))

# %% [markdown]
# Two placeholders come in, `mean` and `sd`. `RandomStandardNormal` takes neither: it makes noise with mean 0 and
# standard deviation 1. Then come a multiplication and an addition, and those have derivatives. The trick of this
# lesson is at work inside the library. NumPy does the same arithmetic, but out of the tape's sight.

# %% tags=["claim"]
assert operations.index("RandomStandardNormal") < operations.index("Mul") < operations.index("AddV2")

# %% [markdown]
# ### Exercise 1: draw from the encoder's two outputs
#
# Before you read on, do what the library does. An encoder returns `mean` and `log_variance` (the natural logarithm of
# the variance, as in lesson 02), both of shape `(batch, latent_dim)`. Write the function that draws one `z` for each
# row, so that gradients reach both. Every number needs noise of its own: `tf.random.normal(shape)` without further
# arguments has no parameters to lose.


# %% tags=["exercise"]
def reparameterize(mean, log_variance):
    return mean  # your code here


checks.reparameterize(reparameterize)

# %% [markdown]
# ## Let the gradient through
#
# So draw the noise first, and *compute* the sample from it:
#
# $$z = \mu + \sigma \, \varepsilon, \qquad \varepsilon \sim \mathcal{N}(0, 1).$$
#
# The noise is an input now, like a pixel. The average runs over $\varepsilon$, whose distribution has no parameters.
# The derivative may move inside:
#
# $$\nabla_{\mu, \sigma} \, \mathbb{E}[f(z)] = \mathbb{E}_\varepsilon\!\left[\nabla_{\mu, \sigma} f(\mu + \sigma \, \varepsilon)\right].$$
#
# This is called the *reparameterized* or *pathwise* gradient. We try it on two functions whose averages are known:
#
# | $f(z)$ | $\mathbb{E}[f(z)]$ | $\partial / \partial \mu$ | $\partial / \partial \sigma$ |
# |---|---|---|---|
# | $z^2$ | $\mu^2 + \sigma^2$ | $2\mu$ | $2\sigma$ |
# | $\sin z$ | $e^{-\sigma^2/2} \sin\mu$ | $e^{-\sigma^2/2} \cos\mu$ | $-\sigma e^{-\sigma^2/2} \sin\mu$ |

# %%
functions = {"z^2": tf.square, "sin z": tf.sin}
damping = np.exp(-(0.5**2) / 2)
closed_form = {"z^2": (2.0, 1.0), "sin z": (damping * np.cos(1.0), -0.5 * damping * np.sin(1.0))}

noise = tf.random.normal([budget.draws])
reparameterized = {}
for name, function in functions.items():
    with tf.GradientTape() as tape:
        average = tf.reduce_mean(function(mean + sd * noise))
    reparameterized[name] = np.array(tape.gradient(average, [mean, sd]))
    print(f"{name:6s} tape {reparameterized[name].round(4)}, closed form {np.round(closed_form[name], 4)}")

# %% [markdown]
# The gradients of single draws have a standard deviation of $\sqrt 6 = 2.45$ for $z^2$ with respect to $\sigma$, and less
# in the other three cases. The average over all draws is off by that divided by the square root of their number, so
# five of these standard errors are a fair tolerance:

# %% tags=["claim"]
z = mean + sd * noise
single_draws = [2 * z, 2 * z * noise, tf.cos(z), tf.cos(z) * noise]  # with respect to mean, sd, mean, sd
deviations = [np.std(gradients) for gradients in single_draws]
np.testing.assert_allclose(max(deviations), np.sqrt(6), rtol=0.03)
assert deviations.index(max(deviations)) == 1
tolerance = 5 * 2.5 / budget.draws**0.5
for name in functions:
    np.testing.assert_allclose(reparameterized[name], closed_form[name], atol=tolerance)

# %% [markdown]
# ### Watch a cloud learn
#
# Drawn once, the noise is a cloud that stays. A change of $\mu$ slides the cloud, a change of $\sigma$ stretches it,
# and every point moves smoothly: its velocity is the derivative. Let the two learn to match a target, a normal in the
# plane. The loss is KL(q‖target) from lesson 02, up to a constant, averaged over the cloud. Both panels of the film
# have the same $\mu$ and $\sigma$ in every frame. Follow the three large points.

# %% alt="Film, two panels: a blue cloud of points on its way from the lower left to an orange target ellipse at the upper right. Left, with the noise kept, the cloud slides and stretches, and three large points leave smooth trails. Right, with fresh noise in each frame, the points jitter and the trails are a tangle"
target = tfd.MultivariateNormalDiag([1.6, 1.0], [0.3, 0.8])
cloud = tf.random.normal([200, 2])
place, log_sd = tf.Variable([-1.6, -1.0]), tf.Variable([0.0, -1.2])
learner, track = keras.optimizers.Adam(0.1, jit_compile=False), []
for _ in range(121):
    track.append((place.numpy(), np.exp(log_sd)))
    with tf.GradientTape() as tape:
        loss = -tf.reduce_sum(log_sd) - tf.reduce_mean(target.log_prob(place + tf.exp(log_sd) * cloud))
    learner.apply_gradients(zip(tape.gradient(loss, [place, log_sd]), [place, log_sd], strict=True))
kept = np.stack([where + spread * cloud.numpy() for where, spread in track])  # (moments, points, 2)
fresh = np.stack([where + spread * rng.normal(size=cloud.shape) for where, spread in track])


def draw_frame(moment):
    figure, axes = plt.subplots(1, 2, figsize=(7.8, 3.9), dpi=100)
    angle = np.linspace(0, 2 * np.pi, 100)
    for axis, points, name in zip(
        axes, (kept, fresh), ("noise kept: z is computed", "noise fresh: z is drawn"), strict=True
    ):
        for radius in (1, 2):
            axis.plot(1.6 + 0.3 * radius * np.cos(angle), 1 + 0.8 * radius * np.sin(angle), color=plots.ORANGE, lw=2.5)
        axis.plot(*points[moment].T, "o", color=plots.BLUE, ms=4, alpha=0.45, mec="none")
        for point, colour in zip(range(3), ("#D55E00", plots.GREEN, plots.DARK), strict=True):
            axis.plot(*points[: moment + 1, point].T, color=colour, lw=1.5)
            axis.plot(*points[moment, point], "o", color=colour, ms=10)
        axis.set(xlim=(-4, 4), ylim=(-3, 3.4), aspect="equal", xlabel="$z_1$", ylabel="$z_2$", title=name)
    figure.canvas.draw()
    frame = np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()
    plt.close(figure)
    return frame


film = animation.gif([draw_frame(moment) for moment in range(0, 121, 4)], milliseconds=160, hold=3000, colours=32)
animation.show(
    film, alt="With kept noise the cloud slides and stretches into the target; with fresh noise its points jitter"
)

# %% [markdown]
# Left, you can point at the place where a point will be in the next frame: it has a derivative. Right, the same
# distribution moves in the same way, and no point has anywhere to go. The distance that a point travels, in units of
# the straight line from its start to its end:

# %% tags=["claim"]
detour = {}
for name, points in {"kept": kept, "fresh": fresh}.items():
    walked = np.linalg.norm(np.diff(points, axis=0), axis=-1).sum(axis=0)
    detour[name] = np.median(walked / np.linalg.norm(points[-1] - points[0], axis=-1))
print("way walked / straight line:", {name: round(float(ratio), 1) for name, ratio in detour.items()})
assert detour["kept"] < 1.5 and detour["fresh"] > 10
scores = (track[-1][0] - target.mean()) / (target.stddev() / 200**0.5)  # the cloud's own mean is off by this much
assert np.all(np.abs(scores) < 5)
np.testing.assert_allclose(kept[-1].std(axis=0), target.stddev(), rtol=0.1)

# %% [markdown]
# ### Check it with finite differences
#
# When no closed form is known, move a parameter a little to both sides and look at the difference. One thing decides
# whether this works with random numbers: *which* random numbers. Compare the same noise on both sides with fresh
# noise on each.

# %%
step = 0.01
shifts = [(step, 0.0), (0.0, step)]  # first the mean moves, then the standard deviation


def averages_at(mean, sd, noise):
    return np.array([tf.reduce_mean(function(mean + sd * noise)) for function in functions.values()])


def finite_differences(noise_up, noise_down):
    """Derivatives of E[z^2] and E[sin z] (columns) with respect to the mean and the standard deviation (rows)."""
    up = np.array([averages_at(mean + by_mean, sd + by_sd, noise_up) for by_mean, by_sd in shifts])
    down = np.array([averages_at(mean - by_mean, sd - by_sd, noise_down) for by_mean, by_sd in shifts])
    return (up - down) / (2 * step)


same_noise = finite_differences(noise, noise)
fresh_noise = np.array([finite_differences(*tf.random.normal([2, budget.draws])) for _ in range(20)])
by_tape = np.transpose([reparameterized[name] for name in functions])
print("largest distance from the tape, same noise:", f"{np.abs(same_noise - by_tape).max():.5f}")
print("typical error with fresh noise            :", f"{fresh_noise.std(axis=0).max():.5f}")

# %% [markdown]
# With the same noise, the finite difference *is* the tape's answer, up to rounding and to a truncation error of
# $\frac{h^2}{6}$ times the third derivative, below $2 \cdot 10^{-5}$ here. That makes it a sharp test of your code. With fresh noise the two
# averages wobble independently, and the wobble is divided by the step $h$. For the derivative of $z^2$ with respect to
# $\mu$ from $n$ draws the error has standard deviation $\sqrt{2 \, \mathrm{Var}(z^2) / n} \, / \, 2h$ with
# $\mathrm{Var}(z^2) = 4\mu^2\sigma^2 + 2\sigma^4 = 1.125$. Half the step, twice the error.

# %% tags=["claim"]
np.testing.assert_allclose(same_noise, by_tape, atol=1e-4)
assert np.all(fresh_noise.std(axis=0) > 10 * np.abs(same_noise - by_tape))
predicted_error = np.sqrt(2 * 1.125 / budget.draws) / (2 * step)
assert 0.4 < fresh_noise[:, 0, 0].std() / predicted_error < 1.8

# %% [markdown]
# ## Draw the two computation graphs
#
# Take the smallest VAE there is: one encoder weight, one decoder weight. Run it forwards once with a sampler in the
# middle, and once with the noise as an input. Then ask the tape, node by node, for the derivative of the loss. The
# picture below is not an illustration: its colours are the answers.


# %%
def gradient_at_each_node(draw, with_kl=False):
    """Derivative of a tiny VAE's loss with respect to every node on the way, or None."""
    image, encoder_weight, decoder_weight = tf.constant(1.5), tf.Variable(0.6), tf.Variable(0.8)
    with tf.GradientTape(persistent=True) as tape:
        nodes = {"encoder weight": encoder_weight, "decoder weight": decoder_weight}
        nodes["mean"] = encoder_weight * image
        nodes["sd"] = tf.exp(-encoder_weight * image)
        nodes["z"] = draw(nodes["mean"], nodes["sd"])
        tape.watch(nodes["z"])
        nodes["loss"] = (image - decoder_weight * nodes["z"]) ** 2
        if with_kl:
            nodes["loss"] += 0.5 * (nodes["mean"] ** 2 + nodes["sd"] ** 2 - 1) - tf.math.log(nodes["sd"])
    return {name: tape.gradient(nodes["loss"], node) for name, node in nodes.items()}


epsilon = 0.7  # one fixed draw of the noise, the same in both graphs


def sampler(mean, sd):
    return tf.numpy_function(lambda m, s: np.float32(m + epsilon * s), [mean, sd], tf.float32)


tape_says = {
    "z drawn by a sampler": gradient_at_each_node(sampler),
    "z computed from noise": gradient_at_each_node(lambda mean, sd: mean + sd * epsilon) | {"noise": None},
}

# %%
places = {"encoder weight": (0, 0), "mean": (-1.7, 1.7), "sd": (1.7, 1.7), "z": (0, 3.4), "loss": (1.7, 5.1)}
places |= {"decoder weight": (3.4, 3.4), "noise": (-2.6, 3.4)}
arrows = [("encoder weight", "mean", 0.3), ("encoder weight", "sd", -0.3), ("mean", "z", 0.3), ("sd", "z", -0.3)]
arrows += [("z", "loss", 0.3), ("decoder weight", "loss", -0.3), ("noise", "z", 0.0)]  # 0.3: how far the way back bends
grey, stop = "#8c8c8c", "#D55E00"


def draw_boxes(axis, gradients):
    """A box for each node: green with the derivative of the loss in it, or dashed and orange if the tape says None."""
    boxes = {}
    for name, gradient in gradients.items():
        colour = grey if name == "noise" else stop if gradient is None else plots.GREEN
        text = name + ("" if name == "noise" else "\nNone" if gradient is None else f"\n{float(gradient):+.2f}")
        box = {"boxstyle": "round,pad=0.35", "fc": "white", "ec": colour, "lw": 2}
        box["ls"] = "--" if colour == stop else "-"
        boxes[name] = axis.text(*places[name], text, ha="center", va="center", bbox=box).get_bbox_patch()
    return boxes


# %% tags=["front-graphs"] alt="Two computation graphs of a tiny VAE. Left, z drawn by a sampler: the gradient comes from the loss to z and to the decoder weight, and orange crosses stop it between z and the encoder's mean and sd, which read None. Right, z computed from mean, sd and noise: green arrows go on through mean and sd to the encoder weight."
figure, axes = plt.subplots(1, 2, figsize=(12, 5.8))
for axis, (title, gradients) in zip(axes, tape_says.items(), strict=True):
    boxes = draw_boxes(axis, gradients)
    for start, end, bend in arrows:
        if start not in gradients:
            continue
        forwards = {"arrowstyle": "-|>", "mutation_scale": 18, "patchA": boxes[start], "patchB": boxes[end]}
        axis.annotate("", places[end], places[start], arrowprops=forwards | {"color": grey, "lw": 1.5})
        if gradients[start] is not None:
            back = {"patchA": boxes[end], "patchB": boxes[start], "color": plots.GREEN, "lw": 3.5}
            back |= {"connectionstyle": f"arc3,rad={bend}"}
            axis.annotate("", places[start], places[end], arrowprops=forwards | back)
        elif gradients[end] is not None and start != "noise":
            axis.plot(*np.mean([places[start], places[end]], axis=0), "X", color=stop, markersize=20, zorder=5)
    axis.set(title=title, xlim=(-3.2, 4.6), ylim=(-0.6, 5.6))
    axis.axis("off")
figure.suptitle("The derivative of the loss (green) reaches the encoder only where z is computed")
plt.show()

# %% [markdown]
# Grey arrows are the forward pass. Green arrows are derivatives on their way back, and each box shows the one that
# arrived. Left and right have the same $z$ and the same loss. On the left the decoder learns and the encoder does not. On
# the right you can follow the chain rule by hand: the mean receives what $z$ has, since $\partial z / \partial \mu = 1$,
# and the standard deviation that times the noise, since $\partial z / \partial \sigma = \varepsilon = 0.7$.
#
# No derivative goes to the noise box, and nobody misses it: there is nothing behind it to train.
#
# > **A common mistake.** *"If the draw blocked the gradient, I would get a warning."* This loss has no KL. Add the closed
# > form of lesson 02, as a VAE does, and it reaches the mean and the standard deviation without passing through $z$. With
# > the sampler in the middle, the encoder weight then reads 2.60 in place of `None`. The failure is *silent*: the
# > encoder is driven by the KL alone, towards the prior, and never hears what the decoder needs. To see it, ask for the
# > gradient of the reconstruction term on its own.

# %% tags=["claim"]
blocked, computed = tape_says.values()
assert [name for name, gradient in blocked.items() if gradient is None] == ["encoder weight", "mean", "sd"]
np.testing.assert_allclose(computed["mean"], computed["z"], rtol=1e-5)
np.testing.assert_allclose(computed["sd"], 0.7 * computed["z"], rtol=1e-5)
np.testing.assert_allclose(computed["decoder weight"], blocked["decoder weight"], rtol=1e-5)
with_kl = gradient_at_each_node(sampler, with_kl=True)
np.testing.assert_allclose(with_kl["encoder weight"], 2.602, atol=1e-3)  # the derivative of the KL, and nothing else

# %% [markdown]
# ## Choose what the encoder returns
#
# A standard deviation is positive. The last layer of an encoder is linear and returns any real number. The usual way out
# is to call the layer's output the *log variance* $\ell = \log \sigma^2$. Then
#
# $$\sigma = e^{\ell / 2}.$$
#
# There is a second reason to like logarithms, on the right of this figure: a log density that is computed from a density
# runs out of numbers.

# %% alt="Left: three maps from a layer's output to a standard deviation. The exponential and softplus exist everywhere, the square root only for positive outputs. Right: the log of a normal density in float32. Computed from the log variance it is a parabola; computed as the log of a density it ends near 13 standard deviations."
output = tf.linspace(-6.0, 6.0, 241)
maps = {
    "exp(output / 2): log variance": tf.exp(0.5 * output),
    "softplus(output)": tf.nn.softplus(output),
    "sqrt(output): variance": tf.sqrt(output),
}
z = tf.linspace(-20.0, 20.0, 801)
from_log_variance = -0.5 * (tf.math.log(2 * np.pi) + 0.0 + z**2)  # the 0.0 is the log variance
from_density = tf.math.log(tf.exp(-0.5 * z**2) / tf.sqrt(2 * np.pi))

figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.2))
for (name, values), dash, colour in zip(maps.items(), ("-", "--", ":"), (plots.BLUE, plots.ORANGE, stop), strict=True):
    left.plot(output, values, dash, color=colour, label=name, lw=2.5)
left.set(title="A layer's output becomes a standard deviation", xlabel="output of the layer", yscale="log")
left.set_ylabel("standard deviation (units of z)")
left.legend(fontsize=11)
right.plot(z, from_log_variance, lw=6, alpha=0.4, label="computed from the log variance")
right.plot(z, from_density, "--", color=stop, label="log of the density")
right.set(title="Far out, the density is 0 and its log is gone", xlabel="distance from the mean (standard deviations)")
right.set_ylabel("log density (nats)")
right.legend(fontsize=11)
plt.show()

# %% [markdown]
# Left: the exponential and softplus accept everything. The square root of a raw output stops at zero, and left of
# zero both the value and its gradient are `nan`. Right: the dashed curve ends. There $e^{-z^2/2}$ is smaller than the
# smallest float32, so the density is 0 and its logarithm minus infinity. A loss needs the logarithm only, and it was
# a plain parabola all along.

# %% tags=["claim"]
last_finite = np.max(np.abs(z[tf.math.is_finite(from_density)]))
assert 12.5 < last_finite < 14.6  # 13.1, or 14.4 where the processor keeps subnormal numbers
assert np.all(np.isfinite(from_log_variance)) and np.isnan(tf.sqrt(-0.5))

# %% [markdown]
# The same holds for the variance itself. Go through the exponential and back:

# %%
log_variances = tf.constant([-200.0, -110.0, -20.0, 0.0, 20.0, 110.0, 200.0])
variances = tf.exp(log_variances)
deviations = tf.exp(0.5 * log_variances)
there_and_back = tf.math.log(variances)
print("log variance   variance   standard deviation   log(variance)")
for row in zip(log_variances, variances, deviations, there_and_back, strict=True):
    print("{:12.0f} {:10.1e} {:20.1e} {:15.1f}".format(*(float(number) for number in row)))

# %% [markdown]
# At $\pm 110$ the variance has left float32 and the standard deviation has not. Do you ever get there? Yes: a decoder
# that learns the noise of each pixel sends it towards zero for a corner pixel that is black in every image. So keep
# the log variance for as long as you can. Write $\ell$ where the formula has $\log \sigma^2$, and $e^{-\ell}$ where
# it has $1 / \sigma^2$.

# %% tags=["claim"]
assert np.isinf(there_and_back[1]) and np.isinf(variances[5])
assert 0 < deviations[1] < deviations[5] < np.inf
np.testing.assert_allclose(there_and_back[2:5], log_variances[2:5], atol=1e-4)

# %% [markdown]
# > **A common mistake.** Often written: with the logarithm, the range of the encoder's output "becomes the natural
# > numbers". Right: it becomes the *real* numbers, negative ones included. To see it: every standard deviation below
# > 1 has a negative log variance.
# >
# > **Another one.** `tf.clip_by_value(log_variance, -10, 10)` looks like a safe guard. Beyond the limit its
# > derivative is exactly zero, so a unit that strays outside gets no gradient to come back. To see it, ask the tape.
# > A bound that bends, such as $10 \tanh(\ell / 10)$, keeps a slope.

# %% tags=["claim"]
strayed = tf.Variable(12.0)
with tf.GradientTape(persistent=True) as tape:
    clipped, bent = tf.clip_by_value(strayed, -10.0, 10.0), 10 * tf.tanh(strayed / 10)
slopes = [float(tape.gradient(bound, strayed)) for bound in (clipped, bent)]
log_variance_of = {sd: float(2 * np.log(sd)) for sd in (0.01, 0.5, 1.0, 2.0)}
print(f"slope at 12: clipped {slopes[0]}, bent {slopes[1]:.2f}")
print("log variance of each standard deviation:", {sd: round(value, 2) for sd, value in log_variance_of.items()})
assert slopes[0] == 0.0 and slopes[1] > 0.1
assert all((value < 0) == (sd < 1) for sd, value in log_variance_of.items())

# %% [markdown]
# ### Exercise 2: write the log density
#
# Write $\log \mathcal{N}(z;\, \mu, e^{\ell})$, summed over the latent dimensions: three tensors of shape
# `(batch, latent_dim)` in, shape `(batch,)` out. It must survive a `z` that lies 20 standard deviations out.


# %% tags=["exercise"]
def log_normal_density(z, mean, log_variance):
    return tf.zeros(tf.shape(z)[0])  # your code here


checks.log_normal_density(log_normal_density)

# %% [markdown]
# ## Catch a wrong formula
#
# > **A common mistake.** A published tutorial prints $z = \mu + \sigma^2 \varepsilon$, mean plus *variance* times
# > noise. Two others say in words that the noise multiplies "the variance" or "the log variance", while their code
# > has it right. Right is the standard deviation. All three versions run, all three carry gradients, and no shape is
# > wrong.
#
# To see it, look at the spread of what is drawn. We ask for $\sigma = 0.5$, so $\sigma^2 = 0.25$ and $\ell = -1.39$.

# %% alt="Three histograms against the density asked for, a normal with standard deviation 0.5. Mean plus sd times noise lies on the density. With the variance it is half as wide and twice as tall. With the log variance it is almost three times as wide."
formulas = {
    "mean + sd * noise": lambda mean, log_variance, noise: mean + tf.exp(0.5 * log_variance) * noise,
    "mean + variance * noise": lambda mean, log_variance, noise: mean + tf.exp(log_variance) * noise,
    "mean + log variance * noise": lambda mean, log_variance, noise: mean + log_variance * noise,
}
log_variance = 2 * tf.math.log(sd)
plots.compare_histograms(
    {name: formula(mean, log_variance, noise) for name, formula in formulas.items()},
    density=tfd.Normal(mean, sd),
    title="One of the three follows the density it claims",
    bins=140,
)

# %% [markdown]
# The black curve is the density we asked for, and only the first histogram lies on it. The second has half the
# spread. The model does not know: its KL term is computed for $\sigma$ and its samples are drawn with $\sigma^2$.
#
# A picture needs somebody who looks; a test does not. Draw many, measure the spread, and allow five standard errors. That
# of a standard deviation from $n$ draws is $\sigma / \sqrt{2n}$:


# %%
def check_spread(formula, deviations=(0.1, 0.5, 1.0, 2.0), number=100_000):
    """Raise unless draws have the standard deviation that was asked for."""
    for wanted in deviations:
        log_variance = tf.fill([number], 2 * tf.math.log(wanted))
        measured = np.std(formula(tf.zeros(number), log_variance, tf.random.normal([number])))
        standard_errors = (measured / wanted - 1) * np.sqrt(2 * number)
        assert abs(standard_errors) < 5, f"asked for a standard deviation of {wanted}, drew {measured:.3f}"


def verdict(formula, **settings):
    try:
        check_spread(formula, **settings)
    except AssertionError as error:
        return f"FAILS: {error}"
    return "passes"


for name, formula in formulas.items():
    print(f"{name:28s}{verdict(formula)}")

# %% [markdown]
# Why four values and not one? Because $\sigma^2 = \sigma$ at $\sigma = 1$. That is where an untrained encoder starts,
# with outputs near zero, so a quick look at the first batch shows nothing. Test at several values, on both sides of
# 1:

# %% tags=["claim"]
verdicts = [verdict(formula) for formula in formulas.values()]
assert verdicts[0] == "passes" and "drew 0.01" in verdicts[1] and "FAILS" in verdicts[2]
assert verdict(formulas["mean + variance * noise"], deviations=[1.0]) == "passes"

# %% [markdown]
# ## Meet the other estimator
#
# There is an older way to differentiate an average over draws, and it needs no path through the draw. Since
# $\nabla q = q \, \nabla \log q$,
#
# $$\nabla_\phi \, \mathbb{E}_{q_\phi(z)}[f(z)] = \mathbb{E}_{q_\phi(z)}\!\left[f(z) \, \nabla_\phi \log q_\phi(z)\right].$$
#
# The factor $\nabla_\phi \log q_\phi(z)$ is called the *score*, so this is the *score-function* estimator, also known
# as REINFORCE. It asks nothing of $f$ but its value. Both estimators aim at the same number. We compare them draw by
# draw, for $f(z) = z^2$ and the derivative with respect to $\mu$.

# %%
means = tf.fill([budget.draws], 1.0)  # one copy of the mean for each draw: the tape then gives one gradient a draw
z = 1.0 + 0.5 * noise
with tf.GradientTape(persistent=True) as tape:
    tape.watch(means)
    through_the_draw = (means + 0.5 * noise) ** 2
    log_density = tfd.Normal(means, 0.5).log_prob(z)
estimates = {
    "reparameterized": tape.gradient(through_the_draw, means).numpy(),
    "score function": (z**2 * tape.gradient(log_density, means)).numpy(),
}
for name, values in estimates.items():
    print(f"{name:16s} mean {values.mean():.3f}, variance of one draw {values.var():.2f}")

# %% alt="Two histograms of gradient estimates from 100 draws each, both centred on a dashed line at the true value 2. The score-function one is almost five times as wide."
plots.compare_histograms(
    {name: values.reshape(-1, 100).mean(axis=1) for name, values in estimates.items()},
    title="Same target, different noise: the true derivative is 2",
    xlabel="estimate from 100 draws",
    bins=60,
)
plt.gca().axvline(2, color=plots.DARK, ls="--", lw=1.5, label="true derivative")
plt.gca().legend()
plt.show()

# %% [markdown]
# Both are right on average. One needs far more draws to say so. For this $f$ the variances of a single draw have
# closed forms, $4\sigma^2 = 1$ for the reparameterized gradient and $\mu^4/\sigma^2 + 14\mu^2 + 15\sigma^2 = 21.75$
# for the other:

# %% tags=["claim"]
for values, variance in zip(estimates.values(), (1.0, 21.75), strict=True):
    squares = (values - 2.0) ** 2
    assert abs(values.mean() - 2.0) < 5 * values.std() / len(values) ** 0.5
    assert abs(squares.mean() - variance) < 6 * squares.std() / len(values) ** 0.5

# %% [markdown]
# ### Exercise 3: estimate a gradient from values alone
#
# Write the score-function estimate of $\frac{\partial}{\partial \mu} \mathbb{E}[z^2]$ for
# $z \sim \mathcal{N}(\mu, \sigma^2)$, averaged over `number` draws. No tape is needed: work out the derivative of
# $\log \mathcal{N}(z; \mu, \sigma^2)$ with respect to $\mu$ on paper.


# %% tags=["exercise"]
def score_gradient(mean, sd, number):
    return 0.0  # your code here


checks.score_gradient(score_gradient)

# %% [markdown]
# ## Watch the gap grow with the dimension
#
# Now let $z$ have $d$ dimensions, $z \sim \mathcal{N}(\mu, I)$, and $f(z) = \lVert z \rVert^2$. Take
# $\mu = (1, \dots, 1)$. With unit variances the score is the noise itself, so the two estimates of
# $\partial / \partial \mu_i$ are $2 z_i$ and $\lVert z \rVert^2 \varepsilon_i$.
#
# The first does not know how many dimensions there are: its variance is 4. The second carries the whole of
# $\lVert z \rVert^2$, which grows with $d$, and multiplies it by noise. A common cure is to subtract a *baseline*,
# here $\mathbb{E}\lVert z \rVert^2 = 2d$. Since $\mathbb{E}[\varepsilon_i] = 0$, the average stays the same. Twice
# integrating by parts (Stein's lemma) gives the exact variances:
#
# | estimate of $\partial / \partial \mu_i$ | variance | divided by 4 |
# |---|---|---|
# | $2 z_i$ | $4$ | $1$ |
# | $(\lVert z \rVert^2 - 2d)\, \varepsilon_i$ | $6d + 12$ | $1.5\,d + 3$ |
# | $\lVert z \rVert^2 \varepsilon_i$ | $4d^2 + 14d + 12$ | $d^2 + 3.5\,d + 3$ |

# %%
dimensions = 2 ** np.arange(9)


def measured_variances(dimension):
    """Variance of one draw's gradient, averaged over its components; fewer draws in more dimensions."""
    noise = tf.random.normal([budget.noise_numbers // dimension, dimension])
    z = 1.0 + noise
    f = tf.reduce_sum(z**2, axis=-1, keepdims=True)
    estimates = [2 * z, (f - 2.0 * dimension) * noise, f * noise]
    return [float(tf.reduce_mean(tf.math.reduce_variance(estimate, axis=0))) for estimate in estimates]


measured = np.array([measured_variances(int(dimension)) for dimension in dimensions])
exact = np.stack([0 * dimensions + 4, 6 * dimensions + 12, 4 * dimensions**2 + 14 * dimensions + 12], axis=1)
for dimension, ratio in zip(dimensions[::4], (measured / measured[:, :1])[::4], strict=True):
    print(f"dimension {dimension:3d}: {ratio[1]:6,.1f} draws with a baseline, {ratio[2]:8,.1f} without it, match one")

# %% alt="Variance ratio to the reparameterized gradient against the dimension from 1 to 256, both axes logarithmic. Measured points lie on the closed-form lines: constant 1 for the reparameterized gradient, a line of slope 1 reaching 387 for the score function with a baseline, a line of slope 2 reaching 66,435 for the score function."
figure, axis = plt.subplots(figsize=(8.5, 4.8))
names = ["reparameterized", "score function with a baseline", "score function"]
for index in (2, 1, 0):
    (line,) = axis.plot(dimensions, exact[:, index] / 4, lw=1.5)
    ratio, marker = measured[:, index] / measured[:, 0], plots.MARKERS[index]
    axis.plot(dimensions, ratio, marker, color=line.get_color(), ms=8, label=names[index])
axis.set(xscale="log", yscale="log", xlabel="dimension of z", ylabel="variance / reparameterized variance")
axis.set_xticks(dimensions, [str(dimension) for dimension in dimensions])
axis.minorticks_off()
axis.set_title("Draws needed to match one reparameterized draw\n(markers: measured, lines: closed form)")
axis.legend()
plt.show()

# %% [markdown]
# By the closed form, one reparameterized draw in 256 dimensions is worth 66,435 draws of the plain score-function
# estimator, and 387 with the baseline. In a VAE of images the
# reconstruction term is hundreds of nats and plays the part of the large $f$. With the reparameterized gradient, one draw
# for each image is enough to train on.

# %% tags=["claim"]
numbers_of_draws = budget.noise_numbers / dimensions
assert np.all(np.abs(measured / exact - 1) < 0.04 + 8 / np.sqrt(numbers_of_draws)[:, None])
np.testing.assert_allclose(measured[-1, 1:] / measured[-1, 0], [387, 66_435], rtol=0.1)

# %% [markdown]
# ### Know when the older one wins
#
# Two functions turn the ranking around: one that wiggles fast, and one that has no useful derivative at all.
# Here $z \sim \mathcal{N}(0.5, 1)$.

# %%
z = 0.5 + noise
wiggle = {"reparameterized": 10 * tf.cos(10 * z), "score function": tf.sin(10 * z) * noise}
wiggle_variances = {name: float(tf.math.reduce_variance(values)) for name, values in wiggle.items()}
print("f(z) = sin(10 z), variance of one draw:", {name: round(value, 2) for name, value in wiggle_variances.items()})

centre = tf.Variable(0.5)
with tf.GradientTape() as tape:
    share_above_zero = tf.reduce_mean(tf.where(centre + noise > 0, 1.0, 0.0))
step_gradient = tape.gradient(share_above_zero, centre)
step_scores = tf.where(z > 0, 1.0, 0.0) * noise
step_truth = float(tfd.Normal(0.5, 1.0).prob(0.0))
print("f(z) = 1 if z > 0 else 0: tape", step_gradient, end=", ")
print(f"score function {tf.reduce_mean(step_scores):.4f}, truth {step_truth:.4f}")

# %% [markdown]
# For the wiggle the pathwise gradient is a hundred times as noisy: it follows each steep slope, and the slopes
# cancel. For the step there is no slope to follow, and the score function finds the answer from values alone. The
# same goes for a discrete $z$: no path leads through a coin.

# %% tags=["claim"]
assert 80 < wiggle_variances["reparameterized"] / wiggle_variances["score function"] < 125
assert step_gradient is None
assert abs(np.mean(step_scores) - step_truth) < 5 * np.std(step_scores) / budget.draws**0.5

# %% [markdown]
# ## Train a complete VAE with six numbers
#
# Everything is in place. The smallest real VAE has one number for an image and one for a code. The decoder says
# $x = w z + b + s\,\times$ noise, the encoder says $q(z \mid x) = \mathcal{N}(a x + c, e^{\ell})$, the prior is
# $\mathcal{N}(0, 1)$.
#
# This case can be solved on paper. Adding up the two normals, $p(x) = \mathcal{N}(b, \, w^2 + s^2)$. The best fit has
# $b$ equal to the mean of the data and $w^2 + s^2$ to its variance $V$, and then the average of $-\log p(x)$ is
# $\frac{1}{2} \log(2 \pi e V)$ nats. Averaged over draws, no honest loss can go below that number.

# %%
x = 2.0 + 1.2 * tf.random.normal([2_000]) + 1.2 * tf.random.normal([2_000])  # bias + code + noise


def negative_elbo(x, formula, weight, bias, log_noise, slope, shift, log_variance):
    mean = slope * x + shift  # the encoder
    z = formula(mean, log_variance, tf.random.normal(tf.shape(x)))  # the draw
    error = x - (weight * z + bias)  # the decoder; log_noise is log(s^2)
    reconstruction = 0.5 * (np.log(2 * np.pi) + log_noise + error**2 * tf.exp(-log_noise))
    kl = 0.5 * (tf.exp(log_variance) + mean**2 - 1.0 - log_variance)
    return tf.reduce_mean(reconstruction + kl)  # nats per data point


# %% [markdown]
# The loop is the usual one: a tape around the loss, and an optimizer. We start it from three places.


# %%
def train_vae(formula, weight, noise_sd):
    """The loss, w and s after every step, shape (steps, 3), and the six learned numbers."""
    variables = [tf.Variable(float(start)) for start in (weight, 0, 2 * np.log(noise_sd), 0, 0, 0)]
    schedule = keras.optimizers.schedules.CosineDecay(0.05, budget.vae_steps)
    optimizer = keras.optimizers.Adam(schedule, jit_compile=False)
    optimizer.build(variables)

    @tf.function
    def train_step():
        with tf.GradientTape() as tape:
            loss = negative_elbo(x, formula, *variables)
        optimizer.minimize(loss, variables, tape=tape)
        return tf.stack([loss, variables[0], tf.exp(0.5 * variables[2])])

    return np.array([train_step() for _ in range(budget.vae_steps)]), [float(number) for number in variables]


starts = [(2.6, 2.6), (2.6, 0.5), (1.0, 0.4)]
runs = [train_vae(formulas["mean + sd * noise"], *start) for start in starts]

variance = float(np.var(x))
best = 0.5 * np.log(2 * np.pi * np.e * variance)
print(f"the data: mean {np.mean(x):.3f}, variance {variance:.3f}, lowest possible loss {best:.3f} nats per point")
for path, (w, b, log_noise, *_) in runs:
    last = path[-budget.vae_steps // 10 :, 0].mean()
    s = np.exp(0.5 * log_noise)
    print(f"w {w:.2f}, s {s:.2f}, b {b:.3f}, w^2 + s^2 {w**2 + s**2:.3f}, loss {last:.3f}")

grid_w, grid_s = np.meshgrid(np.linspace(0, 3, 241), np.linspace(0.25, 3, 241))
grid_variance = grid_w**2 + grid_s**2
excess = 0.5 * (np.log(grid_variance / variance) + variance / grid_variance - 1)  # nats above the lowest loss, exact

# %% alt="Left: three training paths in the plane of w and s, from three corners, all ending on the same arc, where w squared plus s squared equals the data's variance. Right: histogram of the data with the three learned densities on top of each other and on the histogram."
figure, (left, right) = plt.subplots(1, 2, figsize=(12.5, 4.8))
levels = [0, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30]
greys = plt.colormaps["Greys"](np.linspace(0, 0.6, len(levels) - 1))
shades = left.contourf(grid_w, grid_s, excess, levels=levels, colors=greys)
figure.colorbar(shades, ax=left, ticks=levels, label="$-\\log p(x)$ above its minimum (nats)")
angle, grid_x = np.linspace(0, np.pi / 2, 100), np.linspace(-4, 8, 300, dtype=np.float32)
left.plot(variance**0.5 * np.cos(angle), variance**0.5 * np.sin(angle), "--", color=stop, zorder=1)
left.text(1.78, 0.32, "all best solutions", color=stop)
right.hist(x, 50, density=True, color="#cccccc", label="data")
for (path, (w, b, log_noise, *_)), marker, dash in zip(runs, plots.MARKERS, ("-", "--", ":"), strict=False):
    (line,) = left.plot(path[:, 1], path[:, 2], lw=1.5)
    left.plot(*path[0, 1:], marker, color=line.get_color(), ms=9, fillstyle="none")
    left.plot(*path[-1, 1:], marker, color=line.get_color(), ms=11, markeredgecolor="white", zorder=4)
    density = tfd.Normal(b, (w**2 + np.exp(log_noise)) ** 0.5).prob(grid_x)
    right.plot(grid_x, density, dash, color=line.get_color(), label=f"w = {w:.2f}, s = {np.exp(log_noise / 2):.2f}")
left.set(xlim=(0, 3), ylim=(0.25, 3), aspect="equal", xlabel="w (units of x per unit of z)", ylabel="s (units of x)")
left.set_title("Three starts (hollow) end on one arc (filled)")
right.set(title="Three models, one density", xlabel="x", ylabel="density per unit of x")
right.legend(fontsize=11)
plt.show()

# %% [markdown]
# Left: the darker, the worse; white is best. All three paths end on the dashed arc, at different points. The data
# determine $w^2 + s^2$ and nothing more: they do not say how much of the spread is code and how much is noise. Right:
# the three models are the same density.
#
# Now the numbers. At each end point the loss is the lowest possible, and the encoder is the exact posterior
# $p(z \mid x) = \mathcal{N}\!\left(\frac{w (x - b)}{w^2 + s^2}, \, \frac{s^2}{w^2 + s^2}\right)$:

# %% tags=["claim"]
for path, (w, b, log_noise, slope, _, log_variance) in runs:
    model_variance = w**2 + np.exp(log_noise)
    assert abs(model_variance / variance - 1) < 0.03 and abs(b - np.mean(x)) < 0.05
    assert abs(path[-budget.vae_steps // 10 :, 0].mean() - best) < 0.02
    np.testing.assert_allclose(
        [slope, np.exp(log_variance)], [w / model_variance, np.exp(log_noise) / model_variance], atol=0.03
    )

# %% [markdown]
# ### Break it with one factor
#
# Same loss, same data. One change: the draw multiplies by the variance. **Predict, then run.** The right formula reaches
# the lowest possible loss, printed above. Where does the published one end: above it, on it, or below it, and by how much?

# %%
guessed_loss = None  # your guess here, in nats per point, for instance: 2.5

# %%
wrong_path, wrong = train_vae(formulas["mean + variance * noise"], 1.0, 1.0)
right_path, _ = train_vae(formulas["mean + sd * noise"], 1.0, 1.0)
honest = float(negative_elbo(x, formulas["mean + sd * noise"], *wrong))
late = slice(-budget.vae_steps // 10, None)
right_loss, wrong_loss = right_path[late, 0].mean(), np.median(wrong_path[late, 0])
print(
    f"lowest possible loss {best:.2f} | right formula {right_loss:.2f} | published formula {wrong_loss:.2f} nats per point"
)
print(f"the published formula's model, measured with the right draw: {honest:.1f} nats per point")
print(f"its noise s has shrunk to {wrong_path[-1, 2]:.3f}")
selftest.compare(guessed_loss, wrong_loss, "loss with the published formula, nats per point")

# %% alt="Loss against training step. With the standard deviation it settles on the dashed line of the lowest possible loss. With the variance it falls through the line and keeps falling."
figure, axis = plt.subplots(figsize=(8.5, 4.2))
steps = np.arange(1, budget.vae_steps + 1)
axis.plot(steps, right_path[:, 0], lw=1.5, label="mean + sd * noise")
axis.plot(steps, wrong_path[:, 0], lw=1.5, label="mean + variance * noise")
axis.axhline(best, color=plots.DARK, ls="--", lw=1.5, label="lowest possible: the exact $-\\log p(x)$")
axis.set(xlabel="training step", ylabel="loss (nats per point)", ylim=(best - 4.5, best + 2))
axis.set_title("The published formula falls through the floor")
axis.legend()
plt.show()

# %% [markdown]
# The loss with the published formula looks *better*. It is no bound any more. The draw is narrower than the
# distribution that the KL term pays for, so the model gets precise codes at a discount, and it uses the discount to
# let its noise $s$ shrink. The smaller the noise, the steeper the loss; hence the spikes. A negative ELBO below the
# exact $-\log p(x)$ is impossible, so the number itself gives the mistake away. Measured with the right draw, the
# model is many nats worse.
#
# On images you do not know the exact $-\log p(x)$. That is why the test on the spread is worth its few lines.

# %% tags=["claim"]
largest_noise, least_excess = (0.4, 5) if budget.name == "smoke" else (0.03, 60)  # half the steps, less damage
assert wrong_loss < best - (1 if budget.name == "smoke" else 1.5) and wrong_path[-1, 2] < largest_noise
assert honest > best + least_excess
assert abs(right_loss - best) < 0.02

# %% [markdown]
# ## In this notebook we saw
#
# - A sampler blocks the gradient, and the tape says `None`. Computing $z = \mu + \sigma\,\varepsilon$ from noise lets
#   it through, and TensorFlow's own `tf.random.normal` does that inside.
# - A stochastic gradient can be tested: against a closed form within standard errors, against a finite difference
#   with the same noise.
# - For $\lVert z \rVert^2$ the score-function estimator has $d^2 + 3.5\,d + 3$ times the variance. It is the one to
#   use where there is no path.
# - The encoder returns a log variance, any real number, and $\sigma = e^{\ell/2}$. Multiplying by the variance gives
#   a "loss" below what is possible.
#
# **An open problem.** No path leads through a coin. A popular way out, the *straight-through* estimator, draws
# $z \in \{0, 1\}$ with probability $p$ of a 1, and pretends that $\partial z / \partial p = 1$. Take $f(z) = (z - 0.45)^2$
# and minimise $\mathbb{E}[f(z)]$ with it. Where does $p$ go, and where should it go?
#
# <details><summary>A hint</summary>
#
# The exact derivative is $f(1) - f(0)$, whatever $p$ is. What is the mean of $f'(z)$ over the coin?
#
# </details>
#
# TFP labels what it can differentiate. Sixteen of its distributions, and a gradient with the wrong sign that the label
# would have told, are in [appendix A1](A1_tfp_parts.ipynb).
#
# Next: [lesson 04](04_tfp_vae.ipynb), where TFP's layers do the drawing for you.
#
# ## Test yourself
#
# Run the cell and click on an answer: it tells you whether it is right, and why.

# %% tags=["self-test"]
selftest.ask("03")

# %% [markdown]
# ## Sources and further reading
#
# - D. P. Kingma, M. Welling, [Auto-Encoding Variational Bayes](https://arxiv.org/abs/1312.6114), 2013: the trick, and
#   the VAE around it.
# - D. J. Rezende, S. Mohamed, D. Wierstra, [Stochastic Backpropagation and Approximate Inference in Deep Generative
#   Models](https://arxiv.org/abs/1401.4082), 2014: the same idea, found independently.
# - R. J. Williams, [Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement
#   Learning](https://doi.org/10.1007/BF00992696), 1992: REINFORCE, the score function with a baseline.
# - S. Mohamed, M. Rosca, M. Figurnov, A. Mnih, [Monte Carlo Gradient Estimation in Machine
#   Learning](https://arxiv.org/abs/1906.10652), 2020: all the estimators side by side, and when each one wins.

# %% [markdown] tags=["solution"]
# ---
# ## Solutions
#
# Collapsed. Click on the dots of a cell to see its code; what it prints is the verdict of the check.


# %% tags=["solution"] jupyter={"source_hidden": true}
def reparameterize(mean, log_variance):
    """The half turns a log variance into a log standard deviation; the noise has the shape of the mean."""
    return mean + tf.exp(0.5 * log_variance) * tf.random.normal(tf.shape(mean))


checks.reparameterize(reparameterize)


# %% tags=["solution"] jupyter={"source_hidden": true}
def log_normal_density(z, mean, log_variance):
    """No exponential is undone by a logarithm: the log variance enters as it is."""
    return -0.5 * tf.reduce_sum(np.log(2 * np.pi) + log_variance + (z - mean) ** 2 * tf.exp(-log_variance), axis=-1)


checks.log_normal_density(log_normal_density)


# %% tags=["solution"] jupyter={"source_hidden": true}
def score_gradient(mean, sd, number):
    """The score, the derivative of the log density with respect to the mean, is (z - mean) / sd^2."""
    z = mean + sd * tf.random.normal([number])
    return tf.reduce_mean(z**2 * (z - mean) / sd**2)


checks.score_gradient(score_gradient)


# %% [markdown] tags=["solution"]
# **The open problem.** $\mathbb{E}[f(z)] = p f(1) + (1 - p) f(0)$ has the derivative $f(1) - f(0) = 0.1$ everywhere: $p$ should
# go to 0. The straight-through estimate averages $f'(1) = 1.1$ and $f'(0) = -0.9$ to $2p - 0.9$. It has the wrong sign
# for
# $p < 0.45$, so it comes to rest at $p = 0.45$ and keeps tossing. It is right at $p = 1/2$ only: for a quadratic function
# $f(1) - f(0) = f'(1/2)$. The estimator has little noise and a bias, the score function no bias and more noise.

# %% tags=["solution"] jupyter={"source_hidden": true}
coins, rate = np.random.default_rng(runtime.SEED), 0.05
ends = {}
for name in ("straight-through", "score function"):
    p = 0.5
    for _ in range(2_000):
        z = (coins.random(100) < p).astype(float)  # 100 tosses a step
        score = (z - p) / (p * (1 - p))
        gradient = 2 * (z - 0.45) if name == "straight-through" else (z - 0.45) ** 2 * score
        p = float(np.clip(p - rate * gradient.mean(), 0.01, 0.99))
    ends[name] = p
    print(f"{name:18s} p ends at {p:.2f}, mean of f {p * 0.55**2 + (1 - p) * 0.45**2:.4f}; the best is {0.45**2:.4f}")
assert abs(ends["straight-through"] - 0.45) < 0.05 and ends["score function"] < 0.05
