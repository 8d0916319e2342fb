"""The plain server's tests of hostile DeepL requests, over Ray."""

from test_deepl_hostile import *  # noqa: F403
