"""One screen or dialog a file; each dismisses itself with what it was asked for."""
