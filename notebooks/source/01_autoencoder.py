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
# ends with that failure as a picture and as a figure, and the rest of the course mends it.

# %% [markdown]
# **You will do**
# - train a dense autoencoder as it is often published, find out why it learns nothing, and mend it;
# - check that a linear autoencoder is principal component analysis;
# - train a convolutional one with bottlenecks of 2, 8 and 32 numbers, and let it remove noise and a watermark;
# - map the garments into a plane, and decode the places where no garment lives.
#
# **You will learn**
# - what the size and the activation of a bottleneck decide;
# - why low reconstruction error says nothing about codes between those of the data.
#
# **You need** [lesson 00](00_start_here.ipynb), mean squared error, and the Keras of `Sequential`, `compile` and `fit`.
#
# **Time:** about four minutes at the `laptop` budget on two cores. `full` trains on all garments, wants a GPU, and was
# never timed.

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
from sklearn.neighbors import NearestNeighbors

from course_utils import checks, data, metrics, networks, plots, selftest, training

layers = keras.layers

# %%
fashion = data.load_fashion_mnist()
plots.label_source(fashion)
print(fashion)

train_images = data.to_float(fashion.train_images[: budget.images])
test_images = data.to_float(fashion.test_images[:2000])
test_labels = fashion.test_labels[:2000]
generator = np.random.default_rng(runtime.SEED)

# %% [markdown]
# Pixels are floats between 0 and 1 from here on, and 0 is the background. An error is always the mean squared error of
# a pixel on test images, which no model has trained on. One number to keep in mind: whoever answers every question with
# the mean image of the training set has this error.

# %%
mean_image = train_images.mean(axis=0)
mean_image_error = np.mean((test_images - mean_image) ** 2)
print(f"always the mean image: {mean_image_error:.4f}")

# %% [markdown]
# ## Squeeze a garment through two numbers
#
# This is the dense autoencoder of a published course, layer by layer: 784 pixels, 256, 64, **2**, 64, 256, 784, with a
# sigmoid after every layer. One model, trained with RMSprop at 0.0005 for 20 epochs; at the `laptop` budget on a sixth
# of the images, at `full` on all.

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
few_images = train_images[: budget.dense_images]
history = published.fit(few_images, few_images, batch_size=32, epochs=20, verbose=0)
published_error = published.evaluate(test_images, test_images, verbose=0)
print(f"after 20 epochs of {len(few_images):,} images: {published_error:.4f}, the mean image: {mean_image_error:.4f}")

# %% [markdown]
# Twenty epochs, and it is no better than the mean image. To see what happens inside, split the same layers into an
# encoder, up to the code, and a decoder, from the code on. No weight is copied: the two parts share them with the
# whole.

# %%
encoder = keras.Sequential(published.layers[:4])
decoder = keras.Sequential([keras.Input((2,)), *published.layers[4:]])
codes = encoder.predict(test_images, verbose=0)
joined = decoder.predict(codes, verbose=0)
print(
    "largest difference between the parts and the whole:",
    np.abs(joined - published.predict(test_images, verbose=0)).max(),
)
print("standard deviation of the two codes over the test images:", codes.std(axis=0).round(3))

# %% alt="Ten test images; below them the published network's answers, all the same blur"
plots.compare_rows(
    {"test images": test_images[:10], "as published": joined[:10]},
    title="Whatever you show it, it answers with the average garment",
)

# %% [markdown]
# The codes hardly move: all images get nearly the same two numbers. A sigmoid passes on at most a quarter of the
# gradient, and here six of them stand in a row.

# %% tags=["claim"]
assert published_error > 0.95 * mean_image_error
assert codes.std(axis=0).max() < 0.1
np.testing.assert_allclose(joined, published.predict(test_images, verbose=0), atol=1e-5)

# %% [markdown]
# ## Mend it, and compare two codes
#
# First the optimizer: Adam, with a rate that climbs to 0.004 in the first twentieth of the steps and then falls to zero
# along a cosine (Loshchilov and Hutter 2017). Written out, it is this; `training.warmup_cosine` does the same inside
# the optimizer.


# %%
def rate_at(step, peak_rate, steps):
    warmup = max(1, steps // 20)
    falling = 0.5 * (1 + np.cos(np.pi * (step - warmup) / (steps - warmup)))
    return peak_rate * np.where(step < warmup, step / warmup, falling)


schedule = training.warmup_cosine(4e-3, 1000)
print({step: f"{rate_at(step, 4e-3, 1000):.5f}" for step in (0, 25, 50, 500, 1000)})

# %% tags=["claim"]
for step in range(0, 1001, 10):
    np.testing.assert_allclose(schedule(step), rate_at(step, 4e-3, 1000), atol=1e-8)

# %% [markdown]
# That gets both variants going. Then the code itself: between 0 and 1 behind a sigmoid, or linear and free to be any
# number.

# %%
dense = {}
for activation in ("sigmoid", "linear"):
    runtime.set_seed()
    encoder, decoder = networks.dense_autoencoder_networks(2, activation)
    model = keras.Sequential([encoder, decoder])
    steps = budget.dense_epochs * (len(few_images) // 64)
    model.compile(
        keras.optimizers.Adam(training.warmup_cosine(4e-3, steps), jit_compile=False), loss="mse", steps_per_execution=8
    )
    model.fit(few_images, few_images, batch_size=64, epochs=budget.dense_epochs, verbose=0)
    dense[activation] = (encoder, decoder, model.evaluate(test_images, test_images, verbose=0))
    print(f"{activation:8s} code: {dense[activation][2]:.4f}")

# %% alt="Test images in the code plane: squeezed into the unit square behind a sigmoid, some classes flat against its edges; spread out with a linear code"
figure, axes = plt.subplots(1, 2, figsize=(13, 6))
for axis, (activation, (encoder, _, error)) in zip(axes, dense.items(), strict=True):
    plots.latent_plane(
        axis,
        encoder.predict(test_images, verbose=0),
        test_labels,
        fashion.class_names,
        f"{activation} code: error {error:.4f}",
        name_classes=activation == "linear",
    )
plt.show()

# %% [markdown]
# Left, all codes have to fit into the unit square, and some classes are pressed flat against its edges, where the
# sigmoid is flat too and little gradient arrives. Right, classes find room. Both see the same images for the same time;
# the linear code reconstructs better.

# %% tags=["claim"]
assert dense["linear"][2] < dense["sigmoid"][2] < 0.95 * mean_image_error

# %% [markdown]
# ## Take the sigmoids away, and find PCA
#
# Without any non-linearity an autoencoder is a product of two matrices. The best such product is known: it projects on
# the leading principal components (Baldi and Hornik 1989). The network does not know that. It finds it by gradient
# descent.

# %%
centred = (train_images[:2000] - train_images[:2000].mean(axis=0)).reshape(2000, 784)
linear = keras.Sequential([keras.Input((784,)), layers.Dense(8, use_bias=False), layers.Dense(784, use_bias=False)])
rate = keras.optimizers.schedules.CosineDecay(1e-2, 4 * budget.linear_epochs)
linear.compile(keras.optimizers.Adam(rate, jit_compile=False), loss="mse")
linear.fit(centred, centred, batch_size=500, epochs=budget.linear_epochs, verbose=0)

pca = PCA(8, svd_solver="full").fit(centred)
errors = {
    "linear autoencoder": np.mean((centred - linear.predict(centred, verbose=0)) ** 2),
    "PCA": np.mean((centred - pca.inverse_transform(pca.transform(centred))) ** 2),
}
angles = np.rad2deg(subspace_angles(linear.get_weights()[1].T, pca.components_.T))
print({name: round(float(error), 6) for name, error in errors.items()})
print("principal angles between the two subspaces, degrees:", angles.round(2))

# %% alt="Top: the first eight principal components. Bottom: the eight decoder vectors of the linear autoencoder, mixtures of them"
components = np.concatenate([pca.components_, linear.get_weights()[1]]).reshape(-1, 28, 28, 1)
components = 0.5 + 0.5 * components / np.abs(components).max(axis=(1, 2, 3), keepdims=True)
plots.compare_rows(
    {"PCA": components[:8], "autoencoder": components[8:]}, title="Different vectors, the same eight-dimensional space"
)

# %% [markdown]
# The single vectors differ. PCA orders its directions and keeps them at right angles; the autoencoder has no reason to.
# The space that they span is the same to within a few degrees, and the errors agree to within two per cent.

# %% tags=["claim"]
assert errors["linear autoencoder"] / errors["PCA"] < 1.02
assert angles.max() < 5

# %% [markdown]
# ## Build a convolutional autoencoder
#
# Three convolutions with 64 filters of 4x4 look at the image, the first two at every second pixel. A leaky ReLU and
# dropout follow each. Eight numbers are left. The decoder unfolds them into a single 7x7 map and works its way back up.


# %%
def build_convolutional(latent_dim):
    encoder = keras.Sequential([keras.Input((28, 28, 1))])
    for strides in (2, 2, 1):
        encoder.add(layers.Conv2D(64, 4, strides, "same"))
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
        decoder.add(layers.Conv2DTranspose(64, 4, strides, "same", activation="relu"))
        decoder.add(layers.Dropout(0.2))
    decoder.add(layers.Flatten())
    decoder.add(layers.Dense(784, activation="sigmoid"))
    decoder.add(layers.Reshape((28, 28, 1)))
    return keras.Sequential([keras.Input((28, 28, 1)), encoder, decoder])


# %% [markdown]
# One function trains it, from any input to any target. For now both are the same images.


# %%
def train(model, inputs, targets, epochs):
    steps = epochs * (len(inputs) // 16)
    rate = training.warmup_cosine(2e-3, steps)
    model.compile(keras.optimizers.Adam(rate, jit_compile=False), loss="mse")
    model.fit(inputs, targets, batch_size=16, epochs=epochs, verbose=0)
    return model


conv_images = train_images[: budget.conv_images]
convolutional = {}
for latent_dim in (2, 8, 32):
    runtime.set_seed()
    convolutional[latent_dim] = train(build_convolutional(latent_dim), conv_images, conv_images, budget.conv_epochs)
    error = convolutional[latent_dim].evaluate(test_images, test_images, verbose=0)
    print(f"bottleneck {latent_dim:2d}: {error:.4f}")

# %% [markdown]
# ## See what a larger bottleneck buys

# %% alt="Rows: ten test images, then their reconstructions through 2, 8 and 32 numbers, sharper from row to row"
reconstructed = {size: model.predict(test_images, verbose=0) for size, model in convolutional.items()}
plots.compare_rows(
    {"test images": test_images[:10], **{f"{size} numbers": images[:10] for size, images in reconstructed.items()}},
    title="More numbers, more of the garment",
)

# %% [markdown]
# With two numbers you get a kind of garment, with eight its cut and brightness, with 32 some of its pattern. Decibels
# say it on a logarithmic scale: ten times the decimal logarithm of one over the error, so that 10 dB are a factor of ten.
# PCA with as many components, fitted to all training images, is the yardstick.

# %%
decibels = {size: metrics.psnr(images, test_images) for size, images in reconstructed.items()}
print({f"{size} numbers": f"{value:.1f} dB" for size, value in decibels.items()})

flat = test_images.reshape(-1, 784)
pca = PCA(32, svd_solver="covariance_eigh").fit(train_images.reshape(-1, 784))
for size in decibels:
    kept = pca.components_[:size]
    projected = pca.mean_ + (flat - pca.mean_) @ kept.T @ kept
    print(f"PCA, {size} components: {metrics.psnr(projected, flat):.1f} dB")

# %% [markdown]
# Where two numbers have to do, curved beats flat on real garments: the network folds its plane through the data, and PCA
# cannot. With more numbers there is less to fold. PCA finds its optimum by algebra, the network by gradient descent on
# the images and in the time that it is given, so do not be surprised to see PCA ahead at 32.

# %% tags=["claim"]
assert decibels[2] < decibels[8] < decibels[32]
assert decibels[32] - decibels[2] > 1
if fashion.is_real and budget.name != "smoke":
    two = pca.components_[:2]
    assert decibels[2] > metrics.psnr(pca.mean_ + (flat - pca.mean_) @ two.T @ two, flat)

# %% [markdown]
# ### Exercise 1: decibels
#
# Write `metrics.psnr` yourself: ten times the decimal logarithm of the squared peak over the mean squared error. The
# peak of a pixel is 1 here, and the mean runs over all pixels of all images. `tf.math.log` is the natural logarithm.


# %% tags=["exercise"]
def psnr(images, originals):
    return tf.constant(0.0)  # your code here


checks.psnr(psnr)

# %% [markdown]
# ## Remove noise
#
# The target need not be the input. Show the network a corrupted image and ask for the clean one. It has to know what
# garments look like, and what noise looks like it may forget: the bottleneck has no room for it (Vincent et al. 2008).
# We start from the weights of the autoencoder with 32 numbers, which knows garments already. The published one has 8: it
# removes noise as well, and more of the garment with it.


# %%
def add_noise(images):
    return np.clip(images + 0.4 * generator.standard_normal(images.shape), 0, 1).astype(np.float32)


def retrain(model, corrupt):
    copy = build_convolutional(32)
    copy.set_weights(model.get_weights())
    return train(copy, corrupt(conv_images), conv_images, budget.conv_epochs)


denoiser = retrain(convolutional[32], add_noise)
noisy = add_noise(test_images)
cleaned = denoiser.predict(noisy, verbose=0)
before, after = metrics.psnr(noisy, test_images), metrics.psnr(cleaned, test_images)
print(f"held-out images: {before:.1f} dB with noise, {after:.1f} dB cleaned, gain {after - before:.1f} dB")

# %% alt="Three rows: noisy test images, what the denoiser makes of them, and the clean originals"
plots.compare_rows(
    {"noisy": noisy[:10], "cleaned": cleaned[:10], "original": test_images[:10]},
    title="The network has never seen these images, noisy or clean",
)

# %% tags=["claim"]
assert after - before > 3

# %% [markdown]
# ### Exercise 2: the pair that trains a denoiser
#
# Return the two arrays that `fit` gets: the input with normal noise of standard deviation `noise_sd`, clipped to [0,
# 1], and the target.


# %% tags=["exercise"]
def denoising_pair(images, noise_sd, rng):
    return images, images  # your code here


checks.denoising_pair(denoising_pair)

# %% [markdown]
# ## Remove a watermark
#
# A watermark is no noise: it has a shape, it inverts what it covers, and it is in the way. The recipe does not change.
# Each image gets the words somewhere else, so the network cannot learn a fixed mask.


# %%
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


remover = retrain(convolutional[32], add_watermark)
marked = add_watermark(test_images)
unmarked = remover.predict(marked, verbose=0)
before, after = metrics.psnr(marked, test_images), metrics.psnr(unmarked, test_images)
print(f"held-out images: {before:.1f} dB with the mark, {after:.1f} dB without, gain {after - before:.1f} dB")

# %% tags=["front-watermark"] alt="Three rows: test images with the word COPY across them, the same without it, and the originals"
plots.compare_rows(
    {"marked": marked[:10], "removed": unmarked[:10], "original": test_images[:10]},
    title="The mark inverts what it covers; the network paints the garment back",
)

# %% tags=["claim"]
assert after - before > 1

# %% [markdown]
# The gain counts what the bottleneck costs as well: the parts of the image that were never covered come back a little
# blurred.
#
# ## Look for the gaps in the plane
#
# So far an autoencoder was asked about images. Now ask it about codes. Take the linear two-number code from above, and
# draw codes at random between the smallest and the largest that any test image has.

# %%
encoder, decoder, _ = dense["linear"]
codes = encoder.predict(test_images, verbose=0)
low, high = codes.min(axis=0), codes.max(axis=0)
random_codes = (low + generator.random((1000, 2)) * (high - low)).astype(np.float32)

spread = codes.std(axis=0)
distance, _ = NearestNeighbors(n_neighbors=1).fit(codes / spread).kneighbors(random_codes / spread)
in_gap = distance[:, 0] > 0.25
print(f"codes from {low.round(1)} to {high.round(1)}, standard deviation {spread.round(1)}")
print(f"{in_gap.mean():.0%} of the random codes are a quarter of a standard deviation or more from any test image")

# %% alt="Left: the code plane with random codes in gaps marked by crosses. Right: what those codes decode to"
figure = plt.figure(figsize=(13, 5.6))
left, right = figure.subfigures(1, 2, width_ratios=(1, 1))
axis = left.subplots()
plots.latent_plane(axis, codes, test_labels, fashion.class_names, "Crosses: random codes with no garment near", False)
axis.scatter(*random_codes[in_gap].T, marker="x", s=30, color="black", linewidths=1)
grid = right.subplots(4, 5)
for axis, image in zip(grid.flat, decoder.predict(random_codes[in_gap][:20], verbose=0), strict=False):
    axis.imshow(image[..., 0], vmin=0, vmax=1)
for axis in grid.flat:
    axis.axis("off")
right.suptitle("Decoded crosses: nothing ever asked for these")
plt.show()

# %% [markdown]
# > **A common mistake.** "An autoencoder can only generate what it has seen." It decodes any code you give it, as the
# > pictures on the right show. What it lacks is a *reason* for the codes between and beyond those of the data to mean
# > anything. Its loss never visits them. And nothing keeps the plane in place: the centre, the scale and the gaps come
# > out differently in each training.

# %% tags=["claim"]
assert in_gap.mean() > 0.1
assert spread.max() > 2, "a standard normal has 1"

# %% [markdown]
# ### Exercise 3: codes from a box
#
# Draw codes uniformly between the smallest and the largest code, dimension by dimension. A published tutorial does it
# with `x * (max - abs(min))`, where `x` is uniform between 0 and 1. Put that in first and read what the check says.


# %% tags=["exercise"]
def uniform_codes(codes, number, rng):
    return rng.uniform(size=(number, codes.shape[1]))  # your code here


checks.uniform_codes(uniform_codes)

# %% [markdown]
# ## Watch one curve go through a spiral
#
# In the plane you can see it happen. The data are points around a spiral: two numbers each, but one would do, the way
# along the arm. An autoencoder with a one-number code has to find it.


# %%
def spiral(angle):
    return 0.1 * np.stack([angle * np.cos(angle), angle * np.sin(angle)], axis=-1)


angle = np.sqrt(generator.uniform(np.pi**2, (4 * np.pi) ** 2, 1000))
points = (spiral(angle) + 0.03 * generator.standard_normal((1000, 2))).astype(np.float32)
true_curve = spiral(np.linspace(np.pi - 0.2, 4 * np.pi + 0.2, 4000))

runtime.set_seed()
steps = budget.spiral_steps
hidden = {name: [layers.Dense(128, "relu") for _ in range(3)] for name in ("encoder", "decoder")}
to_code = keras.Sequential([keras.Input((2,)), *hidden["encoder"], layers.Dense(1)])
from_code = keras.Sequential([keras.Input((1,)), *hidden["decoder"], layers.Dense(2)])
model = keras.Sequential([to_code, from_code])
rate = keras.optimizers.schedules.CosineDecay(3e-3, steps)
model.compile(keras.optimizers.Adam(rate, jit_compile=False), loss="mse", steps_per_execution=50)
batches = tf.data.Dataset.from_tensor_slices((points, points)).shuffle(1000).batch(100).repeat()
model.fit(batches, steps_per_epoch=steps, verbose=0)

codes = to_code.predict(points, verbose=0)
random_codes = generator.uniform(codes.min(), codes.max(), (1000, 1)).astype(np.float32)
generated = from_code.predict(random_codes, verbose=0)
learned_curve = from_code.predict(np.linspace(codes.min(), codes.max(), 3000, dtype=np.float32)[:, None], verbose=0)

# %% alt="A spiral of points; the learned curve follows parts of the arm and cuts across between them; generated points lie on the cuts as well"
figure, axes = plt.subplots(1, 2, figsize=(13, 5.8))
axes[0].plot(*true_curve.T, color=plots.DARK, linewidth=1, label="true curve")
axes[0].scatter(*points.T, s=6, color=plots.BLUE, alpha=0.6, label="data")
axes[0].plot(*learned_curve.T, color=plots.ORANGE, label="learned curve")
axes[0].set_title("One code, one curve: it must jump between the arms")
axes[1].plot(*true_curve.T, color=plots.DARK, linewidth=1)
axes[1].scatter(*generated.T, s=6, color=plots.ORANGE, label="decoded random codes")
axes[1].set_title("Generated points lie on the jumps as well")
for axis in axes:
    axis.set(xlabel="first coordinate", ylabel="second coordinate", aspect="equal")
    axis.legend(loc="upper right", fontsize=10)
plt.show()


# %% [markdown]
# The decoder is continuous, so its image is one unbroken curve through the points. Where the encoder sends neighbouring
# arms to neighbouring codes, the curve leaves one arm and crosses empty space to the next. The data never go there.
# Random codes do.


# %%
def distance_to_spiral(places):
    return np.sqrt(((places[:, None] - true_curve) ** 2).sum(axis=-1).min(axis=1))


off_curve = {
    "data": distance_to_spiral(points),
    "reconstructed data": distance_to_spiral(model.predict(points, verbose=0)),
    "decoded random codes": distance_to_spiral(generated),
}
print("from the true curve:    mean  farthest  beyond 0.1")
for name, distances in off_curve.items():
    print(f"{name:21s} {distances.mean():7.3f} {distances.max():9.2f} {np.mean(distances > 0.1):10.1%}")

# %% [markdown]
# The noise of the data is 0.03, so hardly a point lies more than 0.1 from the curve. Of the decoded random codes many
# times as many do, and the farthest sit in the middle of nowhere. The mean says less: it depends on how much of the
# code axis the training happened to spend on the jumps, and another seed gives another figure.

# %% tags=["claim"]
assert np.mean(off_curve["data"] > 0.1) < 0.01
assert np.mean(off_curve["decoded random codes"] > 0.1) > max(0.005, 5 * np.mean(off_curve["data"] > 0.1))
assert off_curve["decoded random codes"].max() > 2 * off_curve["data"].max()

# %% [markdown]
# ## Put a number on "it cannot generate"
#
# Back to garments, with a code of 32 numbers and ReLUs in place of the sigmoids: good reconstructions now. Decode codes
# drawn uniformly between the bounds of the data's codes, and codes drawn from a normal distribution with the codes' own
# mean and covariance. Then measure how far each picture is from the closest training image.

# %%
runtime.set_seed()
encoder = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        layers.Flatten(),
        *(layers.Dense(units, activation="relu") for units in (256, 64)),
        layers.Dense(32),
    ]
)
decoder = keras.Sequential(
    [
        keras.Input((32,)),
        *(layers.Dense(units, activation="relu") for units in (64, 256)),
        layers.Dense(784, activation="sigmoid"),
        layers.Reshape((28, 28, 1)),
    ]
)
autoencoder = keras.Sequential([encoder, decoder])
steps = budget.dense_epochs * (len(few_images) // 64)
autoencoder.compile(
    keras.optimizers.Adam(training.warmup_cosine(2e-3, steps), jit_compile=False), loss="mse", steps_per_execution=8
)
autoencoder.fit(few_images, few_images, batch_size=64, epochs=budget.dense_epochs, verbose=0)
print(f"held-out images: {metrics.psnr(autoencoder.predict(test_images, verbose=0), test_images):.1f} dB")

# %%
codes = encoder.predict(test_images, verbose=0)
low, high = codes.min(axis=0), codes.max(axis=0)
uniform = (low + generator.random((1000, 32)) * (high - low)).astype(np.float32)
normal = generator.multivariate_normal(codes.mean(axis=0), np.cov(codes.T), 1000).astype(np.float32)
pictures = {
    "test images": test_images[:1000],
    "reconstructions": autoencoder.predict(test_images[:1000], verbose=0),
    "normal codes": decoder.predict(normal, verbose=0),
    "uniform codes": decoder.predict(uniform, verbose=0),
}

# %% [markdown]
# How far is a picture from the closest of many images? Root mean square over its pixels, for each of them, and then the
# smallest. `metrics.nearest_distance` does it for a thousand pictures at once.

# %%
one = pictures["uniform codes"][0]
print(f"one picture: {np.sqrt(((few_images - one) ** 2).mean(axis=(1, 2, 3))).min():.4f}")

far = {name: metrics.nearest_distance(images, few_images).mean() for name, images in pictures.items()}
for name, value in far.items():
    print(f"{name:16s} {value:.3f} from the closest training image (root mean square of a pixel)")

# %% tags=["front-generate"] alt="Rows: test images, reconstructions, pictures from normal codes, some plain garments and some mixtures, and from uniform codes, debris"
plots.compare_rows(
    {name: images[:10] for name, images in pictures.items()},
    title="From random codes: plain garments, mixtures, debris",
)

# %% [markdown]
# Compare like with like: reconstructions and generated pictures come from the same decoder and are equally smooth.
# Reconstructions lie closest to real images, closer than test images do, which are sharp: a blur is near to many images,
# and the measure is kind to it. Random codes decode to something farther off all the same. Codes from the normal that we
# fitted give plain shoes and pullovers among mixtures of two garments. Pictures from uniform codes are farther off than
# even the sharp test images. The decoder is not at fault: nobody told it, or us, where to draw.

# %% tags=["claim"]
np.testing.assert_allclose(
    metrics.nearest_distance(one[None], few_images),
    np.sqrt(((few_images - one) ** 2).mean(axis=(1, 2, 3))).min(),
    rtol=1e-3,
)
assert far["reconstructions"] < far["test images"] < far["uniform codes"]
assert far["uniform codes"] > 1.25 * far["reconstructions"]
assert far["normal codes"] > 1.1 * far["reconstructions"]

# %% [markdown]
# ## In this notebook we saw
#
# - A published autoencoder that learns nothing: all its sigmoids, and an optimizer too slow for them, keep it at the
#   mean image.
# - A linear autoencoder finds the subspace of PCA, and PCA is the yardstick for all others.
# - A larger bottleneck keeps more. With a corrupted input and a clean target the same network removes noise and
#   watermarks.
# - Codes have gaps, no fixed place and no scale. Codes drawn at random decode to something farther from the data than
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
