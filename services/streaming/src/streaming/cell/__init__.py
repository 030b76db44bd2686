"""Which process decides about a stream: 64 cells, each leased to one replica under an epoch."""
