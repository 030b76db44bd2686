"""What an organisation may use: one snapshot each, told to every service when it changes."""
