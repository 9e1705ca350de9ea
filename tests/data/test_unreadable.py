"""What cannot be read now may be read later: it is refused, neither left out nor remembered nor taken for absent."""

import errno
import os
import shutil

import numpy as np
import pytest
from test_cartoonset import FILES, cache, check, decoded, pack, put, with_tables  # noqa: F401  (two are fixtures)

from course_utils import data
from course_utils.data import image_files, resizing


@pytest.fixture
def some(ordinary):
    """A folder of images, which belongs to an ordinary user."""
    return put(ordinary / "some", FILES)


@pytest.mark.parametrize("locked", [list(FILES), list(FILES)[4:9], list(FILES)[-1:]], ids=["all", "some", "one"])
def test_images_without_permission_are_used_once_they_have_it(locked, some):
    for name in locked:
        (some / name).chmod(0)
    for _ in range(2):
        with pytest.raises(data.DataError) as caught:
            data.load_cartoonset(folder=some)
        for part in ("images cannot be read", f"{some}/cs", "Permission denied", "not left out", "load the set again"):
            assert part in str(caught.value)
    for name in locked:
        (some / name).chmod(0o644)
    avatars = data.load_cartoonset(folder=some)
    check(avatars)
    assert not avatars.left_out
    names = sorted(FILES, key=lambda name: (image_files.file_key(name), name))
    assert list(avatars.names) == names, "an interruption changed the order"


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENOENT])
def test_passing_errors_of_disk_and_network_are_not_remembered(number, tmp_path, monkeypatch, decoded):  # noqa: F811
    folder, read = put(tmp_path / "some", FILES), image_files.read_file
    last = max(FILES, key=image_files.file_key)

    def fail(path, *args, **options):
        if os.path.basename(path) == last:
            raise OSError(number, os.strerror(number), str(path))
        return open(path, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(image_files, "open", fail, raising=False)
        with pytest.raises(data.DataError, match=f"1 of .* cannot be read: .*{last}: {os.strerror(number)}"):
            data.load_cartoonset(folder=folder)
    done = decoded.calls
    check(data.load_cartoonset(folder=folder))
    assert read is image_files.read_file and decoded.calls == done + 1, "eleven images were prepared already"


def test_a_table_without_permission(some):
    put(some, {name: content for name, content in with_tables().items() if name.endswith(".csv")})
    (some / "cs3.csv").chmod(0)
    with pytest.raises(data.DataError, match="The table .*cs3.csv: Permission denied. Make it readable"):
        data.load_cartoonset(folder=some)
    (some / "cs3.csv").chmod(0o644)
    avatars = data.load_cartoonset(folder=some)
    assert not avatars.unlabelled and (avatars.attributes["hair"] >= 0).all()


@pytest.mark.parametrize("mode", [0o000, 0o444, 0o111], ids=["nothing", "names only", "no names"])
@pytest.mark.parametrize("deep", [False, True])
def test_a_folder_without_permission_is_not_a_smaller_set(mode, deep, some):
    place = some / "more" / "deeper" if deep else some
    put(place, {f"more-{name}": content for name, content in FILES.items()})
    place.chmod(mode)
    words = "cannot be looked (into: Permission denied. Make it|at: Permission denied. Make the folders .*) readable"
    with pytest.raises(data.DataError, match=f"{place}.* {words}"):
        data.load_cartoonset(folder=some)
    place.chmod(0o755)
    assert len(data.load_cartoonset(folder=some).images) == 24


def test_links_are_followed_and_lead_somewhere(tmp_path):
    folder, elsewhere = put(tmp_path / "some", FILES), put(tmp_path / "disk" / "more", {"other.png": FILES["cs1.png"]})
    (folder / "more").symlink_to(elsewhere)
    (folder / "more" / "back").symlink_to(folder)  # in a circle
    (folder / "one.png").symlink_to(folder / "cs1.png")
    everything = {**FILES, "one.png": FILES["cs1.png"], "more/other.png": FILES["cs1.png"]}
    check(data.load_cartoonset(folder=folder), everything)
    elsewhere.rename(tmp_path / "disk" / "unplugged")
    with pytest.raises(data.DataError, match="some/more is a link that leads nowhere. Mend it, or take it away"):
        data.load_cartoonset(folder=folder)
    (folder / "more").unlink()
    (folder / "cs1.png").rename(folder / "cs100.png")
    with pytest.raises(data.DataError, match="one.png is a link that leads nowhere"):
        data.load_cartoonset(folder=folder)
    (folder / "one.png").unlink()
    assert len(data.load_cartoonset(folder=folder).images) == 12


def test_a_pipe_is_no_image(tmp_path):
    os.mkfifo(put(tmp_path / "some", FILES) / "pipe.png")
    with pytest.raises(data.DataError, match="pipe.png is neither a file nor a folder. Take it away"):
        data.load_cartoonset(folder=tmp_path / "some")


def test_an_archive_without_permission_is_not_damaged(some):
    path = pack(some.parent / "some.tgz", FILES)
    path.chmod(0)
    with pytest.raises(data.DataError, match="some.tgz cannot be read: Permission denied. Make it readable") as caught:
        data.load_cartoonset(folder=path)
    assert "damaged" not in str(caught.value)
    path.chmod(0o644)
    check(data.load_cartoonset(folder=path))


@pytest.mark.parametrize("part", [".", "images.bin", "journal.jsonl"])
def test_a_store_without_permission(part, some):
    check(data.load_cartoonset(folder=some))
    (store,) = (path for path in (some.parent / "cache" / "cartoonset").iterdir() if path.is_dir())
    (store / "index.json").chmod(0)
    check(data.load_cartoonset(folder=some))  # written anew from the journal
    (store / "index.json").unlink()
    (store / part).chmod(0)
    with pytest.raises(data.DataError, match="Permission denied") as caught:
        data.load_cartoonset(folder=some)
    assert str(store) in str(caught.value) and "Make room" not in str(caught.value)
    (store / part).chmod(0o755)
    check(data.load_cartoonset(folder=some))


def test_a_cache_that_is_deleted_while_it_is_used(tmp_path, cache, monkeypatch):  # noqa: F811
    folder = put(tmp_path / "some", FILES)
    avatars = data.load_cartoonset(folder=folder)
    shutil.rmtree(cache)
    np.testing.assert_array_equal(avatars.train_images[:], avatars.images[avatars.train])
    decode = resizing.avatar
    with monkeypatch.context() as patch:
        patch.setattr(resizing, "avatar", lambda item: shutil.rmtree(cache, True) or decode(item))
        with pytest.raises(data.DataError, match="own-images.* was deleted meanwhile. Load the set again"):
            data.load_cartoonset(folder=folder)
    check(data.load_cartoonset(folder=folder))


def test_own_images_without_permission_are_used_once_they_have_it(some):
    (some / "cs3.png").chmod(0)
    with pytest.raises(data.DataError, match="1 of .* cannot be read: .*cs3.png: Permission denied"):
        data.load_folder(some)
    (some / "cs3.png").chmod(0o644)
    own = data.load_folder(some)
    assert len(own.images) == 12 and not own.left_out


def test_damage_is_told_in_a_pipeline_too(tmp_path, cache):  # noqa: F811
    """A training reads through TensorFlow, whose error quotes ours."""
    avatars = data.load_cartoonset(folder=put(tmp_path / "some", FILES))
    avatars.images.path.write_bytes(bytes(avatars.images.path.stat().st_size))
    for batches in (data.stream(avatars.images, 4, seed=1), data.batches(avatars.images, 4, seed=1)):
        with pytest.raises(Exception, match="images.bin is damaged: image .* Delete .*, and load the set again"):
            next(iter(batches))
