"""What an organisation may use, and what it owes."""
