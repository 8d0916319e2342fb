"""The plain server's tests of hostile requests, over Ray."""

from test_hostile import *  # noqa: F403
