"""What a front is and how good it is: dominance, indicators, the search for it, choosing from it, comparing it.

Everything here is to be maximised: scores arrive as gains (the metric's sign times the score), shape [n, m].
"""
