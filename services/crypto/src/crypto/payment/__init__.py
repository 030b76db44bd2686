"""What wallets hold and how it moves between them: instantly, exactly, and always in balance."""
