"""Sentences to sentences: the Translator protocol, its engines and the guard on their output."""
