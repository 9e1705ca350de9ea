"""judge: the card that the command prints, against the metrics themselves, and what it says when something is wrong."""

import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from course_utils import data, judge, metrics, models, networks, runtime


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.delenv("COURSE_DATA_DIR", raising=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Forty pictures of one's own, of 28x28 pixels in grey."""
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for number in range(40):
        Image.fromarray(rng.integers(0, 256, (28, 28), dtype=np.uint8)).save(folder / f"{number}.png")
    return folder


def small(likelihood=models.calibrated_gaussian_of, kind="image", latent_dim=10):
    build = {"image": lambda d: networks.image_vae_networks((28, 28, 1), d), "conv": networks.conv_vae_networks}[kind]
    encoder, decoder = build(latent_dim)
    return models.VAE(models.posterior_of(encoder), likelihood(decoder), models.standard_normal(latent_dim))


def numbers(printed, name):
    """The numbers in the row of that name."""
    row = re.search(rf"^ *{re.escape(name)} .*$", printed, flags=re.M)[0]
    return [float(number) for number in re.findall(r"-?\d+\.?\d*", row.removeprefix(name).split("   ±")[0])]


def test_the_card_of_a_model_on_images_of_ones_own(folder, tmp_path, capsys):
    vae = small()
    vae.save_weights(path := tmp_path / "mine.weights.h5")
    own = ["--data", str(folder), "--size", "28", "--channels", "1"]
    assert judge.main([str(path), *own, "--latent-dim", "10", "--k", "3"]) == 0
    printed = capsys.readouterr().out
    assert "mine.weights.h5: image networks, latent_dim=10, Gaussian" in printed and "Your own images" in printed
    held_out = data.to_float(data.load_folder(folder, size=28, channels=1).test_images[:])
    assert f"Judged by {len(held_out)} of {len(held_out)} held-out images" in printed

    rows = [numbers(printed, name) for name in ("negative ELBO", "distortion", "rate", "negative IWAE-3")]
    assert rows[0][0] == pytest.approx(rows[1][0] + rows[2][0], abs=0.02)
    terms = metrics.rate_distortion(vae, held_out, samples=50)
    assert rows[2][0] == pytest.approx(terms.rate.mean, abs=0.01)
    assert abs(rows[1][0] - terms.distortion.mean) < 5 * rows[1][1]
    assert rows[3][0] < rows[0][0] + 4 * rows[0][1]

    kl = np.sort(metrics.kl_per_dimension(vae, held_out))[::-1]
    np.testing.assert_allclose(numbers(printed, "KL per dimension")[:8], kl[:8], atol=0.006)
    assert f"the other 2 together {kl[8:].sum():.2f}" in printed
    assert numbers(printed, "active units") == [metrics.active_units(vae, held_out), 10]
    rebuilt = vae.decoder(vae.encoder(held_out).mean()).mean()
    assert numbers(printed, "reconstruction")[0] == pytest.approx(metrics.psnr(rebuilt, held_out), abs=0.006)
    assert "not on one scale with nats of binary ones" in printed


def test_the_card_on_digits_is_that_of_binary_pixels_and_the_same_each_time(tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(1)
    images, labels = rng.integers(0, 256, (300, 28, 28, 1), dtype=np.uint8), np.zeros(300, np.uint8)
    digits = data.ImageSet(images, labels, images, labels, tuple("0123456789"), "MNIST", "drawn", "of a test")
    monkeypatch.setattr(data, "load_mnist", lambda: digits)
    small(models.bernoulli_of, "conv", 2).save_weights(path := tmp_path / "digits.weights.h5")
    command = [str(path), "--data", "mnist", "--images", "200", "--k", "2"]
    assert judge.main(command) == 0
    printed = capsys.readouterr().out
    assert "conv networks, latent_dim=2, Bernoulli pixels, binarised at 0.5" in printed and "DRAWN IN CODE" in printed
    assert "Judged by 200 of 300 held-out images" in printed and "not on one scale" not in printed
    assert numbers(printed, "distortion")[0] == pytest.approx(784 * np.log(2), rel=0.1), "an untrained model"
    assert judge.main(command) == 0
    assert capsys.readouterr().out == printed


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--data", "mnist", "--size", "64"], "--size would have no effect on mnist"),
        (["--data", "FOLDER", "--networks", "conv"], "take --size 28 --channels 1"),
        (["--data", "mnist", "--latent-dim", "3"], "does not fit this VAE.*This is conv with latent_dim=3; --networks"),
        (["--data", "mnist", "--networks", "dense"], "does not fit this VAE.*This is dense"),
        (["--data", "fashion", "nothing.weights.h5"], "there is no file nothing.weights.h5"),
        (["--data", "mnist", "vae.h5"], "ends with .weights.h5"),
    ],
)
def test_what_is_wrong_is_one_line(arguments, words, folder, tmp_path, capsys):
    small(models.bernoulli_of, "conv", 2).save_weights(path := tmp_path / "vae.weights.h5")
    arguments = [str(folder) if argument == "FOLDER" else argument for argument in arguments]
    named = [] if arguments[-1].endswith(".h5") else [str(path)]
    assert judge.main([*arguments, *named]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert re.search(f"^python -m course_utils.judge: .*{words}", line)


def test_a_folder_that_is_not_there_is_named(tmp_path, capsys):
    small().save_weights(path := tmp_path / "vae.weights.h5")
    own = ["--size", "28", "--channels", "1", "--latent-dim", "10"]
    assert judge.main([str(path), "--data", str(tmp_path / "nowhere"), *own]) == 1
    assert "nowhere is not an existing folder" in capsys.readouterr().err


def test_a_folder_of_cartoon_set_is_taken_for_what_it_is(tmp_path, monkeypatch, capsys):
    asked = []

    def load(**arguments):
        asked.append(arguments)
        raise data.DataError("enough")

    def build(options, shape):
        asked.append(shape)
        return None, ""

    monkeypatch.setattr(data, "load_cartoonset", load)
    monkeypatch.setattr(judge, "_model", build)
    (folder := tmp_path / "cartoonset10k").mkdir()
    assert judge.main(["avatars.weights.h5", "--data", str(folder)]) == 1
    assert asked == [(256, 256, 3), {"source": "real", "folder": str(folder)}]
    assert judge.main(["avatars.weights.h5", "--data", str(folder), "--fit", "pad"]) == 1
    assert "--fit would have no effect" in capsys.readouterr().err


@pytest.mark.parametrize("failure, code", [(KeyboardInterrupt(), 130), (MemoryError("no memory"), 1)])
def test_failures_end_in_one_line(failure, code, monkeypatch, capsys):
    def fail():
        raise failure

    monkeypatch.setattr(runtime, "set_seed", fail)
    assert judge.main(["vae.weights.h5", "--data", "mnist"]) == code
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


@pytest.mark.parametrize("wrong", [["--k", "0"], ["--networks", "other"], ["--latent-dim", "two"], ["--size", "9"]])
def test_bad_values_end_with_code_2_and_a_line_that_names_them(wrong, capsys):
    with pytest.raises(SystemExit) as ended:
        judge.main(["vae.weights.h5", "--data", "mnist", *wrong])
    assert ended.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert wrong[0] in last and wrong[1] in last


def test_the_help_comes_without_tensorflow():
    code = "from course_utils import judge; import sys; judge.parser(); sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    assert "examples:" in judge.parser().format_help()
