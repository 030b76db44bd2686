"""The whole house on one laptop: start it, look into it, play the story."""
