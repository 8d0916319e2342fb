"""The plain server's tests of answers in events, over Ray."""

from test_stream import *  # noqa: F403
