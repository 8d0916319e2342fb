"""Text to sentences and back: documents with exact offsets, segmentation, normalisation."""
