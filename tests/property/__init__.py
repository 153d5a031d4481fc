"""Properties that hold for any landing zone: order does not matter, twice is once, the oracle agrees."""
