"""Articles by the million: a file or a folder in, a file of rows out."""
