"""Keys: who may ask, and how many characters a minute and a day."""
