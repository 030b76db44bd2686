"""Coins for money: packages, purchases, and the providers' word that somebody paid."""
