"""Images: where they come from, and how they reach a network.

Sets come from your folder (``COURSE_DATA_DIR``), the cache, a download, or are drawn in code, in this order; print a
set, and it says which. ``COURSE_CACHE_DIR`` moves the cache, which otherwise lies where the operating system keeps
caches.

=======================  ======================================================================================
``mnist.py``             MNIST and Fashion-MNIST as arrays
``mnist_files.py``       their files: found in a folder or the cache, or downloaded, and checked byte for byte
``cartoonset.py``        Cartoon Set: where its images come from, in which order of preference
``avatar_set.py``        what ``load_cartoonset`` returns
``image_files.py``       image files and tables, in a folder or an archive
``own_images.py``        ``load_folder``: images of one's own
``resizing.py``          images of every kind decoded and resized: those of Cartoon Set, and any others
``file_kinds.py``        what a file is by its first bytes, and what to do with one that is not taken
``labelling.py``         labels and attributes: from a folder a class, a table, the CSVs of Cartoon Set
``prepared.py``          images prepared once and kept on disk, in a way that survives a kill
``sealed.py``            JSON with a checksum, for the files of a store
``archive_download.py``  the archives of Cartoon Set, downloaded, and believed once they were read to their end
``download.py``          one file from one server, taken up again where a connection broke
``data_dir.py``          the folder that COURSE_DATA_DIR names; what lies where
``cache.py``             the folders of the cache, the lock of each, and ``DataError``
``network.py``           how long to wait for a server, how slow it may be, what went wrong in words
``streaming.py``         images that stay on disk, and batches in an order that can be resumed
``batching.py``          pixels scaled, binarised, and in shuffled batches
=======================  ======================================================================================
"""

from course_utils.data.avatar_set import AvatarSet
from course_utils.data.batching import batches, binarise, to_float
from course_utils.data.cache import DataError
from course_utils.data.cartoonset import is_cartoonset, load_cartoonset
from course_utils.data.mnist import ImageSet, load_fashion_mnist, load_mnist
from course_utils.data.own_images import OwnImages, load_folder
from course_utils.data.streaming import StoredImages, epoch_order, stream

__all__ = [
    "AvatarSet",
    "DataError",
    "ImageSet",
    "OwnImages",
    "StoredImages",
    "batches",
    "binarise",
    "epoch_order",
    "is_cartoonset",
    "load_cartoonset",
    "load_fashion_mnist",
    "load_folder",
    "load_mnist",
    "stream",
    "to_float",
]
