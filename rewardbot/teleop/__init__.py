"""What a person's hand says: devices, keys, and the twists that come of them. Neither ROS nor Qt."""
