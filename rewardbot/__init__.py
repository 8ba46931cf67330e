"""rewardbot: robots that learn what their operator wants instead of a reward somebody wrote."""

__version__ = "0.1.0"
