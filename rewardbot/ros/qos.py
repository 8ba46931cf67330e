"""Qualities of service by purpose; a publisher and its subscribers take the same name."""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

STATE = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1000, reliability=ReliabilityPolicy.RELIABLE)
"""Joint states, tool poses and actions: every one counts, and a learner that writes a checkpoint is busy for seconds."""

EVENTS = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=100, reliability=ReliabilityPolicy.RELIABLE)
"""Episode events, verdicts and metrics."""

TRUTH = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=2000, reliability=ReliabilityPolicy.RELIABLE)
"""True success of each observation: one that is missing could score an episode wrongly, and whoever counts may be held up."""

COMMANDS = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=10, reliability=ReliabilityPolicy.RELIABLE)
"""Commands and the classifier's answers: few, and only the newest matters."""

JOY = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
"""What a joy node says, whichever reliability it has."""

LATCHED = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.RELIABLE,
                     durability=DurabilityPolicy.TRANSIENT_LOCAL)
"""Weights: whoever comes late still gets the newest."""

IMAGES_OUT = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)
"""Sensor data as a camera driver publishes it."""

IMAGES_ALL = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1000, reliability=ReliabilityPolicy.BEST_EFFORT)
"""Sensor data for those that must not miss a frame: policy, recorder, learner."""

IMAGES_NEWEST = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=2, reliability=ReliabilityPolicy.BEST_EFFORT)
"""Sensor data for those that may skip: classifier, displays. Two, so that frames of two cameras can meet."""
