"""A stream's life: announced, live, ended and settled; and how it is found while it is live."""
