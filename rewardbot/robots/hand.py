"""What the hand of a simulated operator is like unless something else is said, see `ScriptedDemonstrator`. Loads no simulator."""

NOISE = 0.2
"""Standard deviation of its tremor, as a share of a full action."""

HESITATION = 0.15
"""Mean time for which it hesitates before it closes or opens [s]."""
