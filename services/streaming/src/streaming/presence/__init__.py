"""Who watches which box: viewings, their heartbeats and their ends, mirrored in box_viewers."""
