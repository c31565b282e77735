"""What all tiers share."""

from hypothesis import settings

# A machine that is busy is slow, not wrong.
settings.register_profile("proctor", deadline=None)
settings.load_profile("proctor")
