"""What the routers of the API are made of: who asks, what they may send, and how the bank says no (R7).

A router imports from here, calls one service or selector in each route, and lets exceptions fly.
"""
