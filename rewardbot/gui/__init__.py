"""Windows. A `*_session.py` holds what a window does, without Qt; `bridge.py` alone imports both rclpy and Qt."""
