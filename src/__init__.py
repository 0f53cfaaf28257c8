"""What runs inside AutoBot's containers. It imports nothing of `autobot_ops`."""
