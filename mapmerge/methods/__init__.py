"""How a search spends its budget: which candidates it measures next, and what it delivers in the end."""
