"""`rewardbot doctor`: what of this machine works, what does not, and how to mend it."""
