"""Who is here now, and what they see: streams, boxes, viewers, chat, gifts and boards."""
