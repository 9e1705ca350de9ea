import importlib.util
import os
import subprocess
import sys
from importlib.metadata import version

if importlib.util.find_spec("course_utils") is None and {"google.colab", "COURSE_SOURCE"} & {*sys.modules, *os.environ}:
    # On Colab: add the course and what it lacks. TensorFlow and NumPy stay as they are.
    source = os.environ.get("COURSE_SOURCE", "git+https://github.com/vae-course/vae-course")
    keep = [f"{package}=={version(package)}" for package in ("tensorflow", "numpy")]
    keep.append("tf-keras=={}.{}.*".format(*version("tensorflow").split(".")))
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", source, *keep], check=True)
    importlib.invalidate_caches()

from course_utils import runtime

budget = runtime.start("..")
