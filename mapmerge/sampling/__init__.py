"""Which items an evaluation sees when it does not see all, and what such a score is worth."""
