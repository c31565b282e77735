"""What runs next, and where its keys and values lie: plain Python, no torch, no threads."""
