# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 00 · Start here
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/vae-course/vae-course/blob/main/notebooks/00_start_here.ipynb)
#
# ![Film: a grid of uniform grey turns into a landscape of garments as a VAE trains](figures/05_training.gif)
#
# This course teaches variational autoencoders from the first autoencoder to a model of 256x256 colour faces. You see
# the film above come into being in lesson 05, on your own machine.

# %% [markdown]
# **You will do**
# - find out in less than a minute what works on this machine: versions, device, data, budget;
# - train a first small network on garments, to see that all parts fit together.
#
# **You will learn** how the lessons are built, and how to study, teach or use them in Colab.
#
# **You need** Python, a little linear algebra and probability, and some Keras. No GPU. Words are explained in the
# [glossary](../site/glossary.md).
#
# **Time:** about half a minute at every budget.

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

budget = runtime.start("00")

# %% [markdown]
# Every lesson begins with this cell, folded. It installs the course where it is missing, on Colab, and prints three
# lines: the versions, the device with the seed, and the *budget*. The budget decides how long a lesson trains:
#
# | budget | for | how long |
# |---|---|---|
# | `smoke` | tests: everything runs, little is learnt | one to four minutes a lesson |
# | `laptop` | two cores, no GPU (the default without one) | about 5 minutes a lesson or less, lesson 06 12 to 20 |
# | `full` | a GPU (the default with one) | the published numbers of epochs |
#
# To choose another one, set the environment variable `COURSE_BUDGET` before Jupyter starts.
#
# ## Check the device
#
# TensorFlow multiplies two matrices on the device, in 32 bits, and NumPy the same two on the processor, in 64. The
# entries of the product have a standard deviation of 32, and a CPU gets them right to a thousandth. (A GPU may round its
# inputs to fewer bits, and is then off in the second decimal: enough for training.)

# %%
import numpy as np
import tensorflow as tf
import tf_keras as keras

from course_utils import data, networks, plots

first, second = tf.random.normal((2, 1000, 1000))
exact = first.numpy().astype(np.float64) @ second.numpy().astype(np.float64)
difference = np.abs(tf.matmul(first, second).numpy() - exact).max()
print(f"largest difference between the device and NumPy in 64 bits: {difference:.1e}")
print("bfloat16 in hardware:", "yes" if runtime.has_bfloat16() else "no")

# %% tags=["claim"]
assert 30 < exact.std() < 34
assert difference < (0.5 if tf.config.list_physical_devices("GPU") else 1e-3)

# %% [markdown]
# ## Find the data
#
# The course looks in the folder named by `COURSE_DATA_DIR`, then in its cache, then on the network. Without any of them
# it draws images in code, so that you can work on a train. Every figure made from drawn images says so in its corner.

# %%
fashion = data.load_fashion_mnist()
digits = data.load_mnist()
print(fashion)
print(digits)

# %% alt="Ten garments and ten digits, one of each class"
plots.label_source(fashion)
first = [[int(np.flatnonzero(images.test_labels == label)[0]) for label in range(10)] for images in (fashion, digits)]
plots.compare_rows(
    {"garments": fashion.test_images[first[0]], "digits": digits.test_images[first[1]]},
    fashion.class_names,
    title="The two image sets of lessons 01 to 05",
)

# %% tags=["claim"]
for images in (fashion, digits):
    assert images.train_images.dtype == np.uint8 and images.train_images.shape[1:] == (28, 28, 1)
    assert len(images.train_images) == len(images.train_labels) and len(images.class_names) == 10
    assert np.array_equal(np.unique(images.test_labels), np.arange(10))
    assert images.train_images.max() == 255 and 0.05 < images.train_images.mean() / 255 < 0.5  # bright on dark

# %% [markdown]
# If garments or digits were drawn and you have a network, run this notebook again once you are connected: about 42 MB
# come down once and stay in the cache.
#
# ## Train something
#
# One small autoencoder squeezes a garment through 32 numbers. Lesson 01 explains it; here it only has to learn.

# %%
images = data.to_float(fashion.train_images[: budget.images])
held_out = data.to_float(fashion.test_images[:1000])
encoder, decoder = networks.dense_autoencoder_networks(latent_dim=32, activation="linear")
autoencoder = keras.Sequential([encoder, decoder])
autoencoder.compile(keras.optimizers.Adam(5e-3, jit_compile=False), loss="mse")

before = autoencoder.evaluate(held_out, held_out, verbose=0)
autoencoder.fit(images, images, batch_size=64, epochs=budget.epochs, verbose=0)
after = autoencoder.evaluate(held_out, held_out, verbose=0)
print(f"mean squared error of a pixel on held-out images: {before:.4f} before, {after:.4f} after")

# %% alt="Ten held-out garments above their reconstructions"
plots.compare_rows(
    {"held-out": held_out[:10], "through 32 numbers": autoencoder.predict(held_out[:10], verbose=0)},
    title="It learns: this machine is ready",
)

# %% [markdown]
# The error falls to less than a third. If the next cell passes, everything that the course needs works here.

# %% tags=["claim"]
assert after < before / 3
print("ready")

# %% [markdown]
# ## Read the map
#
# | lesson | question | at `laptop` |
# |---|---|---|
# | 00 Start here | what works on this machine? | half a minute |
# | [01 The vanilla autoencoder](01_autoencoder.ipynb) | what does a code keep, and why can it not generate? | 4 minutes |
# | [02 KL divergence](02_kl_divergence.ipynb) | how far is one distribution from another, and in which direction? | 2 minutes |
# | [03 Reparameterization](03_reparameterization.ipynb) | how does a gradient pass a draw? | 2 minutes |
# | [04 The TFP VAE](04_tfp_vae.ipynb) | how do you build one that you can trust? | 3 minutes |
# | [05 A VAE on Fashion-MNIST](05_fashion_mnist_vae.ipynb) | what does it learn, and when? | 4 minutes |
# | [06 Cartoon Set](06_cartoon_set.ipynb) | does it scale to 256x256 in colour? | 12 to 20 minutes |
# | [07 How good is my VAE?](07_how_good.ipynb) | which numbers can you trust? | 5 minutes |
# | [A1 TFP's parts taken apart](A1_tfp_parts.ipynb) | appendix: what is inside TFP's bijectors and variables? | half a minute |
#
# Take them in order. Lessons 02 and 03 need no images and can be read in either order.
#
# ## How to work with it
#
# - **Studying alone:** read a section, predict the picture, run the cell. Cells with assertions in them are claims:
#   change the code above and see which claim breaks.
# - **Teaching:** run all cells before class. The stored outputs are those of the `laptop` budget on real data, so a
#   projector without a network shows them too. There are [slides](../slides/README.md), handouts without the solutions,
#   and a [teaching guide](../teaching/README.md).
# - **In Colab:** open a lesson with its badge and choose *Runtime, Run all*. The set-up cell installs the course beside
#   Colab's TensorFlow. With a GPU the budget becomes `full`. Lesson 06 trains long enough to be cut off: mount your
#   Drive first, and its checkpoints go there.
#
# Exercises come with a check that tells you what is wrong with an answer. Solutions stand at the end of the lesson,
# collapsed (handouts come without them). After lesson 07, take one thing and change it: a data set of your own in place
# of the garments, a prior of two normals, a likelihood for colours. The asserts tell you what no longer holds.
#
# ## In this notebook we saw
#
# - which versions, device and budget are in force, and how to change the budget;
# - where the images come from;
# - that a network trains here.
#
# Next: [lesson 01](01_autoencoder.ipynb).
