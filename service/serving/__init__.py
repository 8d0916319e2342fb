"""Many callers to few workers: admission, cancellation, and the one crossing to threads."""
