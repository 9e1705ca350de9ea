"""Settings and arguments that are wrong, folders that may not be looked into: refused in words, nothing is drawn."""

import errno
import os

import numpy as np
import pytest
from test_cartoonset import FILES, cache, check, pack, put  # noqa: F401

from course_utils import data
from course_utils.data import cache as caching
from course_utils.data import cartoonset, mnist
from course_utils.train import main

LOADERS = [data.load_mnist, data.load_fashion_mnist, data.load_cartoonset]


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize("variable", ["COURSE_DATA_DIR", "COURSE_CACHE_DIR"])
def test_a_home_that_does_not_exist(variable, load, monkeypatch):
    monkeypatch.setenv(variable, "~nobody-of-that-name/data")
    with pytest.raises(data.DataError, match=f"{variable} names ~nobody-of-that-name/data, and there is no such home"):
        load()


def test_a_user_without_a_home(tmp_path, monkeypatch):
    """As in a container, under a number that no user has. The cache goes where temporary files go."""
    monkeypatch.delenv("COURSE_CACHE_DIR")
    monkeypatch.setattr(caching.pooch, "os_cache", lambda name: "~/.cache/" + name)
    monkeypatch.setattr(caching.tempfile, "gettempdir", lambda: str(tmp_path))
    check(data.load_cartoonset(folder=put(tmp_path / "some", FILES)))
    assert (tmp_path / "vae-course" / "cartoonset").is_dir()


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize("source", [5, ["auto"], None, np.array(["auto", "real"]), {"auto"}])
def test_sources_of_other_types(source, load):
    with pytest.raises(ValueError, match="'auto', 'real', 'drawn'"):
        load(source)


@pytest.mark.parametrize(
    "options",
    [{"limit": value} for value in ("5", 2.5, True, [3], np.ones(2), float("nan"))]
    + [{"download": value} for value in (10, ["10k"], np.array(["10k", "100k"]))]
    + [{"folder": value} for value in (5, ["some"], np.ones(2), b"some")],
)
def test_arguments_of_other_types(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))}.*(must|at least)"):
        data.load_cartoonset(**options)


@pytest.mark.parametrize("name", ["with\0zero", "x" * 5_000])
def test_names_that_no_folder_has(name):
    with pytest.raises(data.DataError, match="no path has|cannot be looked at: File name too long"):
        data.load_cartoonset(folder=name)


def test_whole_numbers_of_numpy_are_taken(tmp_path):
    assert len(data.load_cartoonset(folder=put(tmp_path / "some", FILES), limit=np.int64(3)).images) == 3


@pytest.mark.parametrize("load", [data.load_cartoonset, lambda source: data.load_cartoonset(source, download="10k")])
@pytest.mark.parametrize("source", ["auto", "real"])
@pytest.mark.parametrize("place", [".", "cartoonset10k", "cartoonset10k/0"])
def test_what_may_not_be_looked_at_is_not_drawn(place, source, load, ordinary, monkeypatch):
    put(ordinary / "mine" / "cartoonset10k" / "0", FILES)
    monkeypatch.setenv("COURSE_DATA_DIR", str(ordinary / "mine"))
    (ordinary / "mine" / place).chmod(0)
    calls = cartoonset.drawn.calls
    with pytest.raises(data.DataError, match="cannot be looked (at|into): Permission denied. Make"):
        load(source)
    assert cartoonset.drawn.calls == calls
    (ordinary / "mine" / place).chmod(0o755)
    with pytest.warns(UserWarning, match="was published with"):
        check(load(source))


@pytest.mark.parametrize("source", ["auto", "real"])
def test_a_cache_that_may_not_be_looked_into_is_not_empty(source, ordinary):
    (ordinary / "cache" / "cartoonset").mkdir(parents=True, mode=0)
    with pytest.raises(data.DataError, match="The cache .* cannot be looked into: Permission denied. Make it readable"):
        data.load_cartoonset(source)


def test_the_command_does_not_train_on_drawn_avatars_instead(tmp_path, monkeypatch, capsys):
    """Here the system is made to refuse: TensorFlow may lie where nobody but root can import it."""
    folder, look = put(tmp_path / "mine" / "cartoonset-sample", FILES).parent, os.stat

    def refuse(path, *args, **options):
        if isinstance(path, str | os.PathLike) and os.fspath(path).startswith(str(folder / "cartoonset")):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return look(path, *args, **options)

    monkeypatch.setenv("COURSE_DATA_DIR", str(folder))
    monkeypatch.setattr(os, "stat", refuse)
    assert main(["--resume", str(tmp_path / "run"), "--images", "8", "--batch", "4", "--epochs", "1"]) == 1
    output = capsys.readouterr()
    assert "cannot be looked at: Permission denied" in output.err and "Done" not in output.out
    assert "Traceback" not in output.err and not (tmp_path / "run" / "model.weights.h5").exists()


# --- advice, taken


def test_leave_out_the_download_or_the_folder(tmp_path):
    folder = put(tmp_path / "mine", FILES)
    with pytest.raises(data.DataError, match="Leave out the download .* or leave out the folder to fetch"):
        data.load_cartoonset(folder=folder, download="10k")
    check(data.load_cartoonset(folder=folder))


def test_name_the_folder_with_the_archive(tmp_path, monkeypatch):
    with pytest.raises(data.DataError, match="name a folder with the images, or with cartoonset10k.tgz, by folder="):
        data.load_cartoonset("real")
    (tmp_path / "mine").mkdir()
    pack(tmp_path / "mine" / "cartoonset10k.tgz", FILES)
    with pytest.warns(UserWarning, match="was published with"):
        check(data.load_cartoonset("real", folder=tmp_path / "mine"))
        monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path / "mine"))
        check(data.load_cartoonset("real"))


def test_correct_the_name_or_leave_it_out(tmp_path):
    with pytest.raises(data.DataError, match="typo, does not exist. Correct its name, or leave it out"):
        data.load_cartoonset(folder=tmp_path / "typo")
    check(data.load_cartoonset(folder=put(tmp_path / "typo", FILES)))


def test_put_images_there_or_name_another_archive(tmp_path):
    (tmp_path / "some").mkdir()
    with pytest.raises(data.DataError, match="holds no images. Put the PNG files there, in any nesting"):
        data.load_cartoonset(folder=tmp_path / "some")
    check(data.load_cartoonset(folder=put(tmp_path / "some" / "deep" / "deeper", FILES).parent.parent))
    with pytest.raises(data.DataError, match="holds no images: .*Name another archive"):
        data.load_cartoonset(folder=pack(tmp_path / "some.tgz", {"readme.txt": b"text"}))
    check(data.load_cartoonset(folder=pack(tmp_path / "other.tgz", FILES)))


def test_make_it_writable_or_set_another_cache(ordinary, monkeypatch):
    folder = put(ordinary / "some", FILES)
    data.load_cartoonset(folder=folder, limit=2)
    (store,) = (path for path in (ordinary / "cache" / "cartoonset").iterdir() if path.is_dir())
    (store / "images.bin").chmod(0o400)
    with pytest.raises(data.DataError, match="Permission denied. What is done stays there. Make it writable, or set"):
        data.load_cartoonset(folder=folder)
    with monkeypatch.context() as patch:
        patch.setenv("COURSE_CACHE_DIR", str(ordinary / "other"))
        check(data.load_cartoonset(folder=folder))
    (store / "images.bin").chmod(0o600)
    check(data.load_cartoonset(folder=folder))


@pytest.mark.parametrize("load", LOADERS)
def test_drawn_images_can_be_asked_for_by_the_setting_and_nothing_is_fetched(load, monkeypatch):
    monkeypatch.setenv("COURSE_DATA_DIR", "drawn")
    monkeypatch.setattr(mnist, "DRAWN_SIZES", (60, 20))
    monkeypatch.setattr("requests.Session.request", lambda *arguments, **named: pytest.fail("asked the network"))
    images = load()
    assert not images.is_real and images.reason == "COURSE_DATA_DIR=drawn was asked for"
    assert load("drawn").reason == "source='drawn' was asked for"


def test_a_folder_that_is_named_in_the_call_wins_over_drawn(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_DATA_DIR", "drawn")
    check(data.load_cartoonset(folder=put(tmp_path / "some", FILES)))
