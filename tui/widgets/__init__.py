"""One widget a file, with its own CSS, bindings and messages."""
