"""What an error means, whether it may be retried, and after how long (lesson 7)."""
