"""The plain server's tests of LibreTranslate's routes, over Ray."""

from test_libretranslate import *  # noqa: F403
