# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A5 · Labels, and images of your own
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/vae-course/vae-course/blob/main/notebooks/A5_labels_and_own_images.ipynb)
#
# ![Five rows of digits from five codes, ten columns for the ten labels: in each column one digit, in each row one hand](figures/A5_labels.png)
#
# A VAE draws what it likes. Give it the label of each image, and you can ask for a seven. And give it a folder of your
# own in place of digits: one line changes. This appendix does both.

# %% [markdown]
# **You will do**
# - write a conditional VAE, with a label beside the image and beside the code;
# - ask one code for all ten digits;
# - measure what the label is worth in the decoder, and what it is worth in the encoder;
# - train on a folder of pictures of any size and format, made here in code, and then on yours.
#
# **You will learn**
# - which bound a conditional VAE has, and what a label costs;
# - whether the label has to go into both networks;
# - what stays in the code when the label says the rest.
#
# **You need** lesson [05](05_fashion_mnist_vae.ipynb), or a VAE that you have trained yourself. Words are explained
# in the [glossary](../site/glossary.md).
#
# **Time:** about four minutes of computing at the `laptop` budget on two cores, and one hour of study.

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

budget = runtime.start("A5")

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras as keras
from PIL import Image, ImageDraw
from sklearn.neighbors import KNeighborsClassifier

from course_utils import data, metrics, models, networks, plots, selftest, training

tfd, layers = tfp.distributions, keras.layers

# %% [markdown]
# ## Load digits with their labels
#
# As in lesson 04 the digits are cut at one half. A label becomes a row of ten numbers, a one among nine zeros, so that a
# network can take it as an input.

# %%
mnist = data.load_mnist()
plots.label_source(mnist)
print(mnist)

train_images, train_labels = mnist.train_images[: budget.images], mnist.train_labels[: budget.images]
epochs = budget.epochs * (budget.images // len(train_images))  # the drawn set is smaller: pass over it more often
test_images, test_labels = data.binarise(mnist.test_images), mnist.test_labels
print("label", test_labels[0], "as a row:", tf.one_hot(test_labels[0], 10).numpy())

# %% [markdown]
# ## Give both networks a second input
#
# The encoder sees an image and a row for the label, the decoder a code and such a row. `Concatenate` puts the ten numbers
# beside the others. Everything else is a VAE with dense layers.

# %%
latent_dim = 2


def build_networks():
    image, label = keras.Input((28, 28, 1)), keras.Input((10,))
    hidden = layers.Concatenate()([layers.Flatten()(image), label])
    for _ in range(2):
        hidden = layers.Dense(256, activation="relu")(hidden)
    encoder = keras.Model([image, label], layers.Dense(2 * latent_dim)(hidden))

    z, label = keras.Input((latent_dim,)), keras.Input((10,))
    hidden = layers.Concatenate()([z, label])
    for _ in range(2):
        hidden = layers.Dense(256, activation="relu")(hidden)
    return encoder, keras.Model([z, label], layers.Reshape((28, 28, 1))(layers.Dense(784)(hidden)))


# %% [markdown]
# With the label $y$ given, every term of the bound is conditional on it, and the prior stays what it was:
#
# $$\log p(x|y) \;\ge\; \mathbb{E}_{q(z|x,y)}[\log p(x|z,y)] - \mathrm{KL}(q(z|x,y) \,\|\, p(z)).$$
#
# A network that should not know the label gets a row of zeros in its place. So all models below have the same layers, the
# same number of weights, and, from the same seed, the same weights to start with.


# %%
class ConditionalVAE:
    def __init__(self, label_in_encoder, label_in_decoder):
        self.encoder, self.decoder = build_networks()
        self.to_encoder, self.to_decoder = float(label_in_encoder), float(label_in_decoder)
        self.prior = tfd.MultivariateNormalDiag(tf.zeros(latent_dim))

    def posterior(self, images, labels):
        label = self.to_encoder * tf.one_hot(labels, 10)
        mean, log_variance = tf.split(self.encoder([images, label]), 2, axis=-1)
        return tfd.MultivariateNormalDiag(mean, tf.exp(0.5 * log_variance))

    def likelihood(self, z, labels):
        logits = self.decoder([z, self.to_decoder * tf.one_hot(labels, 10)])
        return tfd.Independent(tfd.Bernoulli(logits=logits), reinterpreted_batch_ndims=3)

    def terms(self, images, labels):
        """-log p(x|z,y) at one drawn z, and the KL: two numbers an image, in nats."""
        posterior = self.posterior(images, labels)
        z = posterior.sample()
        return -self.likelihood(z, labels).log_prob(images), tfd.kl_divergence(posterior, self.prior)


# %%
def train(seed, label_in_encoder, label_in_decoder, batch_size=128):
    keras.utils.set_random_seed(seed)
    vae = ConditionalVAE(label_in_encoder, label_in_decoder)
    batches = data.batches(
        train_images, batch_size, seed, labels=train_labels, transform="binarise", drop_remainder=True
    )
    steps = epochs * (len(train_images) // batch_size)
    optimizer = keras.optimizers.Adam(training.warmup_cosine(2e-3, steps), jit_compile=False)
    variables = vae.encoder.trainable_variables + vae.decoder.trainable_variables
    optimizer.build(variables)

    @tf.function
    def train_step(images, labels):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.add_n(vae.terms(images, labels)))
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    for images, labels in batches.repeat(epochs):
        train_step(images, labels)
    return vae


conditional = train(0, label_in_encoder=True, label_in_decoder=True)
reconstruction, kl = (tf.reduce_mean(term) for term in conditional.terms(test_images, test_labels))
print(f"-ELBO given the label {reconstruction + kl:.1f} = {reconstruction:.1f} + KL {kl:.1f} nats per image")

# %% [markdown]
# ## Ask one code for ten digits
#
# Draw five codes from the prior, and decode each with every label:

# %% tags=["front-labels"] alt="Five rows of digits from five codes, ten columns for the ten labels. In each column one digit; along a row they share their slant and the width of their strokes"
z = conditional.prior.sample(5, seed=3)
grid = conditional.likelihood(tf.repeat(z, 10, axis=0), tf.tile(tf.range(10), [5])).mean().numpy()
rows = {f"code {number + 1}": grid[10 * number : 10 * number + 10] for number in range(5)}
plots.compare_rows(rows, mnist.class_names, title="The label chooses the digit, the code its hand")
plt.show()

# %% [markdown]
# Is it a seven because you asked for one? Let a judge decide that has seen only real images: a vote of the five nearest
# training images. It must first prove itself on the test images.

# %%
reference = data.binarise(train_images[:5000]).reshape(-1, 784)
judge = KNeighborsClassifier(5).fit(reference, train_labels[: len(reference)])
asked = np.tile(np.arange(10), 50)
answers = data.binarise(conditional.likelihood(conditional.prior.sample(500, seed=4), asked).mean().numpy())
as_asked = np.mean(judge.predict(answers.reshape(500, -1)) == asked)
on_test = judge.score(test_images[:1000].reshape(-1, 784), test_labels[:1000])
print(f"the judge names the class of {on_test:.0%} of the test images, and of {as_asked:.0%} of the digits asked for")

# %% tags=["claim"]
assert as_asked > (on_test - 0.05 if budget.name != "smoke" else 0.4)

# %% [markdown]
# ## Does the label go into both networks?
#
# Learners ask this, and tutorials differ. **Predict, then run.** Three models, the same networks, the same batches, the
# same number of steps: no label at all; a label for the decoder alone; a label for both. Which of the two steps is worth
# more nats? One training is an anecdote, so each model is trained from several seeds.

# %%
wirings = {"no label": (False, False), "label in the decoder": (False, True), "label in both": (True, True)}
bounds, parts, trained = {}, {}, {}
for name, wiring in wirings.items():
    models_of_seeds = [train(seed, *wiring) for seed in range(budget.seeds)]
    terms = np.array([[np.mean(term) for term in vae.terms(test_images, test_labels)] for vae in models_of_seeds])
    bounds[name], parts[name], trained[name] = terms.sum(axis=1), terms.mean(axis=0), models_of_seeds[0]


def mean_and_error(values):
    return np.mean(values), np.std(values, ddof=1) / len(values) ** 0.5


for name, values in bounds.items():
    mean, error = mean_and_error(values)
    print(f"{name:22s} -ELBO {mean:6.1f} +- {error:.1f}, of which KL {parts[name][1]:.1f} nats per image")
in_decoder = mean_and_error(bounds["no label"] - bounds["label in the decoder"])
in_encoder = mean_and_error(bounds["label in the decoder"] - bounds["label in both"])
print("the label in the decoder saves {:.1f} +- {:.1f} nats per image".format(*in_decoder))
print("in the encoder as well, it saves {:.1f} +- {:.1f} more".format(*in_encoder))

# %% [markdown]
# In the decoder the label is worth more than a tenth of the bill. Put into the encoder as well, it changes nothing that
# four trainings could detect: the difference is smaller than its standard error. A likely reason: the encoder can read
# the digit off the image, and the decoder has nobody else to tell it. So the label belongs in the decoder. In the
# encoder it is right by the formula, costs next to nothing, and may help where the label says what the image does not
# show. Try garments: `data.load_fashion_mnist()` in the first cell, some of whose classes look alike.

# %% tags=["claim"]
assert in_decoder[0] > (15 if budget.name != "smoke" else 5)
assert abs(in_encoder[0]) < (0.2 if budget.name != "smoke" else 0.5) * in_decoder[0]
if budget.name == "laptop" and mnist.is_real:
    assert abs(in_encoder[0]) < 3 * in_encoder[1], "the label in the encoder: within the noise of four trainings"

# %% [markdown]
# > **A common mistake.** The numbers of the first row and of the others are bounds of *different* quantities, of $\log p(x)$
# > and of $\log p(x|y)$. Whoever is told the label has already been told something. To name one of ten equally frequent classes
# > costs $\ln 10 = 2.30$ nats, so add them before you compare: $-\log p(x, y) = -\log p(x|y) + \ln 10$. A model without a bottleneck could save no more than those 2.3 nats through the label. Here two numbers are a narrow code, and the label is a
# > third one.
#
# ## Look at what is left for the code
#
# If the label says which digit it is, the code need not. Take the codes of test images, and let the nearest codes vote
# on the class, as in lesson 04:

# %% alt="Codes of 5,000 test images in the plane, coloured by class. Without a label the classes lie in regions; with a label in both networks they lie on top of each other"
found = {}
figure, axes = plt.subplots(1, 2, figsize=(13, 6.2))
for axis, name in zip(axes, ("no label", "label in both"), strict=True):
    codes = trained[name].posterior(test_images[:5000], test_labels[:5000]).mean().numpy()
    half = len(codes) // 2
    found[name] = (
        KNeighborsClassifier(15).fit(codes[:half], test_labels[:half]).score(codes[half:], test_labels[half:5000])
    )
    title = f"{name}: the class is found from {found[name]:.0%} of the codes"
    plots.latent_plane(axis, codes, test_labels[:5000], mnist.class_names, title, name_classes=name == "no label")
plt.show()

# %% [markdown]
# Without a label the plane is divided among the classes. With one, each class has the whole plane to itself, and the code
# says how a digit is written.

# %% tags=["claim"]
assert found["no label"] > 0.35 and found["label in both"] < 0.75 * found["no label"]

# %% [markdown]
# ## Train on a folder of your own
#
# First we need a folder of the kind that people have: pictures of all sizes and shapes, photographs in JPEG and
# downloads in WebP. Here postcards of one place are drawn in code: the hour, the place of the sun and the hill differ,
# and so do the sizes.


# %%
def postcard(generator):
    """A sky at some hour of the day, a sun and a hill, in any size that is not square."""
    height = int(generator.integers(70, 150))
    width = height + int(generator.integers(20, 80))
    hour, across, slope = generator.random(3)
    high, low = (
        np.array([60, 120, 220]) * (1 - 0.6 * hour),
        np.array([230 - 60 * hour, 200 - 130 * hour, 190 - 110 * hour]),
    )
    down = np.linspace(0, 1, height)[:, None, None]
    sky = np.broadcast_to((1 - down) * high + down * low, (height, width, 3))
    picture = Image.fromarray(sky.astype(np.uint8))
    pen, radius = ImageDraw.Draw(picture), 0.12 * height
    x, y = (0.2 + 0.6 * across) * width, (0.15 + 0.5 * hour) * height
    pen.ellipse(
        [x - radius, y - radius, x + radius, y + radius], fill=(255, 240 - int(90 * hour), 150 - int(90 * hour))
    )
    left, right = (0.55 + 0.35 * slope) * height, (0.9 - 0.35 * slope) * height
    pen.polygon([(0, left), (width, right), (width, height), (0, height)], fill=(40, 90 - int(40 * hour), 60))
    return picture


folder = Path(f"build/postcards-{budget.name}")
folder.mkdir(parents=True, exist_ok=True)
generator, sizes = np.random.default_rng(runtime.SEED), []
for number in range(budget.postcards):
    picture, path = postcard(generator), folder / f"{number:04d}.{('jpg', 'webp')[number % 2]}"
    sizes.append(picture.size)
    if not path.exists():
        picture.save(path)
print(f"{len(sizes)} pictures of {len(set(sizes))} sizes, half of them JPEG, half WebP")

# %% [markdown]
# This is the line that you change. `load_folder` takes every picture in the folder, crops it to its middle square and
# scales it; `fit="pad"` keeps all of it, with white beside it. What cannot be read is listed in `mine.left_out`, with
# the reason.

# %%
mine = data.load_folder(folder, size=64)  # your folder here, for instance "/content/drive/MyDrive/photographs"
print(mine)

# %% [markdown]
# The networks follow the shape of an image: as many halvings as it needs, grey or colour. The code has four numbers, as
# many as the things in which these postcards differ. And as lesson 06 explains, the noise level of the pixels is left
# to the data.

# %%
encoder, decoder = networks.image_vae_networks(mine.train_images.shape[1:], latent_dim=4)
vae = models.VAE(models.posterior_of(encoder), models.calibrated_gaussian_of(decoder), models.standard_normal(4))
history = training.fit(vae, mine.train_images, epochs=budget.postcard_epochs, peak_rate=2e-3, batch_size=16)

held_out = data.to_float(mine.test_images[:])
rebuilt = vae.decoder(vae.encoder(held_out).mean()).mean().numpy()
posterior = vae.encoder(data.to_float(mine.train_images[:]))
covariance = np.cov(posterior.mean().numpy().T) + np.diag(np.mean(posterior.variance(), axis=0))
center = np.mean(posterior.mean(), axis=0)
fitted = tfd.MultivariateNormalTriL(center, np.linalg.cholesky(covariance).astype(np.float32))  # as in lesson 06
draws = [vae.decoder(density.sample(8, seed=5)).mean().numpy() for density in (vae.prior, fitted)]
mean_image = data.to_float(mine.train_images[:]).mean(axis=0)
decibels = metrics.psnr(rebuilt, held_out), metrics.psnr(np.broadcast_to(mean_image, held_out.shape), held_out)
print("held-out pictures: {:.1f} dB, and {:.1f} dB for the mean picture".format(*decibels))

# %% alt="Four rows of postcards: eight held-out originals; their reconstructions with the same sun, hill and hour; draws from the prior; and draws from a Gaussian fitted to the codes, which are other postcards of the same kind"
plots.compare_rows(
    {"held out": held_out[:8], "reconstruction": rebuilt[:8], "prior": draws[0], "fitted": draws[1]},
    title="A folder of pictures: originals, reconstructions, and new ones",
    size=1.35,
)
plt.show()

# %% [markdown]
# With a folder of yours, look at the first two rows before you judge the others. If the reconstructions lack what you
# care for, train longer, or give the code more numbers. The last two rows come from one decoder, asked in two places:
# lesson 06 explains why a calibrated model has to be asked where its codes are. Even there it draws two suns now and
# then. And mind how many pictures you have: a few hundred teach what they have in common, not every detail.

# %% tags=["claim"]
assert len(set(sizes)) > 50 and all(width != height for width, height in sizes)
assert decibels[0] > decibels[1] + (8 if budget.name != "smoke" else 1)

# %% [markdown]
# ### Open problem
#
# Half of your labels are missing. A model that is told a label for some images and has to guess it for the others needs
# a distribution over labels, $q(y|x)$, and a bound in which the label is summed out. Start from Kingma and others,
# 2014, below; the encoder that you have here, with and without its label, gives two of the three networks.

# %% [markdown]
# ## In this notebook we saw
#
# - A conditional VAE is a VAE with the label beside the image and beside the code. Its bound is one of $\log p(x|y)$.
# - The label has to go into the decoder: there it saved about 25 nats an image. In the encoder as well, it
#   changed nothing that we could measure on digits.
# - The code then holds what the label does not say.
# - A folder of pictures of any format and size becomes a data set in one line, and the networks follow its shape.
#
# Back to [lesson 05](05_fashion_mnist_vae.ipynb), or on to [lesson 06](06_cartoon_set.ipynb).

# %% [markdown]
# ## Test yourself
#
# Run the cell and click on an answer: it tells you whether it is right, and why.

# %% tags=["self-test"]
selftest.ask("A5")

# %% [markdown]
# ## Sources and further reading
#
# - K. Sohn, H. Lee, X. Yan, [Learning Structured Output Representation using Deep Conditional Generative
#   Models](https://papers.nips.cc/paper/5775-learning-structured-output-representation-using-deep-conditional-generative-models),
#   2015: the conditional VAE.
# - D. P. Kingma, D. J. Rezende, S. Mohamed, M. Welling, [Semi-Supervised Learning with Deep Generative
#   Models](https://arxiv.org/abs/1406.5298), 2014: few labels.
# - Pyro's tutorials on the [conditional](https://pyro.ai/examples/cvae.html) and on the
#   [semi-supervised](https://pyro.ai/examples/ss-vae.html) VAE.
# - Y. LeCun, C. Cortes, C. J. C. Burges, MNIST: the digits.
