# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 01 · The vanilla autoencoder
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/vae-course/vae-course/blob/main/notebooks/01_autoencoder.ipynb)
#
# ![Test images, their reconstructions, garments and mixtures from normal codes, debris from uniform codes](figures/01_generate.png)
#
# An autoencoder squeezes an image through a few numbers and asks for the image back. It compresses, it cleans, it draws
# a map of the data. One thing it does not do: tell you which numbers to put in when you want a *new* image. This lesson
# ends with that failure, as a picture and as a number, and the rest of the course mends it.

# %% [markdown]
# **You will do**
# - write an autoencoder down, draw it, and train one as it was published: it learns nothing;
# - separate the suspects, and find what holds it back;
# - compare PCA, dense and convolutional autoencoders on one scale, and let one remove noise and a watermark;
# - walk through the places in code space where no garment lives.
#
# **You will learn**
# - what the size of a bottleneck decides, and what it does not;
# - how to find the cause of a training that stands still;
# - why a low reconstruction error says nothing about codes between those of the data.
#
# **You need** [lesson 00](00_start_here.ipynb), mean squared error, and the Keras of `Sequential`, `compile` and
# `fit`. Words are explained in the [glossary](../site/glossary.md).
#
# **Time:** about five minutes of computing at the `laptop` budget on two cores, and two to three hours of study. `full`
# trains on all garments and wants a GPU.

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

budget = runtime.start("01")

# %%
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
import tf_keras as keras
from PIL import Image, ImageDraw, ImageFont
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors

from course_utils import checks, data, metrics, plots, selftest, training

layers = keras.layers

# %%
fashion = data.load_fashion_mnist()
plots.label_source(fashion)
print(fashion)

train_images = data.to_float(fashion.train_images[: budget.images])
test_images = data.to_float(fashion.test_images[:2000])
test_labels = fashion.test_labels[:2000]
mean_image = train_images.mean(axis=0)
mean_image_error = np.mean((test_images - mean_image) ** 2)
generator = np.random.default_rng(runtime.SEED)
print(f"error of the mean image: {mean_image_error:.4f}")

# %% [markdown]
# Pixels are floats between 0 and 1, and 0 is the background. Errors are mean squared errors of a pixel on test images,
# which no model has trained on, unless a line says otherwise. The printed number is the one to beat: it is what you get
# if you answer every question with the mean image of the training set.
#
# ## Write an autoencoder down
#
# An *encoder* $f_\phi$ turns an image $x$ of 784 pixels into a *code* $z$ of a few numbers. A *decoder* $g_\theta$
# turns the code into an image again. Both are networks, with weights $\phi$ and $\theta$, and they are trained
# together, with one aim, that the image comes back:
#
# $$z = f_\phi(x), \qquad \hat{x} = g_\theta(z), \qquad
# \min_{\phi, \theta} \; \frac{1}{N} \sum_{n=1}^{N} \lVert x_n - g_\theta(f_\phi(x_n)) \rVert^2.$$
#
# No label is needed, because the image is its own target. Copying would be easy if the code were large. It is small, a
# *bottleneck*, so the two networks have to agree on what is worth keeping.

# %% alt="Diagram: an image, an encoder whose layers shrink from 784 to 256 to 64 to a code of 2 numbers, a decoder that grows back to 784, and an image"
plots.autoencoder_diagram(
    (784, 256, 64, 2, 64, 256, 784), image=test_images[0], title="784 pixels through a code of two numbers"
)

# %% [markdown]
# ## Train the published one
#
# The diagram is the dense autoencoder of a published course, layer by layer, with a sigmoid after every one. It is
# trained with RMSprop at 0.0005 for 20 epochs; at the `laptop` budget on a twelfth of the images, at `full` on all.

# %%
published = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        layers.Flatten(),
        layers.Dense(256, activation="sigmoid"),
        layers.Dense(64, activation="sigmoid"),
        layers.Dense(2, activation="sigmoid", name="code"),
        layers.Dense(64, activation="sigmoid"),
        layers.Dense(256, activation="sigmoid"),
        layers.Dense(784, activation="sigmoid"),
        layers.Reshape((28, 28, 1)),
    ]
)
published.compile(keras.optimizers.RMSprop(5e-4, jit_compile=False), loss="mse", steps_per_execution=16)
few_images, epochs = train_images[: budget.few_images], budget.few_epochs
published.fit(few_images, few_images, batch_size=32, epochs=epochs, verbose=0)
published_error = np.mean((published(test_images) - test_images) ** 2)
print(
    f"after {epochs} epochs of {len(few_images):,} images: {published_error:.4f}, the mean image: {mean_image_error:.4f}"
)

# %% [markdown]
# It is no better than the mean image, and with the 37,500 steps of `full` it ends there too. To see what happens
# inside, split the same layers into an encoder, up to the code, and a decoder, from the code on. No weight is copied:
# the two parts share them with the whole.

# %% alt="Ten test images; below them the published network's answers, all the same blur"
encoder = keras.Sequential(published.layers[:4])
decoder = keras.Sequential([keras.Input((2,)), *published.layers[4:]])
codes = encoder(test_images).numpy()
joined = decoder(codes).numpy()
print("standard deviation of the two codes over the test images:", codes.std(axis=0).round(3))
plots.compare_rows(
    {"test images": test_images[:10], "as published": joined[:10]},
    title="Whatever you show it, it answers with the average garment",
)

# %% tags=["claim"]
np.testing.assert_allclose(joined, published(test_images), atol=1e-5)
assert 0.99 < published_error / mean_image_error < (1.05 if budget.name == "smoke" else 1.02)
assert codes.std(axis=0).max() < 0.02, "all images get nearly the same two numbers"

# %% [markdown]
# ## Find out what holds it back
#
# Three suspects: the sigmoids, the optimizer, too few steps. Look at the gradient first, before any training. In each
# layer, compare its size with that of the weights that it is to change: the ratio says how fast a plain gradient step
# would turn the layer into another one. The alternative to the sigmoid is the ReLU, $\max(0, x)$.


# %%
def build_dense(latent_dim, hidden="relu", code="linear"):
    encoder = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten()])
    for units in (256, 64):
        encoder.add(layers.Dense(units, hidden))
    encoder.add(layers.Dense(latent_dim, code))
    decoder = keras.Sequential([keras.Input((latent_dim,))])
    for units in (64, 256):
        decoder.add(layers.Dense(units, hidden))
    decoder.add(layers.Dense(784, "sigmoid"))
    decoder.add(layers.Reshape((28, 28, 1)))
    return encoder, decoder


def gradients_at_start(hidden):
    runtime.set_seed()
    model = keras.Sequential([*build_dense(2, hidden, "sigmoid")])
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((model(few_images[:256]) - few_images[:256]) ** 2)
    matrices = [weight for weight in model.trainable_weights if len(weight.shape) == 2]
    return [
        (gradient.numpy(), weight.numpy())
        for gradient, weight in zip(tape.gradient(loss, matrices), matrices, strict=True)
    ]


started = {hidden: gradients_at_start(hidden) for hidden in ("sigmoid", "relu")}
ratio = {
    hidden: [np.linalg.norm(gradient) / np.linalg.norm(weight) for gradient, weight in pairs]
    for hidden, pairs in started.items()
}

# %% alt="Gradient over weights in six layers, logarithmic: with sigmoids it falls by a factor of ten thousand from the last layer to the first; with ReLUs all layers are within a factor of a hundred"
figure, axis = plt.subplots(figsize=(9, 4.2))
names = ["784→256", "256→64", "64→2", "2→64", "64→256", "256→784"]
for (hidden, values), marker in zip(ratio.items(), "os", strict=True):
    axis.semilogy(names, values, marker=marker, markersize=9, label=f"hidden layers: {hidden}")
axis.set(
    xlabel="layer",
    ylabel="norm of the gradient /\nnorm of the weights",
    title="Sigmoids: hardly any gradient reaches the encoder",
)
axis.legend()
plt.show()
print({hidden: f"last layer over first: {values[-1] / values[0]:,.0f}" for hidden, values in ratio.items()})

# %% [markdown]
# The gradient runs from right to left. A sigmoid passes on at most a quarter of it, and the matrices, drawn for layers
# that keep what passes through them, do not make up for that.
#
# A small gradient alone convicts nobody: RMSprop is there to make up for it. It divides each gradient by the root of its
# mean square over the last steps, so that every weight moves by about the rate, however small its gradient. So look at
# what Keras computes. With $v$ for that mean square,
#
# $$\text{step} = \text{rate} \cdot \frac{\text{gradient}}{\sqrt{v + \varepsilon}}, \qquad \varepsilon = 10^{-7}.$$
#
# The $\varepsilon$ keeps the division safe. Here it stands *under* the root. A gradient is only made up for if its mean
# square is well above $\varepsilon$, that is, if it is larger than 0.0003. Adam adds the same $10^{-7}$ *outside* the
# root.

# %% tags=["claim"]
mean_square = {hidden: [np.mean(gradient**2) for gradient, _ in pairs] for hidden, pairs in started.items()}
print("mean square, layer by layer:", " ".join(f"{value:.0e}" for value in mean_square["sigmoid"]))
assert ratio["sigmoid"][-1] / ratio["sigmoid"][0] > 3000 and ratio["relu"][-1] / ratio["relu"][0] < 30
assert keras.optimizers.RMSprop().epsilon == keras.optimizers.Adam().epsilon == 1e-7
assert max(mean_square["sigmoid"]) < 1e-7 / 5, "all six layers of the published network are below epsilon"
assert max(mean_square["sigmoid"][:3]) < 1e-7 / 10_000, "its encoder by far"

# %% [markdown]
# That is a suspicion. A conviction needs an experiment which changes one thing at a time: the activation of the hidden
# layers, that of the code, the optimizer, and its $\varepsilon$. The rate is eight times the published one, so that
# patience is no excuse: it climbs to 0.004 in the first twentieth of the steps and then falls to zero along a cosine
# (Loshchilov and Hutter 2017). The loop is what `fit` does inside, without its comforts. Eight times on the way it
# notes the test error.


# %%
def rate_at(step, peak_rate, steps):
    warmup = max(1, steps // 20)
    falling = 0.5 * (1 + np.cos(np.pi * (step - warmup) / (steps - warmup)))
    return peak_rate * np.where(step < warmup, step / warmup, falling)


schedule = training.warmup_cosine(4e-3, 1000)  # the same, as Keras takes it
for step in (0, 25, 50, 500, 1000):
    np.testing.assert_allclose(schedule(step), rate_at(step, 4e-3, 1000), atol=1e-8)


def train(model, inputs, targets, steps, batch_size=64, peak_rate=4e-3, optimizer=None, watched=None):
    optimizer = optimizer or keras.optimizers.Adam(training.warmup_cosine(peak_rate, steps), jit_compile=False)
    inputs, targets = tf.constant(inputs), tf.constant(targets)
    model(inputs[:1])  # the first call makes the weights
    optimizer.build(model.trainable_variables)

    @tf.function
    def run(batches):
        for rows in batches:
            with tf.GradientTape() as tape:
                output = model(tf.gather(inputs, rows), training=True)
                error = tf.reduce_mean((output - tf.gather(targets, rows)) ** 2)
            gradients = tape.gradient(error, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))

    batches = np.random.default_rng(runtime.SEED).integers(len(inputs), size=(8, steps // 8, batch_size))
    errors = []
    for part in batches:
        run(tf.constant(part))
        errors.append(0 if watched is None else np.mean((model(watched) - watched) ** 2))
    return errors


# %%
steps = budget.cause_steps


def optimizers():
    rate = training.warmup_cosine(4e-3, steps)
    return {
        "RMSprop": keras.optimizers.RMSprop(rate, jit_compile=False),
        "RMSprop, ε = 1e-14": keras.optimizers.RMSprop(rate, epsilon=1e-14, jit_compile=False),
        "Adam": keras.optimizers.Adam(rate, jit_compile=False),
    }


runs, encoders = {}, {}
for hidden, code, chosen in (
    ("sigmoid", "sigmoid", [*optimizers()]),
    ("relu", "sigmoid", ["RMSprop", "Adam"]),
    ("relu", "linear", ["RMSprop", "Adam"]),
):
    for name in chosen:
        runtime.set_seed()
        encoder, decoder = build_dense(2, hidden, code)
        encoders[hidden, code, name] = encoder
        runs[hidden, code, name] = train(
            keras.Sequential([encoder, decoder]),
            few_images,
            few_images,
            steps,
            32,
            optimizer=optimizers()[name],
            watched=test_images[:500],
        )

# %% alt="Error against steps in three panels. Sigmoids everywhere: RMSprop stays at the mean image, RMSprop with a small epsilon and Adam leave it. ReLUs with a sigmoid code: both stay. ReLUs with a linear code: both fall at once"
figure, axes = plt.subplots(1, 3, figsize=(13, 4.4), sharey=True)
level = np.mean((test_images[:500] - mean_image) ** 2)
for axis, (hidden, code) in zip(axes, dict.fromkeys(key[:2] for key in runs), strict=True):
    for (name, colour), dash, marker in zip(
        {"RMSprop": plots.ORANGE, "RMSprop, ε = 1e-14": plots.GREEN, "Adam": plots.BLUE}.items(),
        ("-", "--", "-."),
        "so^",
        strict=True,
    ):
        if (hidden, code, name) in runs:
            shown = steps // 8 * np.arange(1, 9)
            axis.plot(shown, runs[hidden, code, name], dash, marker=marker, markersize=7, color=colour, label=name)
    axis.axhline(level, color=plots.DARK, linewidth=1)
    axis.set(xlabel="step", title=f"hidden {hidden}, code {code}")
axes[0].set_ylabel("test error per pixel")
axes[2].text(shown[-1], level, "mean image", ha="right", va="bottom", fontsize=12)
axes[0].legend(fontsize=11)
plt.show()
for key, values in runs.items():
    print(f"hidden {key[0]:8s} code {key[1]:8s} {key[2]:19s} {values[-1]:.4f}, mean image {level:.4f}")

# %% [markdown]
# Two causes, and each alone is enough.
#
# - *Left.* With sigmoids everywhere the gradients are so small that $\varepsilon$ swallows them. The encoder stands still
#   under RMSprop, at the published rate and at eight times that. Move $\varepsilon$ out of the way, and the very same
#   network learns.
# - *Middle.* ReLUs instead of the hidden sigmoids do not mend it. The first thing to learn is that images are dark, every
#   weight pushes in the same direction, the code runs into the flat end of its sigmoid, and stays there.
# - *Right.* With ReLUs *and* a linear code even the published optimizer learns from the first steps. This is the dense
#   network from here on.
#
# > **A common mistake.** "RMSprop and Adam do not care how large the loss is." They do, below $\varepsilon$. A mean over
# > 784 pixels makes gradients 784 times smaller than a sum does. And $\varepsilon$ does not mean the same in all of them.

# %% tags=["claim"]
final = {key: values[-1] / level for key, values in runs.items()}
assert 0.97 < final["sigmoid", "sigmoid", "RMSprop"] < 1.03
assert final["sigmoid", "sigmoid", "RMSprop, ε = 1e-14"] < (0.97 if budget.name == "smoke" else 0.8)
if budget.name != "smoke":  # Adam takes some more steps
    assert final["sigmoid", "sigmoid", "Adam"] < (0.85 if fashion.is_real else 0.97)
for name in ("RMSprop", "Adam"):
    assert 0.97 < final["relu", "sigmoid", name] < 1.03
    flat_end = np.abs(encoders["relu", "sigmoid", name](test_images) - 0.5)
    assert np.mean(flat_end) > 0.48, "the code sits at the end of its sigmoid"
    assert final["relu", "linear", name] < (0.85 if budget.name == "smoke" else 0.7)
runtime.set_seed()
before = build_dense(2, "sigmoid", "sigmoid")[0].get_weights()[0]
moved = {
    name: np.linalg.norm(encoders["sigmoid", "sigmoid", name].get_weights()[0] - before) / np.linalg.norm(before)
    for name in ("RMSprop", "RMSprop, ε = 1e-14")
}
assert moved["RMSprop"] < 0.02 and moved["RMSprop, ε = 1e-14"] > 0.2, "the first layer stands still, or moves"

# %% [markdown]
# ## Take the sigmoids away, and find PCA
#
# Without any non-linearity an autoencoder is a product of two matrices. The best such product is known: it projects on
# the leading principal components (Baldi and Hornik 1989). The network does not know that. It finds it by gradient
# descent.

# %%
centred = (train_images[:1000] - train_images[:1000].mean(axis=0)).reshape(1000, 784)
linear = keras.Sequential([keras.Input((784,)), layers.Dense(8, use_bias=False), layers.Dense(784, use_bias=False)])
runtime.set_seed()
train(linear, centred, centred, budget.linear_steps, batch_size=250, peak_rate=1e-2)

pca = PCA(8, svd_solver="full").fit(centred)
linear_error = np.mean((centred - linear(centred).numpy()) ** 2)
pca_error = np.mean((centred - pca.inverse_transform(pca.transform(centred))) ** 2)
angles = np.rad2deg(subspace_angles(linear.get_weights()[1].T, pca.components_.T))
print(f"error on these training images: linear autoencoder {linear_error:.6f}, PCA {pca_error:.6f}")
print("principal angles between the two subspaces, degrees:", angles.round(2))

# %% alt="Top: the first eight principal components. Bottom: the eight decoder vectors of the linear autoencoder, mixtures of them"
components = np.concatenate([pca.components_, linear.get_weights()[1]]).reshape(-1, 28, 28, 1)
components = 0.5 + 0.5 * components / np.abs(components).max(axis=(1, 2, 3), keepdims=True)
plots.compare_rows(
    {"PCA": components[:8], "autoencoder": components[8:]}, title="Different vectors, the same eight-dimensional space"
)

# %% [markdown]
# The single vectors differ. PCA orders its directions and keeps them at right angles; the autoencoder has no reason to.
# The space that they span is the same to a degree or so, the jitter of training in batches, and the errors agree to a
# tenth of a per cent.

# %% tags=["claim"]
assert 0.9999 < linear_error / pca_error < (1.01 if budget.name == "smoke" else 1.001)
assert angles.max() < (5 if budget.name == "smoke" else 2)
cosines = np.abs(np.corrcoef(np.concatenate([pca.components_, linear.get_weights()[1]]))[:8, 8:])
assert cosines.max() < 0.98, "no single vector is a principal component"

# %% [markdown]
# ## Compare three autoencoders on one scale
#
# The error falls with the size of the bottleneck. How fast, and for which network? Decibels measure it on a logarithmic
# scale. An error of 1, the squared peak of a pixel, is 0 dB, and every factor of ten in the error is worth 10 dB.
#
# Three candidates: PCA, fitted to all training images of this lesson; the dense network with ReLUs in place of the
# sigmoids, and a linear code; and a convolutional network, which looks at the image through small windows and shares the
# weights between them.


# %%
def build_small_convolutional(latent_dim):
    encoder = keras.Sequential([keras.Input((28, 28, 1))])
    for filters in (16, 32):
        encoder.add(layers.Conv2D(filters, 3, 2, "same", activation="relu"))
    encoder.add(layers.Flatten())
    encoder.add(layers.Dense(latent_dim))
    decoder = keras.Sequential([keras.Input((latent_dim,)), layers.Dense(7 * 7 * 32, "relu")])
    decoder.add(layers.Reshape((7, 7, 32)))
    decoder.add(layers.Conv2DTranspose(16, 3, 2, "same", activation="relu"))
    decoder.add(layers.Conv2DTranspose(1, 3, 2, "same", activation="sigmoid"))
    return encoder, decoder


# %% [markdown]
# ### Predict, then run
#
# Let the dense network have **two** numbers. How many principal components does PCA need to do as well on test images?
# Write your number into the cell before you go on.

# %% tags=["exercise"]
my_components = None  # a whole number, your prediction

# %%
flat = test_images.reshape(-1, 784)
pca = PCA(64, svd_solver="covariance_eigh").fit(train_images.reshape(-1, 784))
scores = (flat - pca.mean_) @ pca.components_.T


def pca_decibels(number):
    return metrics.psnr(pca.mean_ + scores[:, :number] @ pca.components_[:number], flat)


pairs, curves = {}, {}
decibels = {"PCA": {size: pca_decibels(size) for size in (2, 8, 32)}, "dense": {}, "convolutional": {}}
for name, build, steps in (
    ("dense", build_dense, budget.dense_steps),
    ("convolutional", build_small_convolutional, budget.conv_steps),
):
    for size in (2, 8, 32):
        runtime.set_seed()
        pairs[name, size] = build(size)
        model = keras.Sequential([*pairs[name, size]])
        curves[name, size] = train(model, train_images, train_images, steps, watched=test_images[:500])
        decibels[name][size] = metrics.psnr(model(test_images), test_images)
for name, values in decibels.items():
    print(f"{name:14s}" + "".join(f"{size:5d} numbers: {value:.1f} dB" for size, value in values.items()))

# %% alt="Decibels against the size of the bottleneck, 1 to 64: PCA as a line, dense and convolutional networks at 2, 8 and 32"
needed = next(number for number in range(1, 65) if pca_decibels(number) >= decibels["dense"][2])
if my_components is None:
    print("No prediction yet: write one into the cell above the trainings, run it, and then run this one.")
else:
    off = my_components - needed
    print(
        f"You predicted {my_components}; PCA needs {needed} components. " + (f"Off by {off:+d}." if off else "Right.")
    )

figure, axis = plt.subplots(figsize=(9, 5))
axis.plot(range(1, 65), [pca_decibels(number) for number in range(1, 65)], color=plots.DARK, label="PCA")
for name, marker, dash in (("dense", "o", "--"), ("convolutional", "s", "-.")):
    axis.plot([*decibels[name]], [*decibels[name].values()], dash, marker=marker, markersize=9, label=name)
axis.set_xscale("log", base=2)
axis.set_xticks([1, 2, 4, 8, 16, 32, 64], ["1", "2", "4", "8", "16", "32", "64"])
axis.set(
    xlabel="numbers in the bottleneck",
    ylabel="decibels on test images",
    title=f"Two curved numbers do as well as {needed} straight ones",
)
axis.legend()
plt.show()

# %% alt="Rows: ten test images, then the dense network's reconstructions through 2, 8 and 32 numbers, sharper from row to row"
rows = {"test images": test_images[:10]}
for size in (2, 8, 32):
    encoder, decoder = pairs["dense", size]
    rows[f"{size} numbers"] = decoder(encoder(test_images[:10])).numpy()
plots.compare_rows(rows, title="More numbers, more of the garment", size=0.8)

# %% [markdown]
# With two numbers you get a kind of garment, with eight its cut and brightness. With 32 the outline is right, and
# patterns and letters are still gone: the squared error hardly asks for them.
#
# Where two numbers have to do, curved beats flat by a wide margin: the networks fold their plane through the data, and
# PCA cannot fold. PCA gains ground with every component, finds its optimum by algebra, and is hard to beat where there is
# room. A network that loses to it has not been trained long enough; look at PCA before you believe in one.

# %% tags=["claim"]
for values in (decibels["PCA"], decibels["dense"]):
    assert values[2] < values[8] < values[32]
if fashion.is_real:
    assert decibels["dense"][2] > decibels["PCA"][2] + (0.5 if budget.name == "smoke" else 1.7)
if fashion.is_real and budget.name != "smoke":
    assert 6 <= needed <= 9
    for name in ("dense", "convolutional"):
        assert decibels[name][2] < decibels[name][8] < decibels[name][32]
        for size in (2, 8, 32):
            assert decibels[name][size] > decibels["PCA"][size] + 0.2, f"{name}, {size}: at least as good as PCA"
            last = -10 * np.log10(curves[name, size][-3:])
            assert np.ptp(last) < 0.3, "settled: the last quarter of the training hardly changes it"


# %% [markdown]
# ### Exercise 1: decibels
#
# Write `metrics.psnr` yourself, for pixels in [0, 1]. Two facts fix the formula: an error of 1 is 0 dB, and a tenth of an
# error has 10 dB more. The mean runs over all pixels of all images. `tf.math.log` is the natural logarithm.


# %% tags=["exercise"]
def psnr(images, originals):
    return tf.constant(0.0)  # your code here


checks.psnr(psnr)

# %% [markdown]
# ## Remove noise and a watermark
#
# The target need not be the input. Show the network a spoilt image and ask for the clean one. It has to know what
# garments look like. The noise it may forget: the bottleneck has no room for it (Vincent et al. 2008).
#
# The network is the convolutional one of a published tutorial: 64 filters of 4x4, leaky ReLUs, dropout, and **8** numbers
# in the middle. Its decoder unfolds them into a single 7x7 map and works its way back up.


# %%
def build_convolutional(latent_dim, filters=64):
    encoder = keras.Sequential([keras.Input((28, 28, 1))])
    for strides in (2, 2, 1):
        encoder.add(layers.Conv2D(filters, 4, strides, "same"))
        encoder.add(layers.LeakyReLU(0.3))
        encoder.add(layers.Dropout(0.2))
    encoder.add(layers.Flatten())
    encoder.add(layers.Dense(latent_dim))

    decoder = keras.Sequential([keras.Input((latent_dim,))])
    for units in (latent_dim, 49):
        decoder.add(layers.Dense(units))
        decoder.add(layers.LeakyReLU(0.3))
    decoder.add(layers.Reshape((7, 7, 1)))
    for strides in (2, 1, 1):
        decoder.add(layers.Conv2DTranspose(filters, 4, strides, "same", activation="relu"))
        decoder.add(layers.Dropout(0.2))
    decoder.add(layers.Flatten())
    decoder.add(layers.Dense(784, activation="sigmoid"))
    decoder.add(layers.Reshape((28, 28, 1)))
    return keras.Sequential([keras.Input((28, 28, 1)), encoder, decoder])


# %% [markdown]
# > **A common mistake.** "The slope of a leaky ReLU is 0.2 by default." In Keras it is 0.3; other libraries have 0.01 or
# > 0.2. And the tutorial's dropout *keeps* 0.8, while the argument of `Dropout` is the share that it *drops*.
#
# The first training is that of a plain autoencoder. The next two start from its weights; the one with 32 numbers
# has new layers at the bottleneck, and gets more steps. Their inputs are spoilt.
# In half of the images each pixel is replaced by a random grey, with probability one third. The other half gets a
# watermark, which is no noise: it has a shape, inverts what it covers, and lies somewhere else in each image, so that the
# network cannot learn a fixed mask. (Below `full` the layers have fewer filters.)


# %%
def add_noise(images):
    replaced = generator.random(images.shape) < 1 / 3
    return np.where(replaced, generator.random(images.shape), images).astype(np.float32)


def add_watermark(images):
    marked = np.empty_like(images)
    font = ImageFont.load_default(size=13)
    for index, (x, y) in enumerate(generator.integers((-6, -2), (2, 6), (len(images), 2))):
        page = Image.new("L", (28, 28))
        for line in range(2):
            ImageDraw.Draw(page).text((int(x) + 2 * line, int(y) + 12 * line), "COPY", fill=255, font=font)
        mark = np.asarray(page, np.float32)[..., None] / 255
        marked[index] = images[index] * (1 - mark) + mark * (1 - images[index])
    return marked


def add_either(images):
    half = len(images) // 2
    return np.concatenate([add_noise(images[:half]), add_watermark(images[half:])])


def restore(spoil, latent_dim, steps, start=None):
    runtime.set_seed()
    model = build_convolutional(latent_dim, budget.filters)
    for weight, known in zip(model.weights, start.weights if start else model.weights, strict=True):
        if weight.shape == known.shape:  # all but the layers at the bottleneck, where the sizes differ
            weight.assign(known)
    train(model, spoil(few_images), few_images, steps, batch_size=16, peak_rate=budget.restore_rate)
    return model


# %%
copying = restore(np.copy, 8, budget.copy_steps)
copied = metrics.psnr(copying(test_images), test_images)
print(f"{budget.filters} filters, 8 numbers, clean to clean: {copied:.1f} dB")

more_steps = {8: budget.restore_steps, 32: budget.copy_steps}
restorers = {size: restore(add_either, size, steps, start=copying) for size, steps in more_steps.items()}
spoilt = {"noise": add_noise(test_images), "watermark": add_watermark(test_images)}
before = {kind: metrics.psnr(images, test_images) for kind, images in spoilt.items()}
restored = {kind: {size: model(spoilt[kind]).numpy() for size, model in restorers.items()} for kind in spoilt}
gain = {
    (kind, size): metrics.psnr(images, test_images) - before[kind]
    for kind, results in restored.items()
    for size, images in results.items()
}
for (kind, size), value in gain.items():
    print(
        f"{kind:9s} {before[kind]:.1f} dB; through {size:2d} numbers {before[kind] + value:.1f} dB, gain {value:.1f} dB"
    )

# %% tags=["front-watermark"] alt="Rows: test images with noise and restored through 8 and 32 numbers; with the word COPY across them and restored likewise; and the originals"
rows = {}
for kind, name in (("noise", "noisy"), ("watermark", "marked")):
    rows |= {name: spoilt[kind][:10], f"{name}, 8 numbers": restored[kind][8][:10]}
    rows[f"{name}, 32 numbers"] = restored[kind][32][:10]
title = "One network paints back what noise and watermark hid"
plots.compare_rows(rows | {"original": test_images[:10]}, title=title, size=0.7)

# %% [markdown]
# The first line is where both restorers start, not a finished autoencoder. The gain counts what the bottleneck costs as
# well: the parts of an image that were never covered come back a little blurred. Nobody told the network what is noise
# and what is mark. It maps whatever it sees to the closest thing that its code can say, and its code can only say
# garments.

# %% tags=["claim"]
assert np.isclose(layers.LeakyReLU()(np.float32([-1.0])), -0.3)
dropped = np.mean(layers.Dropout(0.2)(np.ones(100_000, np.float32), training=True) == 0)
assert abs(dropped - 0.2) < 0.01
assert copied > -10 * np.log10(mean_image_error) + (1 if budget.name == "smoke" else 3)
assert min(gain.values()) > (0.5 if budget.name == "smoke" else 2.5)

# %% [markdown]
# ### Exercise 2: the pair that trains another denoiser
#
# This time the noise is normal, with standard deviation `noise_sd`, and added to every pixel. Return the two arrays that
# `fit` gets, input and target. Inputs are images again: what leaves [0, 1] is clipped.


# %% tags=["exercise"]
def denoising_pair(images, noise_sd, rng):
    return images, images  # your code here


checks.denoising_pair(denoising_pair)

# %% [markdown]
# ## Train the same network twice
#
# Now ask about codes. Here is the plane of the dense network with two numbers, beside that of the same network from
# another seed.

# %% alt="Test images in the code planes of two trainings; the classes lie in other places, on other scales"
runtime.set_seed(runtime.SEED + 1)
pairs["another seed", 2] = build_dense(2)
model = keras.Sequential([*pairs["another seed", 2]])
train(model, train_images, train_images, budget.dense_steps)
again = metrics.psnr(model(test_images), test_images)

planes = {name: pairs[name, 2][0](test_images).numpy() for name in ("dense", "another seed")}
figure, axes = plt.subplots(1, 2, figsize=(12, 5.4))
for axis, (name, codes), value in zip(axes, planes.items(), (decibels["dense"][2], again), strict=True):
    plots.latent_plane(axis, codes, test_labels, fashion.class_names, f"{name}: {value:.1f} dB")
plt.show()
first, second = planes.values()
print("means of the codes:", first.mean(axis=0).round(1), second.mean(axis=0).round(1))
print("standard deviations:", first.std(axis=0).round(1), second.std(axis=0).round(1))
swapped = pairs["another seed", 2][1](first)
mean_image_decibels = -10 * np.log10(mean_image_error)
print(f"codes of the first, decoded by the second: {metrics.psnr(swapped, test_images):.1f} dB")
print(f"always the mean image: {mean_image_decibels:.1f} dB")

# %% [markdown]
# The two do their task equally well, and put the garments in other places: another centre, another scale, other
# neighbours. Decode the codes of one with the other's decoder, and you would do better with the mean image. The loss does
# not say where codes should lie.

# %% tags=["claim"]
assert abs(again - decibels["dense"][2]) < 0.5
assert metrics.psnr(swapped, test_images) < mean_image_decibels

# %% [markdown]
# ## Look under the codes
#
# A decoder answers every code. Decode a grid over the plane, and lay the test images' codes on top. (Black and white are
# exchanged here, so that the colours show.)

# %% alt="Decoded garments on a grid over the code plane, the codes of test images on top: they form bands with gaps, and in the gaps and beyond the decoded pictures are mixtures"
encoder, decoder = pairs["dense", 2]
codes = planes["dense"]
low, high = np.percentile(codes, 1, axis=0), np.percentile(codes, 99, axis=0)
across, up = np.meshgrid(np.linspace(low[0], high[0], 17), np.linspace(high[1], low[1], 17))
pictures = decoder(np.stack([across.ravel(), up.ravel()], axis=-1)).numpy()

figure, axis = plt.subplots(figsize=(9, 7))
half = (high - low) / 32
extent = (low[0] - half[0], high[0] + half[0], low[1] - half[1], high[1] + half[1])
axis.imshow(plots.mosaic(pictures, 17), cmap="gray_r", extent=extent, aspect="auto", alpha=0.5)
plots.latent_plane(axis, codes, test_labels, fashion.class_names, "Under every code there is a picture")
axis.set(xlim=extent[:2], ylim=extent[2:])
plt.show()

# %% [markdown]
# ## Walk across a gap
#
# Take two garments whose codes have a gap between them, and walk from one code to the other along a straight line. At
# each step, decode. Then ask how far the picture is from *all that the decoder makes of real images*: the root mean
# square difference of a pixel to the closest reconstruction. That compares like with like, blur with blur.

# %% alt="A strip of eleven decoded pictures from one garment to another, ghosts in the middle; below, their distance to the closest reconstruction of a real image, a hill far above the level of test images"
spread, middle = codes.std(axis=0), np.median(codes, axis=0)
trained = encoder(few_images).numpy()
neighbours = NearestNeighbors(n_neighbors=1).fit(trained / spread)
one, two = generator.integers(0, len(codes), (2, 4000))
central = np.all(np.abs(codes - middle) < 1.5 * spread, axis=1)  # no outliers
gaps = neighbours.kneighbors((codes[one] + codes[two]) / 2 / spread)[0][:, 0] * (central[one] & central[two])
start, end = one[gaps.argmax()], two[gaps.argmax()]
names = [fashion.class_names[test_labels[index]] for index in (start, end)]

walk = codes[start] + np.linspace(0, 1, 11)[:, None] * (codes[end] - codes[start])
walked, made = decoder(walk).numpy(), decoder(trained).numpy()
away = metrics.nearest_distance(walked, made)
usual = metrics.nearest_distance(decoder(codes).numpy(), made)
print(f"from {names[0]} to {names[1]}: at most {away.max():.3f}, test images on average {usual.mean():.3f}")

figure = plt.figure(figsize=(12, 4.6))
strips = figure.subplots(2, 1, height_ratios=(1, 1.6))
strips[0].imshow(plots.mosaic(walked, 11, gap=2), aspect="equal")
strips[0].axis("off")
strips[0].set_title(f"A walk from {names[0]} to {names[1]}: what is in the middle, nobody wears")
strips[1].plot(range(11), away, marker="o", color=plots.ORANGE, label="along the walk")
strips[1].axhline(usual.mean(), color=plots.BLUE, linestyle="--", label="test images, on average")
strips[1].set(xlabel="step of the walk", ylabel="rms distance to the\nclosest reconstruction", ylim=(0, None))
strips[1].legend()
plt.show()

# %% [markdown]
# > **A common mistake.** "An autoencoder can only generate what it has seen." It decodes any code, and in the gap it
# > shows what nobody has ever worn. What it lacks is a *reason* for codes between and beyond those of the data to mean
# > anything: its loss never visits them.

# %% tags=["claim"]
assert away.max() > (4 if budget.name == "smoke" else 3.5) * usual.mean()
assert 2 <= away.argmax() <= 8, "the farthest pictures are on the way, not at its ends"

# %% [markdown]
# ## Watch one curve go through a spiral
#
# In the plane you can see the whole of it. The data are points around a spiral: two numbers each, but one would do, the
# way along the arm. The decoder is continuous, so what it makes of a one-number code is one unbroken curve.


# %%
def spiral(angle):
    return 0.1 * np.stack([angle * np.cos(angle), angle * np.sin(angle)], axis=-1)


angle = np.sqrt(generator.uniform(np.pi**2, (4 * np.pi) ** 2, 1000))
points = (spiral(angle) + 0.03 * generator.standard_normal((1000, 2))).astype(np.float32)
true_curve = spiral(np.linspace(np.pi - 0.2, 4 * np.pi + 0.2, 4000))

runtime.set_seed()
hidden = {name: [layers.Dense(128, "relu") for _ in range(3)] for name in ("encoder", "decoder")}
to_code = keras.Sequential([keras.Input((2,)), *hidden["encoder"], layers.Dense(1)])
from_code = keras.Sequential([keras.Input((1,)), *hidden["decoder"], layers.Dense(2)])
model = keras.Sequential([to_code, from_code])
train(model, points, points, budget.spiral_steps, batch_size=100, peak_rate=3e-3)
spiral_codes = to_code(points).numpy()[:, 0]
sweep = np.linspace(spiral_codes.min(), spiral_codes.max(), 4000, dtype=np.float32)
learned_curve = from_code(sweep[:, None]).numpy()


# %% alt="Left, a spiral of points, and the learned curve, which follows parts of the arm and cuts across between them. Right, the code against the angle: pieces of arm in an order that is not the one along the spiral"
def distance_to_spiral(places):
    return np.sqrt(((places[:, None] - true_curve) ** 2).sum(axis=-1).min(axis=1))


off = distance_to_spiral(points)
lengths = np.linalg.norm(np.diff(learned_curve, axis=0), axis=1)
stray = distance_to_spiral((learned_curve[1:] + learned_curve[:-1]) / 2) > 0.1
share = lengths[stray].sum() / lengths.sum()
print(f"data: {np.mean(off > 0.1):.1%} of the points are more than 0.1 from the true curve")
print(f"learned curve: {share:.0%} of its length of {lengths.sum():.1f} is")

figure, axes = plt.subplots(1, 2, figsize=(13, 5.8))
axes[0].scatter(*points.T, s=6, color=plots.BLUE, alpha=0.6, label="data")
axes[0].plot(*learned_curve.T, color=plots.DARK, linewidth=1.5, label="learned curve")
cut = np.where(stray[:, None], learned_curve[1:], np.nan)
axes[0].plot(*cut.T, color=plots.ORANGE, linewidth=4, label="off the spiral")
axes[0].set(
    xlabel="first coordinate",
    ylabel="second coordinate",
    aspect="equal",
    title=f"{share:.0%} of the curve's length is off the spiral",
)
axes[0].legend(loc="upper right", fontsize=10)
axes[1].scatter(angle, spiral_codes, s=6, color=plots.BLUE)
axes[1].set(xlabel="angle along the spiral (radians)", ylabel="code", title="The code jumps along the arm")
plt.show()
unrolled = true_curve[((points[:, None] - true_curve) ** 2).sum(axis=-1).argmin(axis=1)]
trained_error, unrolled_error = (np.mean((points - found) ** 2) for found in (model(points), unrolled))
print(f"mean squared error: this training {trained_error:.5f}, unrolled {unrolled_error:.5f}")

# %% [markdown]
# Points between the arms are no data, and the curve crosses there. The share that counts is that of the curve's *length*:
# how many codes lie on a crossing depends on how much of the code axis the training happened to spend on it.
#
# > **A common mistake.** "A curve through a spiral must jump between the arms." It need not. Code each point by its place
# > along the true curve, and one number unrolls the spiral: the last line says how small the error then is. That code is
# > continuous along the arm. Gradient descent from a random start finds another one, cut into pieces, a local optimum.
# > Nothing in the loss forbids it, and the loss alone does not tell you.

# %% tags=["claim"]
assert np.mean(off > 0.1) < 0.005
# from eight starts: 0.12 to 0.31 of the length, and 1.5 to 15 times the error
assert share > 0.1 and unrolled_error < 0.0006 and trained_error > 1.25 * unrolled_error
order = [np.argsort(np.argsort(values)) for values in (angle, spiral_codes)]
assert abs(np.corrcoef(order)[0, 1]) < 0.8, "the code runs along the arm"

# %% [markdown]
# ### Exercise 3: codes from a box
#
# The obvious way to get new codes for garments: look how far the data's codes reach in each dimension, and draw uniformly
# between the two bounds. A published tutorial draws `x * (max - abs(min))`, where `x` is uniform between 0 and 1. Put
# that in first and read what the check says.


# %% tags=["exercise"]
def uniform_codes(codes, number, rng):
    return rng.uniform(size=(number, codes.shape[1]))  # your code here


checks.uniform_codes(uniform_codes)

# %% [markdown]
# ## Put a number on "it cannot generate"
#
# Back to garments, and to the dense network with 32 numbers, whose reconstructions are good. Decode codes drawn uniformly
# between the bounds of the data's codes, and codes drawn from a normal distribution with the codes' own mean and
# covariance. Then measure how far each picture is from the closest training image.

# %%
encoder, decoder = pairs["dense", 32]
codes = encoder(test_images).numpy()
low, high = codes.min(axis=0), codes.max(axis=0)
uniform = (low + generator.random((1000, 32)) * (high - low)).astype(np.float32)
normal = generator.multivariate_normal(codes.mean(axis=0), np.cov(codes.T), 1000).astype(np.float32)
printed = generator.random((1000, 32)) * (high - np.abs(low))
for name, drawn in {"codes of images": codes, "uniform codes": uniform, "as printed": printed}.items():
    print(f"{name:16s} first dimension from {drawn[:, 0].min():6.1f} to {drawn[:, 0].max():5.1f}")

# %% [markdown]
# > **A common mistake.** `x * (max - abs(min))` for a uniform draw between two bounds. The width is `max - min`, and the
# > draw starts at `min`, so it is `min + x * (max - min)`. Compare the ranges: the printed formula has zero as one end,
# > whatever the codes are, and so leaves out most of the box.

# %% tags=["front-generate"] alt="Rows: test images, reconstructions, pictures from normal codes, some plain garments and some mixtures, and from uniform codes, debris"
pictures = {
    "test images": test_images[:1000],
    "reconstructions": decoder(codes[:1000]).numpy(),
    "normal codes": decoder(normal).numpy(),
    "uniform codes": decoder(uniform).numpy(),
}
far = {name: metrics.nearest_distance(images, few_images).mean() for name, images in pictures.items()}
rough = {name: np.mean(np.abs(np.diff(images, axis=2))) for name, images in pictures.items()}
for name, value in far.items():
    print(f"{name:16s} {value:.3f} from the closest training image, mean step between neighbours {rough[name]:.3f}")
plots.compare_rows(
    {name: images[:10] for name, images in pictures.items()},
    title="From random codes: plain garments, mixtures, debris",
    size=0.8,
)

# %% [markdown]
# The first number is the root mean square difference of a pixel, the second the mean difference between a pixel and its
# right neighbour: how sharp pictures are. Reconstructions and pictures from normal codes are equally smooth, so compare
# these two; test images are sharper, and the distance is kind to blur. Codes from the fitted normal give plain shoes and
# pullovers among mixtures of two garments, farther from real images than reconstructions are. Uniform codes are farther
# still. The decoder is not at fault: nobody told it, or us, where to draw.

# %% tags=["claim"]
assert np.all(np.sign(printed) == np.sign(high - np.abs(low))), "zero is one end"
assert np.mean(np.abs(high - np.abs(low)) / (high - low)) < 0.5, "most of the box is left out"
assert abs(rough["normal codes"] / rough["reconstructions"] - 1) < (0.25 if budget.name == "smoke" else 0.1)
assert rough["test images"] > 1.2 * rough["reconstructions"]
assert far["normal codes"] > (1.05 if budget.name == "smoke" else 1.15) * far["reconstructions"]
assert far["uniform codes"] > (1.05 if budget.name == "smoke" else 1.3) * far["reconstructions"]
if fashion.is_real and budget.name != "smoke":
    assert far["uniform codes"] > 1.1 * far["normal codes"] and far["uniform codes"] > far["test images"]
one = pictures["uniform codes"][0]
np.testing.assert_allclose(
    metrics.nearest_distance(one[None], few_images),
    np.sqrt(((few_images - one) ** 2).mean(axis=(1, 2, 3))).min(),
    rtol=1e-3,
)

# %% [markdown]
# ### Open problem: draw better codes
#
# Do not touch the network. Find a rule that turns the codes of the training images into *new* codes, so that the pictures
# lie closer to garments than those of the normal codes do. Measure it with `far`, look at the pictures, and say what your
# rule gives up. There is no check; one answer is worked out below.
#
# <details><summary>Hint</summary>
#
# The normal puts mass where the cloud of codes has holes. What distribution has several humps? At the other extreme,
# take a training image's own code and move it a little: how far can you go, and is that still a new picture?
#
# </details>

# %% tags=["exercise"]
my_codes = normal  # your rule here
mine = metrics.nearest_distance(decoder(my_codes).numpy(), few_images).mean()
print(f"yours {mine:.3f}, normal codes {far['normal codes']:.3f}, reconstructions {far['reconstructions']:.3f}")

# %% [markdown]
# ## In this notebook we saw
#
# - An autoencoder is an encoder and a decoder around a bottleneck, trained to return its input. A linear one finds the
#   subspace of PCA; curved ones do with two numbers what PCA needs several for.
# - The published one learns nothing, and the sigmoids alone are not to blame: their small gradients drown in RMSprop's
#   $\varepsilon$. ReLUs in front of a sigmoid code fail in another way. An experiment that changes one thing at a time
#   tells causes apart.
# - With a spoilt input and a clean target, the same network removes noise and watermarks.
# - Codes have gaps, no fixed place and no scale. What random codes decode to is farther from the data than
#   reconstructions are, and now there is a number for it.
#
# Next: [lesson 02](02_kl_divergence.ipynb), the tool that tells codes where to lie.
#
# ## Test yourself
#
# Run the cell and click on an answer: it tells you whether it is right, and why.

# %% tags=["self-test"]
selftest.ask("01")

# %% [markdown]
# ## Sources and further reading
#
# - P. Baldi, K. Hornik, [Neural networks and principal component
#   analysis](https://doi.org/10.1016/0893-6080(89)90014-2), 1989.
# - G. E. Hinton, R. R. Salakhutdinov, [Reducing the dimensionality of data with neural
#   networks](https://doi.org/10.1126/science.1127647), 2006.
# - P. Vincent, H. Larochelle, Y. Bengio, P.-A. Manzagol, [Extracting and composing robust features with denoising
#   autoencoders](https://doi.org/10.1145/1390156.1390294), 2008.
# - H. Xiao, K. Rasul, R. Vollgraf, [Fashion-MNIST](https://arxiv.org/abs/1708.07747), 2017; the images are under the
#   MIT licence of Zalando SE.
# - The dense network is that of published course notes on VAEs with TensorFlow Probability, the convolutional one that
#   of the published tutorial "A Gentle Introduction into Variational Autoencoders".

# %% [markdown] tags=["solution"]
# ---
# ## Solutions
#
# Collapsed. Click on the dots of a cell to see its code; what it prints is the verdict of the check.


# %% tags=["solution"] jupyter={"source_hidden": true}
def psnr(images, originals):
    """A natural logarithm over ln 10 is a decimal one."""
    error = tf.reduce_mean((images - originals) ** 2)
    return -10 * tf.math.log(error) / np.log(10)


checks.psnr(psnr)


# %% tags=["solution"] jupyter={"source_hidden": true}
def denoising_pair(images, noise_sd, rng):
    """Only the input is corrupted: the target stays clean."""
    return np.clip(images + noise_sd * rng.standard_normal(images.shape), 0, 1), images


checks.denoising_pair(denoising_pair)


# %% tags=["solution"] jupyter={"source_hidden": true}
def uniform_codes(codes, number, rng):
    """From the minimum, a random share of the way to the maximum."""
    low, high = codes.min(axis=0), codes.max(axis=0)
    return low + rng.uniform(size=(number, codes.shape[1])) * (high - low)


checks.uniform_codes(uniform_codes)

# %% [markdown] tags=["solution"]
# **The open problem.** A mixture of normals, fitted to the codes of the training images, has a hump wherever codes crowd.
# The more humps, the closer the pictures come to real ones. What it gives up: with as many narrow humps as images it
# hands back the training set. And it is a second model, fitted afterwards to codes that another training puts elsewhere.
# A VAE goes the other way round: it says first where codes should lie, and trains the encoder to put them there.

# %% tags=["solution"] jupyter={"source_hidden": true}
known = encoder(few_images).numpy()
better = {}
for humps in (5, 20, 80):
    mixture = GaussianMixture(humps, covariance_type="diag", reg_covar=1e-2, random_state=0).fit(known)
    drawn = mixture.sample(1000)[0].astype(np.float32)
    better[humps] = metrics.nearest_distance(decoder(drawn).numpy(), few_images).mean()
    print(f"{humps:2d} humps: {better[humps]:.3f} from the closest training image")
assert better[20] < far["normal codes"]
