"""The service's settings for who only looks at its code: a key of nobody's, in a folder that is gone at the end."""

import atexit
import os
import shutil
import tempfile

from muniment.server.guarding.home_keys import WEB

_home = tempfile.mkdtemp()
atexit.register(shutil.rmtree, _home, ignore_errors=True)
os.mkdir(os.path.join(_home, "keys"), 0o700)
with open(os.path.join(_home, WEB), "w", encoding="ascii") as file:
    file.write("x" * 64)
os.environ["MUNIMENT_HOME"] = _home

from muniment.server.settings import *  # noqa: E402, F403 -- only now can they be read
