"""Jobs: articles that were accepted with 202 and are worked on until each has its answer."""
