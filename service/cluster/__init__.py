"""More than one machine: the same pipeline under Ray Serve (requests) and Ray Data (archives).

Only this package imports ray, which ``kortom[ray]`` installs; importing it without ray is a
:class:`StartupError`.
"""

import os

from service.errors import StartupError

# Read by Ray when it is imported. A cluster answers those who have its token only: whoever may
# talk to a Ray cluster may run any program on it.
os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
# Lines of workers that are alike are lines all the same.
os.environ.setdefault("RAY_DEDUP_LOGS", "0")
# Read by the Hugging Face libraries when they are imported, by Ray's workers later than this:
# nothing asks the network for a model.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

try:
    import ray as ray
except ImportError:
    raise StartupError("this needs kortom[ray]: in the checkout, pip install '.[ray]'") from None
