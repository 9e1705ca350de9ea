# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 06 · Avatars at 256x256: a VAE with 200 latent dimensions
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/vae-course/vae-course/blob/main/notebooks/06_cartoon_set.ipynb)
#
# ![A walk from one avatar to another: hair, skin and glasses change on the way](figures/06_walk.gif)
#
# Everything so far fitted into a corner of your memory. These images do not: 196,608 numbers each, and up to a hundred
# thousand of them. The formulas stay the same. What changes is which constants you can get away with, and where the data
# live.

# %% [markdown]
# **You will do**
# - train a VAE on 256x256 colour avatars that stay on disk;
# - put the published loss beside a calibrated one, and generate from both;
# - add glasses to a face, change its hair colour, and walk from one avatar to another.
#
# **You will learn**
# - what a factor of 1000 in front of the squared error claims about an image of this size;
# - why good reconstructions and bad draws go together, and what to do about it;
# - how to test that a direction in latent space means what you think it means.
#
# **You need** lesson [05](05_fashion_mnist_vae.ipynb), or a VAE that you have trained yourself.
#
# **Time:** about ten minutes of computing at the `laptop` budget on two cores, and two hours of study. `full`
# downloads 10,000 avatars (450 MB) and wants a
# GPU.

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

budget = runtime.start("06")

# %%
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
import tf_keras as keras
from matplotlib_inline.backend_inline import set_matplotlib_formats
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.neighbors import NearestNeighbors

from course_utils import animation, checks, data, drawn, metrics, models, networks, plots, precision, selftest, training

set_matplotlib_formats("jpeg", pil_kwargs={"quality": 82})  # as PNG the pictures would take five times the space
tfd, layers = tfp.distributions, keras.layers
rng = np.random.default_rng(runtime.SEED)

# %% [markdown]
# ## Meet the avatars
#
# The course looks for Cartoon Set in your data folder, then in its cache. If there is none, it draws avatars in code; only
# the `full` budget downloads (450 MB, once). What it finds is put on white, scaled to 256x256 once, and kept on disk as
# raw pixels. Training reads one batch at a time from there.

# %% tags=["claim"]
download = f"{budget.download_thousands}k" if budget.download_thousands else None
avatars = data.load_cartoonset(download=download, limit=budget.images)
plots.label_source(avatars)
print(avatars)

train_images, test_images = avatars.train_images, avatars.test_images
print(train_images)
assert train_images.shape[1:] == (256, 256, 3) and train_images.dtype == np.uint8
assert not set(avatars.train) & set(avatars.test)
assert 0.05 < len(test_images) / len(avatars.images) < 0.15

# %% [markdown]
# A tenth of the images is held out, and every number of quality below is taken on that tenth. Which images those are
# follows from their file names, so a larger download does not mix the two.

# %% alt="Forty avatars in four rows, with many hair styles, skin tones, glasses and beards"
plots.show_images(test_images[:40], columns=10, size=1.25, title="Forty of the avatars that no model here trains on")

# %% [markdown]
# An avatar of this kind is a handful of choices. Here they are, drawn in code: one base face, and under each title the
# same face with that one factor changed. Ten are about artwork, four about colour, four about proportions.

# %% alt="One drawn face and eighteen variants of it, each differing in one factor such as hair, glasses or eye colour"
base = {name: 0 for name in drawn.AVATAR_FACTORS} | {"hair": 2, "hair_color": 2, "face_color": 3, "eye_color": 3}
changed = [drawn.avatar(base)]
for name, categories in drawn.AVATAR_FACTORS.items():
    with_glasses = {"glasses": 2} if name == "glasses_color" else {}
    changed.append(drawn.avatar(base | with_glasses | {name: (base[name] + len(categories) // 2) % len(categories)}))
titles = ["base", *(name.replace("_", " ") for name in drawn.AVATAR_FACTORS)]
plots.show_images(np.stack(changed), titles, columns=7, size=1.75, title="One factor changed at a time, drawn in code")

# %% [markdown]
# Multiply the numbers of categories and you get the number of different avatars. The information in one is at most the
# logarithm of that:

# %% tags=["claim"]
categories = np.array([len(values) for values in drawn.AVATAR_FACTORS.values()])
print(f"{len(categories)} factors, {np.prod(categories, dtype=float):.1e} avatars, {np.log(categories).sum():.0f} nats")
assert len(categories) == 18
assert abs(np.log(categories).sum() - 28) < 0.5

# %% [markdown]
# At most 28 nats are needed to say which of the drawn avatars you mean.

# %% [markdown]
# ## Compute what "times 1000" claims
#
# The published loss is $1000\,\mathrm{MSE} + \mathrm{KL}$, on 28x28 and on 256x256 alike. Lesson 05 read the constant
# as a choice of variance: $D / (2\sigma^2) = 1000$. Now $D$ has grown by a factor of 251, and the variance with it.

# %% tags=["claim"]
for name, shape in {"Fashion-MNIST": (28, 28, 1), "Cartoon Set": (256, 256, 3)}.items():
    pixels = np.prod(shape)
    variance = pixels / 2000
    print(f"{name:14s} D = {pixels:7,d}   variance {variance:7.3f}   standard deviation {variance**0.5:5.2f}")

dimensions = int(np.prod(train_images.shape[1:]))
published_variance = dimensions / 2000
assert dimensions == 196_608
np.testing.assert_allclose(published_variance, 98.304)

# %% [markdown]
# Pixels run from 0 to 1. A decoder with a standard deviation of 9.9 says that a pixel it believes to be grey may as well
# come out ten times brighter than white. You can look at it: add noise of that size to an avatar, as the model believes
# a camera would.

# %% alt="An avatar without noise, with noise of 0.13, of 0.63 and of 9.9; the face is gone in the last"
face = data.to_float(test_images[:1])[0]
noise = {"no noise": 0.0, "0.13": 0.13, "0.63": 0.63, "9.9, published": published_variance**0.5}
noisy = np.stack([face + sd * rng.standard_normal(face.shape) for sd in noise.values()])
plots.show_images(
    np.clip(noisy, 0, 1), list(noise), columns=4, size=2.6, title="What each likelihood takes for one image"
)

# %% [markdown]
# In nats it is worse. Suppose the model ignored the latent space and always answered with the mean image. How much
# could it gain by perfect reconstructions? Half the squared error over the variance, summed over pixels, which is 1000
# times the variance of the data around their mean image:

# %% tags=["claim"]
sample = data.to_float(train_images[: min(500, len(train_images))])
mean_image = sample.mean(axis=0)
data_variance = np.mean((sample - mean_image) ** 2)
most = 0.5 * dimensions * data_variance / published_variance
print(f"variance around the mean image {data_variance:.4f}; all there is to gain: {most:.0f} nats per image")
np.testing.assert_allclose(most, 1000 * data_variance, rtol=1e-5)
assert 30 < most < 250
np.testing.assert_allclose(0.5 * (0.01 * dimensions * 0.2**2) / published_variance, 0.4, rtol=0.01)

# %% [markdown]
# A few dozen nats for everything in a picture of 196,608 numbers. An attribute that changes one pixel in a hundred
# by a fifth of the range is worth 0.4 nats, and the KL charges for it. So the published loss will keep the large
# things, hair and skin, and let go of the rest.

# %% [markdown]
# ## Calibrate the likelihood
#
# Then which variance? Let the data choose. For a mean squared error $\mathrm{MSE}$, the negative log-likelihood of a
# Gaussian is
#
# $$\frac{D}{2} \left( \ln 2\pi\sigma^2 + \frac{\mathrm{MSE}}{\sigma^2} \right),$$
#
# and its derivative with respect to $\sigma^2$ vanishes at $\sigma^2 = \mathrm{MSE}$. The best variance *is* the mean
# squared error. Put it in, and the reconstruction term becomes $\frac{D}{2} \ln \mathrm{MSE}$ plus a constant.

# %% tags=["claim"]
error = 0.0123
variances = np.geomspace(1e-3, 1, 100_001)
nats = 0.5 * dimensions * (np.log(2 * np.pi * variances) + error / variances)
best = variances[np.argmin(nats)]
print(f"error {error}, best variance {best:.4f}, bound there {nats.min():,.0f} nats")
np.testing.assert_allclose(best, error, rtol=1e-3)
np.testing.assert_allclose(nats.min(), 0.5 * dimensions * (np.log(2 * np.pi * error) + 1), rtol=1e-6)
assert 4.5e6 < dimensions / (2 * 0.02) < 5.5e6

# %% [markdown]
# During training the error falls, so the variance has to follow. `models.calibrated_gaussian_of` keeps it as a running
# mean of the squared errors of the latest batches. The gradient is that of $\frac{D}{2} \ln \mathrm{MSE}$:
#
# $$\frac{\partial}{\partial\theta} \frac{D}{2} \ln \mathrm{MSE} = \frac{D}{2\,\mathrm{MSE}} \, \frac{\partial\,\mathrm{MSE}}{\partial\theta}.$$
#
# It weighs the squared error with $D / (2\,\mathrm{MSE})$. At an error of 0.02 that is not 1000 but five million.

# %% [markdown]
# ## Build the networks
#
# Five strided convolutions bring 256x256 down to 8x8. The encoder ends in 200 means and 200 log variances, and the
# decoder mirrors it with transposed convolutions. As in lesson 05, the biases that batch normalisation would subtract
# again are left out; the published networks have 512 of them.

# %% tags=["claim"]
latent_dim = 200


def normalised(layer):
    return [layer, layers.BatchNormalization(momentum=0.9), layers.LeakyReLU(0.3)]


def build_networks():
    encoder = keras.Sequential([keras.Input((256, 256, 3))], name="encoder")
    for filters in (32, 64, 64, 64, 64):
        for layer in normalised(layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)):
            encoder.add(layer)
    encoder.add(layers.Flatten())
    encoder.add(layers.Dense(2 * latent_dim, dtype="float32"))

    decoder = keras.Sequential([keras.Input((latent_dim,)), layers.Dense(8 * 8 * 64)], name="decoder")
    decoder.add(layers.Reshape((8, 8, 64)))
    for filters in (64, 64, 64, 32):
        for layer in normalised(layers.Conv2DTranspose(filters, 3, strides=2, padding="same", use_bias=False)):
            decoder.add(layer)
    decoder.add(layers.Conv2DTranspose(3, 3, strides=2, padding="same"))
    decoder.add(layers.Activation("sigmoid", dtype="float32"))
    return encoder, decoder


encoder_network, decoder_network = build_networks()
trainable = sum(
    int(np.prod(weight.shape)) for part in (encoder_network, decoder_network) for weight in part.trainable_weights
)
print("encoder:", encoder_network.output_shape, " decoder:", decoder_network.output_shape)
print(f"{trainable:,} trainable parameters")
assert encoder_network.output_shape == (None, 400) and decoder_network.output_shape == (None, 256, 256, 3)
left_out = sum(
    layer.filters
    for part in (encoder_network, decoder_network)
    for layer in part.layers
    if layer.name.startswith("conv") and not layer.use_bias
)
assert left_out == 512 and trainable + left_out == 2_723_411

# %% [markdown]
# Nearly two and a half million of those sit in the dense layers around the code. The convolutions are small, and nearly
# all the work ([appendix A4](A4_scale.ipynb) counts it). That is why bfloat16 helps here: processors and GPUs that have it
# multiply such numbers faster. It keeps the exponent of a float32 and drops 16 bits of precision. The weights stay float32,
# and so do the means and log variances of the codes, the pixels, and every loss. `precision.using` measures which type is
# fastest here.

# %%
with precision.using("auto") as number_type:
    calibrated_networks, published_networks = build_networks(), build_networks()
print("layers compute in", number_type)

prior = models.standard_normal(latent_dim)
calibrated = models.VAE(
    models.posterior_of(calibrated_networks[0]),
    models.calibrated_gaussian_of(calibrated_networks[1], variance=0.1),
    prior,
)
published = models.VAE(
    models.posterior_of(published_networks[0]),
    models.gaussian_of(published_networks[1], published_variance),
    prior,
)

# %% [markdown]
# ## Train, with a camera on held-out images
#
# The camera keeps three rows: six held-out avatars as the model reconstructs them; six draws from the prior, always the
# same six codes; and the same draws shifted and stretched to where the codes of real avatars are at that moment. You
# will see below how that is done, and why.


# %%
def decode(model, codes):
    """Pixel means of codes, in parts, so that 200 pictures need not lie in memory as float32 feature maps."""
    codes = np.asarray(codes, np.float32)
    return np.concatenate([model.decoder(codes[i : i + 50]).mean().numpy() for i in range(0, len(codes), 50)])


def encode(model, images):
    """Means and standard deviations of q(z|x): each of shape (number, latent_dim)."""
    parts = [model.encoder(data.to_float(images[i : i + 50])) for i in range(0, len(images), 50)]
    return [np.concatenate([getattr(part, name)() for part in parts]) for name in ("mean", "stddev")]


watched = test_images[:6]
fixed_codes = rng.standard_normal((6, latent_dim)).astype(np.float32)


def scene(model):
    means, sds = encode(model, train_images[:300])
    spread = np.linalg.cholesky(np.cov(means.T) + np.diag(np.mean(sds**2, axis=0)))
    fitted_codes = means.mean(axis=0) + fixed_codes @ spread.T
    rows = np.concatenate([encode(model, watched)[0], fixed_codes, fitted_codes])
    return plots.mosaic(decode(model, rows)[:, ::3, ::3], columns=6)


camera = training.Snapshots(scene, every=budget.snapshot_every)

# %% [markdown]
# A folder for checkpoints lets a training go on where it was cut off: on Colab, the one on your Drive, once you have
# mounted it; elsewhere, the folder in the environment variable `COURSE_CHECKPOINTS`, if you set it. Appendix A4 cuts a training off and continues it.

# %%
history = training.fit(
    calibrated,
    train_images,
    epochs=budget.calibrated_epochs,
    peak_rate=1e-3,
    batch_size=budget.batch,
    callbacks=[camera],
    verbose=1,
    checkpoints=runtime.checkpoint_folder("06-calibrated"),
)
deviation = float(calibrated.decoder.variance) ** 0.5
print(f"calibrated standard deviation of a pixel: {deviation:.3f}")

# %% [markdown]
# Now the published loss, on the same networks and the same images in the same order. To save your time it gets half as
# many epochs: `benchmarks/README.md` compares the two at equal numbers, with the same result.

# %%
published_history = training.fit(
    published,
    train_images,
    epochs=budget.published_epochs,
    peak_rate=1e-3,
    batch_size=budget.batch,
    verbose=1,
    checkpoints=runtime.checkpoint_folder("06-published"),
)

# %% tags=["film"] alt="Film of the training: six held-out avatars as reconstructed, six fixed draws from the prior, and the same draws from a fitted Gaussian"
frames = [
    animation.caption(frame, f"{when}: reconstructions, prior, fitted   {plots.source_note()}", 28)
    for frame, when in zip(camera.frames, camera.captions, strict=True)
]
film = animation.gif(frames, milliseconds=500, hold=3000, colours=64)
animation.save(film, "build/06_training.gif")
animation.show(film, alt="Reconstructions and fitted draws grow from a blur to faces; draws from the prior stay torn")

# %% [markdown]
# The upper row learns faces: the oval first, then skin and hair, then dark glasses. The middle row never settles into
# faces. The lower row comes from the same decoder at the same moment, and it does. Why that is so is the question of this
# lesson.
#
# ## Put the two losses side by side

# %% alt="Rows: eight held-out avatars; two rows of reconstructions under the published loss, washed out, from the mean code and from a draw; and under the calibrated likelihood, close to the originals"
codes = {name: encode(model, test_images) for name, model in {"published": published, "calibrated": calibrated}.items()}
mean, sd = codes["published"]
rebuilt = {
    "published": decode(published, mean),
    "published, drawn": decode(published, tfd.MultivariateNormalDiag(mean, sd).sample(seed=runtime.SEED)),
    "calibrated": decode(calibrated, codes["calibrated"][0]),
}
held_out = data.to_float(test_images[:])
plots.compare_rows(
    {"held out": held_out[:8], **{name.replace(", ", ",\n"): pictures[:8] for name, pictures in rebuilt.items()}},
    title="Reconstructions of avatars that neither model has seen",
    size=1.35,
)


# %% tags=["claim"]
def kl_to_prior(mean, sd):
    return np.sum(0.5 * (sd**2 + mean**2 - 1) - np.log(sd), axis=1)


baseline = metrics.psnr(np.broadcast_to(mean_image, held_out.shape), held_out)
print(f"{'mean image':16s} {baseline:5.2f} dB")
decibels = {name: metrics.psnr(pictures, held_out) for name, pictures in rebuilt.items()}
for name, value in decibels.items():
    print(f"{name:16s} {value:5.2f} dB on held-out images")
kl = {name: kl_to_prior(*parameters).mean() for name, parameters in codes.items()}
unused = np.mean(np.mean(codes["published"][1], axis=0) > 0.9)
print(", ".join(f"{name}: KL {value:.1f} nats per image" for name, value in kl.items()))
print(f"published: {unused:.0%} of the latent dimensions have a posterior as wide as the prior")
assert decibels["calibrated"] > max(decibels["published"], decibels["published, drawn"]) + 1.0
assert unused > 0.8 and kl["calibrated"] > 5 * kl["published"]

# %% [markdown]
# The published model keeps little of an avatar: the outline of its hair, in one colour. Nearly all its dimensions are
# unused: their means are near 0, and a code of zeros is one that the decoder never met, since in training it saw draws.
# So part of what you see in the second row, how pale it is, comes from *how* the model is asked. The third row asks with
# a draw. Compare the two by eye, by the decibels above, and by the distances further down.

# %% [markdown]
# ## Generate from the prior

# %% alt="Two rows of prior draws: washed-out faces from the published loss, torn patches from the calibrated one"
normal_codes = rng.standard_normal((budget.draws, latent_dim)).astype(np.float32)
drawn_faces = {"published": decode(published, normal_codes), "calibrated": decode(calibrated, normal_codes)}
plots.compare_rows(
    {name: pictures[:8] for name, pictures in drawn_faces.items()},
    title="Draws from the prior: one model is washed out, the other falls apart",
    size=1.35,
)

# %% [markdown]
# So here is the dilemma that the published constant hides. It washes faces out to something near the mean face, and then
# draws and reconstructions are blurs alike. The calibrated model knows faces, and cannot draw any.
#
# To say it with a number, compare *sets* of pictures. Shrink all of them to 32x32, take the leading principal
# components of the training images, and ask how far apart two clouds are, each taken for a Gaussian of its own mean and
# covariance. That is the Fréchet distance. Everything is measured against the held-out avatars, with as many pictures as
# there are of those. Training avatars set the scale: no generator has to do better than real images do.


# %% tags=["claim"]
def shrunk(images):
    images = np.asarray(data.to_float(images) if images.dtype == np.uint8 else images)
    return images.reshape(len(images), 32, 8, 32, 8, 3).mean(axis=(2, 4)).reshape(len(images), -1)


def in_parts(function, images, size=200):
    return np.concatenate([function(images[i : i + size]) for i in range(0, len(images), size)])


small = in_parts(shrunk, train_images[: min(2000, len(train_images))])
centre = small.mean(axis=0)
components = np.linalg.svd(small - centre, full_matrices=False)[2][:30]
reference = (shrunk(held_out) - centre) @ components.T


def distance_to_held_out(images):
    return metrics.frechet_distance((shrunk(images[: len(held_out)]) - centre) @ components.T, reference)


distances = {"training avatars": distance_to_held_out(train_images[: len(held_out)])}
distances["published, drawn reconstructions"] = distance_to_held_out(rebuilt["published, drawn"])
for name in ("published", "calibrated"):
    distances[f"{name}, reconstructions"] = distance_to_held_out(rebuilt[name])
    distances[f"{name}, prior"] = distance_to_held_out(drawn_faces[name])
for name, distance in distances.items():
    print(f"{name:34s} {distance:7.1f}")
assert distances["calibrated, reconstructions"] < distances["published, drawn reconstructions"]
assert distances["calibrated, prior"] > 3 * distances["calibrated, reconstructions"]
assert distances["calibrated, prior"] > distances["published, prior"]

# %% [markdown]
# ## Find out where the codes went
#
# A standard normal in 200 dimensions lives on a shell: nearly all draws have a length close to $\sqrt{200} = 14.1$.
# Where do the codes of real avatars live?

# %% tags=["claim"] alt="Histograms of the length of codes: prior draws in a narrow peak at 14, codes of the calibrated model far to the right of it"
train_mean, train_sd = encode(calibrated, train_images)
train_codes = train_mean + train_sd * rng.standard_normal(train_mean.shape)
lengths = {
    "draws from the prior": np.linalg.norm(normal_codes, axis=1),
    "draws from q(z|x) of training avatars": np.linalg.norm(train_codes, axis=1),
}
plots.compare_histograms(
    lengths, title="The decoder is never asked for codes where the prior draws", xlabel="length of z", bins=60
)
plt.show()
assert np.percentile(lengths["draws from q(z|x) of training avatars"], 1) > np.percentile(
    lengths["draws from the prior"], 99
)

# %% [markdown]
# The two do not meet. The KL of the bound was meant to prevent that. Why did it not? Take it apart. Averaged over the
# training images, with $q(z)$ for the mixture of all their posteriors,
#
# $$\frac{1}{n} \sum_x \mathrm{KL}(q(z|x) \,\|\, p(z)) = I_q(x; z) + \mathrm{KL}(q(z) \,\|\, p(z)).$$
#
# The first part is the information that a code carries about which image it came from. There are $n$ images, so it
# cannot exceed $\ln n$. All the rest is the second part: the codes, taken together, are not distributed as the prior.


# %%
paid = kl_to_prior(train_mean, train_sd).mean()
information = np.log(len(train_images))
print(f"KL {paid:.0f} nats per image; at most ln {len(train_images)} = {information:.1f} of them are information")
print(f"KL(q(z) || p(z)), from the mixture to the prior: at least {paid - information:.0f} nats")

# %% [markdown]
# Nearly everything. Hoffman and Johnson, 2016, call the split *ELBO surgery*. And much of what is paid buys nothing. Take
# off each dimension the mean of the codes, and divide by their standard deviation. The last layer of the encoder and the
# first of the decoder can absorb both, so no picture changes. The KL does. Do it to the decoder:

# %% tags=["claim"]
shift, scale = train_mean.mean(axis=0), np.sqrt(train_mean.var(axis=0) + np.mean(train_sd**2, axis=0))
rescaled_network = keras.models.clone_model(calibrated_networks[1])
kernel, bias, *others = calibrated_networks[1].get_weights()
rescaled_network.set_weights([scale[:, None] * kernel, bias + shift @ kernel, *others])

mean, sd = codes["calibrated"]
same_pictures = rescaled_network((mean[:50] - shift) / scale).numpy()
pixel_change = np.abs(same_pictures - rebuilt["calibrated"][:50]).mean()
kl["rescaled"] = kl_to_prior((mean - shift) / scale, sd / scale).mean()
print(f"mean change of a pixel {pixel_change:.4f} (layers compute in {number_type})")
print(f"KL of held-out avatars: {kl['calibrated']:.0f} nats before, {kl['rescaled']:.0f} after")
one_per_cent = 0.5 * dimensions * np.log(1 / 0.99)
assert 950 < one_per_cent < 1000 and 0.4 < paid / one_per_cent < 2.5
assert paid - information > 0.9 * paid
assert pixel_change < 0.005 and kl["rescaled"] < 0.8 * kl["calibrated"]
by_epoch = np.array(history["kl"])
assert np.max(by_epoch / np.minimum.accumulate(by_epoch)) > 1.2 and by_epoch[-1] < 0.95 * by_epoch.max()

# %% [markdown]
# The same pictures, for hundreds of nats less. Why has the optimizer left them lying about? At a calibrated noise level
# the squared errors are worth so much more. An error that is smaller by one per cent is worth $\frac{D}{2} \ln
# \frac{1}{0.99}$, nearly a thousand nats, which is about the whole KL. As long as the errors fall, they own the gradient.
# Scroll up to the log of the training: the KL climbs for some epochs, though it is a part of the loss. Then it turns and
# comes down, slowly, epoch by epoch. It is still on its way.

# %% [markdown]
# ## Fit a density to the codes
#
# The codes are not where the prior is. Then let the prior come to the codes: fit a Gaussian to $q(z)$ after the training.
# With a diagonal covariance it would be the rescaling above, seen from the other side. With a full one it also knows
# which dimensions go together. Its mean is the mean of the codes. No network changes.
#
# ### Exercise 1: the covariance of the codes
#
# Before you read on, write it. You get the means and standard deviations of the posteriors of many images. A code is drawn
# in two steps: pick an image, then draw from its posterior, whose dimensions are independent. What is the covariance of
# such codes?


# %% tags=["exercise"]
def fitted_covariance(mean, sd):
    latent_dim = mean.shape[1]
    return np.zeros((latent_dim, latent_dim))  # your code here


checks.fitted_covariance(fitted_covariance)

# %% [markdown]
# It is the covariance of the means plus the average posterior variance.

# %% tags=["claim"]
covariance = np.cov(train_mean.T) + np.diag(np.mean(train_sd**2, axis=0))
fitted = tfd.MultivariateNormalTriL(
    train_mean.mean(axis=0).astype(np.float32), np.linalg.cholesky(covariance).astype(np.float32)
)
test_posterior = tfd.MultivariateNormalDiag(*codes["calibrated"])
against_prior = float(tf.reduce_mean(tfd.kl_divergence(test_posterior, prior)))
against_fitted = float(tf.reduce_mean(tfd.kl_divergence(test_posterior, fitted)))
diagonal = tfd.MultivariateNormalDiag(shift, scale)
against_diagonal = float(tf.reduce_mean(tfd.kl_divergence(test_posterior, diagonal)))
print(f"held-out avatars: KL {against_prior:.0f} nats to N(0, I), {against_fitted:.0f} nats to the fitted Gaussian")
print(f"{against_diagonal:.0f} nats to the Gaussian with a diagonal covariance")
assert against_fitted < 0.8 * against_prior and against_fitted < against_diagonal
assert abs(against_diagonal / kl["rescaled"] - 1) < 0.001

# %% [markdown]
# As a prior it makes the bound better by the difference, on images that had no part in the fit. So this is no trick to
# make pictures prettier: the fitted density is a better model of the data, by the yardstick of lesson 02.

# %% tags=["claim"] alt="Three rows: draws from the prior, torn; draws from the fitted Gaussian, whole faces of all kinds; and their nearest training avatars, which differ"
fitted_codes = fitted.sample(budget.draws, seed=runtime.SEED).numpy()
drawn_faces["fitted"] = decode(calibrated, fitted_codes)
distances["calibrated, fitted"] = distance_to_held_out(drawn_faces["fitted"])


def nearest_training(pictures):
    """The training avatar that is closest to each picture, over the shrunk pixels."""
    return train_images[[np.argmin(((small - picture) ** 2).mean(axis=1)) for picture in shrunk(pictures)]]


plots.compare_rows(
    {
        "prior": drawn_faces["calibrated"][:8],
        "fitted": drawn_faces["fitted"][:8],
        "closest\ntraining\navatar": nearest_training(drawn_faces["fitted"][:8]),
    },
    title="The same decoder, asked in the right place",
    size=1.35,
)
print(f"Fréchet distance: prior {distances['calibrated, prior']:.1f}, fitted {distances['calibrated, fitted']:.1f}")
from_training = {
    "fitted draws": metrics.nearest_distance(shrunk(drawn_faces["fitted"][: len(held_out)]), small),
    "held-out avatars": metrics.nearest_distance(shrunk(held_out), small),
}
for name, values in from_training.items():
    print(
        f"{name:17s} from the closest training avatar: {values.min():.3f} at least, {np.median(values):.3f} in the middle"
    )
assert np.median(from_training["fitted draws"]) > 0.7 * np.median(from_training["held-out avatars"])
assert from_training["fitted draws"].min() > 0.5 * from_training["held-out avatars"].min()
assert distances["calibrated, fitted"] < 0.3 * distances["calibrated, prior"]
assert distances["calibrated, fitted"] < distances["published, prior"]

# %% [markdown]
# These avatars do not exist, and the loose patches around some heads show it. The last row has the training avatar
# closest to each: no copies. As a number, draws lie no closer to the training set than held-out avatars do. Now the
# calibrated model is ahead on both counts: reconstructions and draws.
#
# There are compromises between the two losses, with a variance of 10 or of 1. `benchmarks/README.md` has them in a table,
# measured once: larger variances made better draws from the prior and worse reconstructions, and none of their prior
# draws came near those of the calibrated loss with a fitted density.

# %% [markdown]
# ## Reconstruct 25 avatars

# %% alt="25 held-out avatars, each beside its reconstruction: shape, hair and dark glasses come back, thin glasses and light beards often do not"
pairs = np.concatenate([held_out[:25], rebuilt["calibrated"][:25]], axis=2)
_, axis = plt.subplots(figsize=(11.5, 6.1))
axis.imshow(plots.mosaic(pairs[:, ::2, ::2], columns=5, gap=10))
axis.set_title("25 held-out avatars, each with its reconstruction on the right")
axis.axis("off")
plt.show()

# %% [markdown]
# Look for what comes back and what does not. In the stored picture shape and hair do, skin nearly, dark glasses too; thin
# frames and light beards mostly do not: this is a short training on few images. Lines are soft.
#
# ## Put an autoencoder beside it
#
# Take the KL and the draws away: the same layers with a code of 200 numbers, trained on the mean squared error. To save
# your time it gets fewer epochs, so compare what its codes are good for, not its decibels.

# %%
with precision.using("auto"):
    ae_encoder, ae_decoder = networks.avatar_vae_networks(latent_dim, outputs=1)
autoencoder = keras.Sequential([ae_encoder, ae_decoder])
steps = len(train_images) // budget.batch
rate = training.warmup_cosine(1e-3, steps * budget.autoencoder_epochs)
autoencoder.compile(training.adam(autoencoder, rate), "mse")
batches = data.stream(train_images, budget.batch, seed=runtime.SEED).map(lambda images: (images, images))
autoencoder.fit(batches, epochs=budget.autoencoder_epochs, steps_per_epoch=steps, verbose=1)

ae_codes = in_parts(lambda images: ae_encoder(data.to_float(images)).numpy(), train_images, size=50)
ae_rebuilt = in_parts(lambda images: autoencoder(images).numpy(), held_out, size=50)
for name, pictures, epochs in (
    ("autoencoder", ae_rebuilt, budget.autoencoder_epochs),
    ("VAE", rebuilt["calibrated"], budget.calibrated_epochs),
):
    print(f"{name:12s} {metrics.psnr(pictures, held_out):.2f} dB on held-out images after {epochs} epochs")

# %% alt="Two t-SNE maps of the training avatars, from autoencoder codes and from VAE codes, coloured by hair colour"
colour_name = next(name for name in ("hair_color", "hair") if name in avatars.attributes)
hair, hair_names = avatars.attributes[colour_name], avatars.categories[colour_name]
figure, axes = plt.subplots(1, 2, figsize=(13, 6))
planes = {}
for axis, (name, points) in zip(axes, {"Autoencoder": ae_codes, "VAE": train_mean}.items(), strict=True):
    planes[name] = plane = TSNE(init="pca", random_state=runtime.SEED).fit_transform(points[:5000])
    plots.latent_plane(axis, plane, hair[avatars.train][:5000], hair_names, name_classes=False)
    for cloud in axis.collections:
        cloud.set_sizes([22])
    low, high = plane.min(axis=0), plane.max(axis=0)
    axis.set_title(f"{name}: [{low[0]:.0f}, {high[0]:.0f}] x [{low[1]:.0f}, {high[1]:.0f}]")
    axis.set(xlabel="first t-SNE axis (no unit)", ylabel="second t-SNE axis (no unit)")
figure.legend(axes[0].collections, hair_names, loc="outside right center", title="hair", markerscale=2)
plt.show()

# %% [markdown]
# Both maps put similar avatars next to each other: the nearest neighbour has the same hair colour more often than a
# random avatar has. Read nothing into their size: t-SNE keeps neighbours, not distances, so its axes say nothing about
# how far the codes spread. For that, look at the codes themselves.

# %% tags=["claim"]
shown_hair = hair[avatars.train][:5000]
by_chance = np.sum((np.bincount(shown_hair - shown_hair.min()) / len(shown_hair)) ** 2)
alike = {}
for name, plane in planes.items():
    nearest = NearestNeighbors(n_neighbors=1).fit(plane).kneighbors(return_distance=False)[:, 0]
    alike[name] = np.mean(shown_hair[nearest] == shown_hair)
    print(f"{name:12s} same hair colour as the nearest neighbour {alike[name]:.0%}, by chance {by_chance:.0%}")
for name, points in {"autoencoder": ae_codes, "VAE": train_mean}.items():
    print(
        f"{name:12s} codes from {points.min():7.2f} to {points.max():6.2f}, "
        f"standard deviation of a dimension {points.std(axis=0).min():.2f} to {points.std(axis=0).max():.2f}"
    )
print(f"VAE          standard deviation of q(z|x) {train_sd.min():.3f} to {train_sd.max():.2f}")
assert min(alike.values()) > 1.2 * by_chance

# %% [markdown]
# ## Generate from uniform and from normal draws
#
# Six ways to pick a code: uniformly between the bounds of the training codes, from N(0, I), and from a Gaussian fitted to
# the codes, for either model.


# %%
def uniform_codes(points, number):
    low, high = points.min(axis=0), points.max(axis=0)
    return (low + rng.random((number, points.shape[1])) * (high - low)).astype(np.float32)


ae_fitted = rng.multivariate_normal(ae_codes.mean(axis=0), np.cov(ae_codes.T), budget.draws)
generated = {
    f"autoencoder\n{name}": in_parts(lambda z: ae_decoder(z).numpy(), np.asarray(z, np.float32), size=50)
    for name, z in {
        "uniform": uniform_codes(ae_codes, budget.draws),
        "normal": normal_codes,
        "fitted": ae_fitted,
    }.items()
}
generated["VAE\nuniform"] = decode(calibrated, uniform_codes(train_mean, budget.draws))
generated["VAE\nnormal"], generated["VAE\nfitted"] = drawn_faces["calibrated"], drawn_faces["fitted"]

# %% alt="Six rows of generated avatars: autoencoder and VAE, each from uniform, normal and fitted codes. Uniform codes give much the same face or torn ones, normal codes hardly any, fitted codes whole and different faces"
plots.compare_rows(
    {name: pictures[:8] for name, pictures in generated.items()}, title="Where you draw decides what you get", size=1.25
)

# %% tags=["claim"]
generated_distance = {name.replace("\n", ", "): distance_to_held_out(pictures) for name, pictures in generated.items()}
for name, distance in generated_distance.items():
    print(f"{name:22s} {distance:7.1f}")
assert min(generated_distance, key=generated_distance.get).endswith("fitted")
assert generated_distance["VAE, fitted"] < 0.5 * generated_distance["VAE, uniform"]

# %% [markdown]
# ## Put glasses on a face
#
# An attribute such as glasses is known for the training images. Take the mean code of those with it, minus the mean code
# of those without: that is a direction in latent space. Add a multiple of it to a code and decode.

# %%
glasses_name = next(name for name in ("eyeglasses", "glasses") if name in avatars.attributes)
glasses = avatars.attributes[glasses_name]
without = np.bincount(glasses[glasses >= 0]).argmax()  # about half of all avatars wear none, whatever its number
wears = glasses != without
glasses_direction = train_mean[wears[avatars.train]].mean(axis=0) - train_mean[~wears[avatars.train]].mean(axis=0)

bare = np.flatnonzero(~wears[avatars.test])[:5]
strengths = (-1.0, 0.0, 1.0, 2.0, 3.0)


def edited(starts, direction, strength):
    return decode(calibrated, starts + strength * direction)


test_mean = codes["calibrated"][0]
rows = {f"{strength:+.0f}": edited(test_mean[bare], glasses_direction, strength) for strength in strengths}

# %% tags=["front-glasses"] alt="Five held-out avatars without glasses in the first row; below, glasses grow dark as the strength goes from -1 to +3"
plots.compare_rows({"held out": held_out[bare], **rows}, title="The glasses direction, at several strengths", size=1.4)

# %% [markdown]
# And the way back: faces with glasses, and the direction subtracted.

# %% alt="Five held-out avatars with glasses in the first row; below, the glasses fade as more of the direction is subtracted"
wearers = np.flatnonzero(wears[avatars.test])[:5]
rows = {
    f"{strength:+.0f}": edited(test_mean[wearers], glasses_direction, strength) for strength in (0.0, -1.0, -2.0, -3.0)
}
plots.compare_rows({"held out": held_out[wearers], **rows}, title="Glasses taken off", size=1.4)

# %% [markdown]
# You see glasses. Would somebody who does not know what to look for? Ask a probe: a logistic regression which tells
# reconstructions of avatars with glasses from those without, trained on the training images. It must first prove itself
# on held-out ones.


# %%
def pixels(images):
    """64x64 pixels a picture, as a row each: enough to see a pair of glasses."""
    return images.reshape(len(images), 64, 4, 64, 4, 3).mean(axis=(2, 4)).reshape(len(images), -1)


some = np.arange(min(budget.probe_images, len(train_mean)))
train_pictures = in_parts(lambda z: pixels(decode(calibrated, z)), train_mean[some])
test_pictures = pixels(rebuilt["calibrated"])


def probe(labels):
    """A classifier of decoded pictures for a boolean attribute of all avatars, and its held-out accuracy."""
    fitted_probe = LogisticRegression(C=1e-3, max_iter=2000).fit(train_pictures, labels[avatars.train][some])
    return fitted_probe, fitted_probe.score(test_pictures, labels[avatars.test])


glasses_probe, accuracy = probe(wears)
share = max(np.mean(wears[avatars.test]), 1 - np.mean(wears[avatars.test]))
print(
    f"the probe is right on {accuracy:.1%} of the held-out reconstructions; always saying the same would be {share:.1%}"
)

# %% tags=["claim"] alt="Probability of glasses, by the probe, against the strength: it climbs for bare faces and falls for wearers as glasses are removed"
add_strengths = np.linspace(-1, 3, 9)
seen = {}
for name, starts, sign in (
    ("glasses added to bare faces", test_mean[~wears[avatars.test]], 1),
    ("glasses removed from wearers", test_mean[wears[avatars.test]], -1),
):
    seen[name] = [
        glasses_probe.predict_proba(pixels(edited(starts, sign * glasses_direction, strength)))[:, 1].mean()
        for strength in add_strengths
    ]

figure, axis = plt.subplots(figsize=(8, 4.2))
for (name, values), marker, dash in zip(seen.items(), plots.MARKERS, ("-", "--"), strict=False):
    axis.plot(add_strengths, values, marker=marker, linestyle=dash, label=name)
axis.set(xlabel="strength", ylabel="probability of glasses, by the probe", ylim=(-0.02, 1.02))
axis.set_title("The direction does what its name says, both ways")
axis.legend()
plt.show()
assert accuracy > share + 0.1
for name, direction in {"glasses added to bare faces": 1, "glasses removed from wearers": -1}.items():
    assert np.all(direction * np.diff(seen[name]) > 0), "not monotone"
    assert direction * (seen[name][-1] - seen[name][2]) > 0.3

# %% [markdown]
# ## Change the colour of the hair
#
# The same with two hair colours, the two whose mean images lie farthest apart. This time the probe has to tell those two
# from each other, and a second question is asked: does the glasses direction leave the hair alone, and the hair direction
# the glasses?

# %%
train_hair, test_hair = hair[avatars.train], hair[avatars.test]
frequent = [c for c in range(len(hair_names)) if np.mean(train_hair == c) > 0.05]
mean_by_colour = {c: small[train_hair[: len(small)] == c].mean(axis=0) for c in frequent}
first, second = max(
    ((a, b) for a in mean_by_colour for b in mean_by_colour if a < b),
    key=lambda pair: np.sum((mean_by_colour[pair[0]] - mean_by_colour[pair[1]]) ** 2),
)
hair_direction = train_mean[train_hair == second].mean(axis=0) - train_mean[train_hair == first].mean(axis=0)

either = np.isin(train_hair[some], (first, second))
hair_probe = LogisticRegression(C=1e-3, max_iter=2000).fit(train_pictures[either], train_hair[some][either] == second)
either = np.isin(test_hair, (first, second))
hair_accuracy = hair_probe.score(test_pictures[either], test_hair[either] == second)
print(
    f"hair {hair_names[first]} or {hair_names[second]}: the probe is right on {hair_accuracy:.1%} of held-out reconstructions"
)

# %% alt="Held-out avatars with the first hair colour; below, the same faces with hair turning to the second colour as the strength grows"
chosen = np.flatnonzero(test_hair == first)[:5]
rows = {f"{strength:+.1f}": edited(test_mean[chosen], hair_direction, strength) for strength in (0.0, 0.5, 1.0, 1.5)}
plots.compare_rows(
    {"held out": held_out[chosen], **rows},
    title=f"Hair from {hair_names[first]} to {hair_names[second]}, at several strengths",
    size=1.4,
)

# %% tags=["claim"]
starts = test_mean[(test_hair == first) & ~wears[avatars.test]]
effects = {}
for direction_name, direction in {"2 x glasses": 2 * glasses_direction, "hair": hair_direction}.items():
    before, after = (pixels(edited(starts, direction, strength)) for strength in (0.0, 1.0))
    for probe_name, judge in {"glasses": glasses_probe, "hair": hair_probe}.items():
        change = judge.predict_proba(after)[:, 1].mean() - judge.predict_proba(before)[:, 1].mean()
        effects[direction_name, probe_name] = change
        print(f"along {direction_name:11s} the {probe_name:7s} probe changes by {change:+.2f}")
assert hair_accuracy > 0.8
assert effects["hair", "hair"] > max(0.4, 2 * abs(effects["2 x glasses", "hair"]))
assert effects["2 x glasses", "glasses"] > max(0.2, 2 * abs(effects["hair", "glasses"]))

# %% [markdown]
# Each direction moves its own probe, and the other one much less. (The glasses direction is taken twice, because glasses
# show well at a strength of 2.) Not zero: a difference of means picks up whatever
# else differed between the two groups, and pictures far from the data confuse a probe.

# %% [markdown]
# ## Walk from one avatar to another
#
# A straight line between two codes, and on to a third, fourth and fifth: one avatar of each hair colour.

# %% tags=["front-walk"] alt="Film: one avatar changes smoothly into the next, five in a round"
stations = test_mean[[np.flatnonzero(test_hair == colour)[0] for colour in frequent[:5]]]
shares = (1 - np.cos(np.linspace(0, np.pi, 8, endpoint=False))) / 2  # slow at the avatars, fast between them
line = [
    start + share * (end - start)
    for start, end in zip(stations, np.roll(stations, -1, 0), strict=True)
    for share in shares
]
walk_frames = [plots.mosaic(picture[None], columns=1) for picture in decode(calibrated, np.stack(line))]
walk = animation.gif(walk_frames, milliseconds=130, hold=130, colours=64)
animation.save(walk, "build/06_walk.gif")
animation.show(walk, alt="An avatar whose hair, skin and glasses change into those of the next")

# %% [markdown]
# Nothing jumps. As a number: the largest step between two neighbouring frames, against the distance between two avatars
# picked at random.

# %% tags=["claim"]
film_strip = decode(calibrated, np.stack(line))
largest_step = np.sqrt(np.mean((film_strip - np.roll(film_strip, -1, axis=0)) ** 2, axis=(1, 2, 3))).max()
apart = np.sqrt(np.mean((held_out - np.roll(held_out, 1, axis=0)) ** 2, axis=(1, 2, 3))).mean()
print(f"largest step {largest_step:.3f}, two avatars {apart:.3f} (root mean square of a pixel)")
assert largest_step < apart / 2

# %% [markdown]
# ## In this notebook we saw
#
# - The constant in front of a squared error is a noise level, and it has to be chosen anew for each image size: 1000
#   means a standard deviation of 0.63 at 28x28, and 9.9 at 256x256.
# - The best variance is the mean squared error. Calibrated, the model reconstructs faces that it has never seen.
# - Its prior draws then fail, because the codes are elsewhere. Nearly all of the KL is paid for that, and rescaling the
#   codes would save a good part of it without changing a picture.
# - A density fitted to the codes repairs it without touching the network, and improves the bound on held-out images.
# - A direction in latent space is a claim. A probe, proven on held-out images, can test it.
#
# A long training that may be cut off, precision and devices: [appendix A4](A4_scale.ipynb). You have reached the end of
# the lessons. [Lesson 00](00_start_here.ipynb) has the map, and places to go from here.
#
# ## Test yourself
#
# Run the cell and click on an answer: it tells you whether it is right, and why.

# %% tags=["self-test"]
selftest.ask("06")

# %% [markdown]
# ## Sources and further reading
#
# - Cartoon Set, [google.github.io/cartoonset](https://google.github.io/cartoonset/), Google LLC, CC BY 4.0. The images
#   shown are from it unless a figure says otherwise, cropped and scaled.
# - O. Rybkin, K. Daniilidis, S. Levine, [Simple and Effective VAE Training with Calibrated
#   Decoders](https://arxiv.org/abs/2006.13202), 2021.
# - M. D. Hoffman, M. J. Johnson, [ELBO surgery](http://approximateinference.org/2016/accepted/HoffmanJohnson2016.pdf),
#   2016.
# - P. Ghosh and others, [From Variational to Deterministic Autoencoders](https://arxiv.org/abs/1903.12436), 2020:
#   fitting a density to the codes afterwards.
# - M. Heusel and others, [GANs Trained by a Two Time-Scale Update Rule](https://arxiv.org/abs/1706.08500), 2017: the
#   Fréchet distance between sets of images.

# %% [markdown] tags=["solution"]
# ---
# ## Solutions
#
# Collapsed. Click on the dots of a cell to see its code; what it prints is the verdict of the check.


# %% tags=["solution"] jupyter={"source_hidden": true}
def fitted_covariance(mean, sd):
    """The law of total variance: between the images, and within them."""
    return np.cov(mean, rowvar=False) + np.diag(np.mean(sd**2, axis=0))


checks.fitted_covariance(fitted_covariance)
