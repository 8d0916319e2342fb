"""Scores and benchmarks, and the seed articles that they are counted on."""
