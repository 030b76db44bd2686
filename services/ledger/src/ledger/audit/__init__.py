"""The proof that the book is right, run by anybody, that repairs nothing."""
