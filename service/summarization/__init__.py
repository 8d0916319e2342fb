"""Documents to bullets: the Summarizer protocol and its methods."""
