"""Sessions: no random log-outs, and a stolen refresh token ends its session at the second use."""
