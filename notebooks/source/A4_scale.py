# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A4 · Training at scale: work, precision, checkpoints, files
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/vae-course/vae-course/blob/main/notebooks/A4_scale.ipynb)
#
# ![Bars for the twelve layers of a VAE on 256x256 images: the dense layers have the weights, the convolutions have the work](figures/A4_work.png)
#
# Lesson 06 trains for minutes. A serious training run takes hours, on a machine that may stop at any moment, and its
# result should still be usable next year. This appendix looks at what such a run needs: where the time goes, which
# digits you can do without, how it survives being killed, and what a file on disk should hold.

# %% [markdown]
# **You will do**
# - count the multiplications of a network, layer by layer;
# - look at what bfloat16 keeps of a number, and what it does to a picture;
# - cut a training off in the middle and continue it, to the same weights;
# - open a saved model without running it.
#
# **You will learn**
# - why the layers with the most weights are not those with the most work;
# - what has to stay in float32;
# - what a training must not depend on, if it is to be continued;
# - why weights are worth keeping and whole models are not.
#
# **You need** lesson [06](06_cartoon_set.ipynb); for the last section lesson [04](04_tfp_vae.ipynb). Words are
# explained in the [glossary](../site/glossary.md).
#
# **Time:** about one minute of computing at the `laptop` budget on two cores, and one hour of study.

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

budget = runtime.start("A4")

# %%
import base64
import json
import pickletools
import tempfile
import warnings
import zipfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras as keras

from course_utils import data, models, networks, plots, precision, runtime, selftest, training

tfd, tfpl, layers = tfp.distributions, tfp.layers, keras.layers

# %% [markdown]
# ## Count the work of a network
#
# A weight of a dense layer is multiplied once for an image. A weight of a convolution is multiplied at each place where
# the kernel is laid. Count both for the networks of lesson 06:


# %%
def multiplications(layer):
    """How often the weights of a layer are multiplied for one image."""
    if isinstance(layer, layers.Dense):
        return int(np.prod(layer.kernel.shape))
    places = layer.input_shape if isinstance(layer, layers.Conv2DTranspose) else layer.output_shape
    return int(np.prod(layer.kernel.shape)) * int(np.prod(places[1:3]))


working, names = [], []
for part in networks.avatar_vae_networks(latent_dim=200):
    for layer in part.layers:
        if hasattr(layer, "kernel"):
            working.append(layer)
            kind = "dense" if isinstance(layer, layers.Dense) else "convolution"
            names.append(f"{part.name}: {kind} to {'x'.join(str(size) for size in layer.output_shape[1:])}")
weights = np.array([int(np.prod(layer.kernel.shape)) for layer in working])
work = np.array([multiplications(layer) for layer in working])

# %% tags=["front-work"] alt="Two bar charts over the twelve layers of encoder and decoder. Left: nearly all weights are in the two dense layers around the code. Right: nearly all multiplications are in the convolutions, most of them in the largest images"
figure, axes = plt.subplots(1, 2, figsize=(13, 4.8), sharey=True)
dense = np.array([isinstance(layer, layers.Dense) for layer in working])
colours = np.where(dense, plots.ORANGE, plots.BLUE)
axes[0].barh(names, weights / 1e6, color=colours)
axes[0].set(xlabel="weights (million)", title="The weights are in the dense layers")
axes[1].barh(names, work / 1e6, color=colours)
axes[1].set(xlabel="multiplications an image (million)", title="The work is in the convolutions")
axes[0].invert_yaxis()
plt.show()
print(
    f"dense layers: {weights[dense].sum() / weights.sum():.0%} of the weights, {work[dense].sum() / work.sum():.1%} of the work"
)

# %% tags=["claim"]
assert weights[dense].sum() > 0.8 * weights.sum()
assert work[dense].sum() < 0.02 * work.sum() and work[dense].sum() == weights[dense].sum()

# %% [markdown]
# ## Compute in fewer digits
#
# A bfloat16 is the first half of a float32: the same sign and exponent, and 7 bits of the fraction in place of 23. So it
# covers the same range, from about $10^{-38}$ to $10^{38}$, with two to three decimal digits. float16 spends its 16 bits
# otherwise: more digits, and nothing below $6 \cdot 10^{-8}$.

# %%
for number in (1 / 3, 1.0 + 1 / 512, 1e-8, 70_000.0):
    halves = [float(tf.cast(tf.cast(number, kind), tf.float32)) for kind in (tf.bfloat16, tf.float16)]
    print(f"float32 {number:<12.7g} bfloat16 {halves[0]:<12.7g} float16 {halves[1]:<12.7g}")

# %% [markdown]
# The second line is the warning. A weight of 1 that should grow by 1/512 does not grow at all. Adam's steps are smaller
# than that, so the *weights* stay float32; so do sums over many pixels, log variances, and losses. What is left is
# nearly all of the work: the multiplications in the layers.

# %% tags=["claim"]
assert float(tf.cast(1.0 + 1 / 512, tf.bfloat16)) == 1.0 and float(tf.cast(1e-8, tf.bfloat16)) > 0
assert float(tf.cast(1e-8, tf.float16)) == 0 and np.isinf(float(tf.cast(70_000.0, tf.float16)))

# %% [markdown]
# So build the networks of lesson 06 in either type, from the same weights, and compare what they make of eight avatars.
# (With `training=True` batch normalisation takes the statistics of these eight; an untrained network has no others.)

# %%
avatars = data.load_cartoonset(download=None, limit=300)
plots.label_source(avatars)
print(avatars)
images = avatars.train_images[: budget.images]


def build(number_type, latent_dim=200):
    runtime.set_seed()
    with precision.using(number_type):
        encoder, decoder = networks.avatar_vae_networks(latent_dim)
    prior = models.standard_normal(latent_dim)
    return models.VAE(models.posterior_of(encoder), models.calibrated_gaussian_of(decoder), prior)


vaes = {number_type: build(number_type) for number_type in ("float32", "bfloat16")}
pixels = {
    name: vae.decoder(vae.encoder(data.to_float(images[:8]), training=True).mean(), training=True).mean()
    for name, vae in vaes.items()
}
difference = np.abs(pixels["bfloat16"] - pixels["float32"])
print(f"standard deviation of a pixel {np.std(pixels['float32']):.3f}")
print(f"the types differ by {difference.mean():.4f} on average, {difference.max():.3f} at most")

# %% tags=["claim"]
for name, vae in vaes.items():
    assert all(weight.dtype == tf.float32 for weight in vae.trainable_weights) and pixels[name].dtype == tf.float32
assert 0.0002 < difference.mean() < 0.05 * np.std(pixels["float32"]) and difference.max() < 0.1

# %% [markdown]
# One grey level is 0.004: the difference cannot be seen. How much faster it is depends on the machine: without hardware
# for bfloat16 it is slower, and `benchmarks/README.md` has numbers for one that has it. `precision.using("auto")`,
# which the lesson takes, measures first, and keeps float32 unless another type wins clearly.

# %% [markdown]
# ## Cut a training off, and go on
#
# A Colab session can end at any moment. `fit` takes a folder for checkpoints, and finds its way back from there by
# itself. The batches of step 300 depend on the seed and on the number 300, not on what was drawn before, and so does
# the noise of the reparameterization. So a training that is cut off and continued ends with the same weights. Try it:
# one run goes through, the other is interrupted after its third step.


# %%
class Interruption(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 2:
            raise KeyboardInterrupt


def short_training(folder=None, callbacks=None):
    model = build("float32", latent_dim=8)
    options = {"checkpoints": folder, "checkpoint_every": 2, "callbacks": callbacks}
    training.fit(model, images[:24], epochs=2, peak_rate=1e-3, batch_size=8, **options)
    return model.get_weights()


through = short_training()
with tempfile.TemporaryDirectory() as folder:
    try:
        short_training(folder, [Interruption()])
    except KeyboardInterrupt:
        print("interrupted; in the folder:", *sorted(path.name for path in Path(folder).iterdir()))
    newest = max(Path(folder).iterdir())
    print("in", newest.name + ":", *sorted(path.name for path in newest.iterdir()))
    resumed = short_training(folder)
    try:
        training.fit(
            build("float32", latent_dim=9), images[:24], epochs=2, batch_size=8, peak_rate=1e-3, checkpoints=folder
        )
    except ValueError as error:
        refusal = str(error).replace(folder, "the folder")
print("with nine latent dimensions:", refusal[:98], "...")

# %% tags=["claim"]
assert all(np.array_equal(one, other) for one, other in zip(through, resumed, strict=True))
assert "another training" in refusal

# %% [markdown]
# On one CPU device that is equality to the last bit. GPUs add in an order of their own, so there the last digits differ.
#
# A checkpoint is more than the weights. Adam has two running means for each weight, the schedule has a step number, and
# the history has its past. Each checkpoint is a folder that gets its name when it is complete, and the last two are
# kept: if the machine dies while one is written, the other is whole. And a training with other settings is refused, not
# continued.
#
# The same training runs from a terminal, with a progress bar, logs for TensorBoard and everything in one folder:
#
# ```
# python -m course_utils.train --help
# python -m course_utils.train --data auto --epochs 60 --resume runs/avatars
# ```
#
# Kill it and type the second line again. On several GPUs add `--strategy mirrored`: each gets a share of every batch, and
# the gradients are averaged.
#
# ## See why the whole model is another matter
#
# When the training is over, what is worth keeping is a list of arrays. `save_weights` writes them; to load, build the
# model again from its source, as lesson 04 does. `model.save` wants to write the program as well. Try it, with an
# encoder whose last layer is a function of your own, and with a layer that holds a prior:


# %%
def to_posterior(parameters):
    loc, log_sd = tf.split(parameters, 2, axis=-1)
    return tfd.MultivariateNormalDiag(loc, tf.exp(log_sd))


def small_encoder(*more):
    return keras.Sequential([keras.Input((12,)), layers.Dense(4), tfpl.DistributionLambda(to_posterior), *more])


# On its way to the arrays, Keras looks at each layer's settings and warns of TFP's own lambdas. It does not write them.
warnings.filterwarnings("ignore", message="The object being serialized includes a `lambda`")
folder = tempfile.TemporaryDirectory()
file = Path(folder.name) / "encoder.keras"
attempts = {
    "save a model with KLDivergenceAddLoss": lambda: small_encoder(
        tfpl.KLDivergenceAddLoss(models.standard_normal(2))
    ).save(Path(folder.name) / "vae.keras"),
    "save the encoder": lambda: small_encoder().save(file),
    "load the encoder": lambda: keras.models.load_model(file),
}
outcome = {}
for name, attempt in attempts.items():
    try:
        attempt()
        outcome[name] = "works"
    except (NotImplementedError, ValueError) as error:
        outcome[name] = f"{type(error).__name__}: {' '.join(str(error).split())[:95]} ..."
    print(f"{name:38s}{outcome[name]}")

# %% [markdown]
# The first refuses, since the layer cannot write down a prior. The second writes, and the file cannot be read back. What
# it wrote for the function `to_posterior` is its bytecode, in a pickle. A pickle is a program that runs when it is
# opened. You can look at one without opening it:

# %%
config = json.loads(zipfile.ZipFile(file).read("config.json"))
pickled = config["config"]["layers"][-1]["config"]["make_distribution_fn"]
instructions = [(opcode.name, argument) for opcode, argument, _ in pickletools.genops(base64.b64decode(pickled))]
calls = [name for name, _ in instructions].count("REDUCE")
words = [argument for name, argument in instructions if name == "SHORT_BINUNICODE"]
print(f"{len(instructions)} instructions, {calls} of them call a function; the first words: {', '.join(words[:4])}")

# %% [markdown]
# So `load_model` is right to refuse, and its message offers `safe_mode=False`. Do not take the offer for a file that you
# did not write yourself. Even for your own it is a poor archive, because bytecode belongs to one version of Python.
# Weights in a file and the program in version control have neither problem.

# %% tags=["claim"]
assert outcome["save a model with KLDivergenceAddLoss"].startswith("NotImplementedError")
assert outcome["save the encoder"] == "works" and outcome["load the encoder"].startswith("ValueError")
assert calls > 0 and "CodeType" in words and "to_posterior" in words
small_encoder().save_weights(Path(folder.name) / "encoder.weights.h5")
assert pickled[:60].encode() not in (Path(folder.name) / "encoder.weights.h5").read_bytes()
folder.cleanup()

# %% [markdown]
# ### Open problem
#
# The training above is the same to the last bit because nothing in it depends on what was drawn before. Which of these
# would break that, and how would you mend it: an image that is flipped at random; a KL whose weight grows with the
# step; a test set that is shuffled anew for each evaluation?

# %% [markdown]
# ## In this notebook we saw
#
# - In a convolutional VAE the dense layers have the weights, and the convolutions have the work.
# - bfloat16 keeps the range of float32 and two to three digits: enough for the products in a layer, not for weights and sums.
# - A training that depends on seed and step alone can be cut off and continued to the same weights.
# - A saved program runs when it is opened. Save weights, and keep the program in version control.
#
# Back to [lesson 06](06_cartoon_set.ipynb).

# %% [markdown]
# ## Test yourself
#
# Run the cell and click on an answer: it tells you whether it is right, and why.

# %% tags=["self-test"]
selftest.ask("A4")

# %% [markdown]
# ## Sources and further reading
#
# - P. Micikevicius and others, [Mixed Precision Training](https://arxiv.org/abs/1710.03740), 2018.
# - D. Kalamkar and others, [A Study of BFLOAT16 for Deep Learning Training](https://arxiv.org/abs/1905.12322), 2019.
# - The documentation of Python's [pickle](https://docs.python.org/3/library/pickle.html), with its warning in red.
# - Cartoon Set, [google.github.io/cartoonset](https://google.github.io/cartoonset/), Google LLC, CC BY 4.0: the avatars.
