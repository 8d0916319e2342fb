"""The plain server's tests of hostile LibreTranslate requests, over Ray."""

from test_libretranslate_hostile import *  # noqa: F403
