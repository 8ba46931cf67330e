"""The ROS 2 layer: thin nodes around the library, and what starts them. Only this package and `gui` import rclpy."""
