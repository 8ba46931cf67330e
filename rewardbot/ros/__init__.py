"""The ROS 2 layer: thin nodes around the library, and what starts them. Only this package and `gui` import rclpy."""

import gc

# Python looks for garbage whenever there are 700 objects more. What a node imports are half a million that stay: an eighth of the
# time that its start takes went into looking through them.
gc.set_threshold(10_000, 20, 50)
