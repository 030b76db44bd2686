"""A stream's chat: messages and gifts in one order, numbered without gaps."""
