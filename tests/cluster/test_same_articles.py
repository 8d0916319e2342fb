"""The plain server's tests of articles, over Ray."""

from test_articles import *  # noqa: F403
