"""The only writer of money: postings that balance, one by one or a thousand at once."""
